use crate::attention::{Attending, Memory, Seen};
use crate::batch::Sources;
use crate::cell::{Rnn, State};
use crate::config::{Seq2SeqConfig, Tied};
use crate::encoder::Encoded;
use crate::pointer::Pointer;
use crate::words::{SeededDropout, Words};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{Embedding, EmbeddingConfig, Linear, linear, steps};

/// Writes a target from what an encoder has made of a source.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    pub(crate) words: Words,
    rnn: Rnn,
    attention: Option<Attending>,
    pointer: Option<Pointer>,
    /// To the size of a token's vector, where that is what the output layer compares with and sizes differ.
    project: Option<Linear>,
    output: Linear,
    drop: SeededDropout,
    input_feeding: bool,
}

/// What a decoder is about to say at each of T steps.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// What the output layer reads (N, T, F).
    pub output: Tensor,
    /// How much of its attention each place of the source had (N, T, S); without attention, none.
    pub attention: Option<Tensor>,
    /// The logit (N, T) of the probability that a word comes from the vocabulary rather than from the source; none without copying.
    pub generate: Option<Tensor>,
    /// The state after the last step.
    pub state: State,
}

/// What a step hands to the next.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) state: State,
    /// What the output layer read (N, 1, H), where it is fed back.
    pub(crate) fed: Option<Tensor>,
    /// The attention so far of each place (N, S), where it counts.
    pub(crate) covered: Option<Tensor>,
}

/// One or more steps, without what they hand on.
struct Stretch {
    query: Tensor,
    seen: Option<Seen>,
    output: Tensor,
}

impl Decoder {
    pub(crate) fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let table = EmbeddingConfig::new(config.target_vocab, config.embedding);
        let table = Embedding::new(&table, vb.pp("embedding"))?;
        let tied = config.tied != Tied::None;
        let project = tied && config.embedding != config.hidden;
        let output = match tied {
            true => Linear::tied(&table, vb.pp("output"))?,
            false => linear(config.hidden, config.target_vocab, vb.pp("output"))?,
        };
        Ok(Self {
            words: Words::new(table, config.dropout),
            rnn: Rnn::writing(config, vb.pp("rnn"))?,
            attention: config
                .attention
                .map(|kind| Attending::new(kind, config, vb.pp("attention")))
                .transpose()?,
            pointer: config.copy.then(|| Pointer::new(config, vb.pp("pointer"))).transpose()?,
            project: project
                .then(|| Linear::without_bias(config.hidden, config.embedding, vb.pp("project")))
                .transpose()?,
            output,
            drop: SeededDropout::new(config.dropout),
            input_feeding: config.input_feeding,
        })
    }

    pub(crate) fn with_rng(self, rng: &SharedRng) -> Self {
        Self {
            words: self.words.with_rng(rng),
            rnn: self.rnn.with_rng(rng.clone()),
            drop: self.drop.with_rng(rng),
            ..self
        }
    }

    pub(crate) fn output(&self) -> &Linear {
        &self.output
    }

    /// Makes a source ready to be looked at, where there is attention.
    pub(crate) fn remember(&self, encoded: &Encoded, sources: &Sources) -> Result<Option<Memory>> {
        let Some(attention) = &self.attention else { return Ok(None) };
        let mask = sources.mask(encoded.memory.dtype())?;
        attention.remember(&encoded.memory, mask).map(Some)
    }

    /// What the first step starts from.
    pub(crate) fn start(&self, state: &State, memory: Option<&Memory>, coverage: bool) -> Result<Carried> {
        let fed = match memory.filter(|_| self.input_feeding) {
            Some(memory) => Some(memory.values.narrow(1, 0, 1)?.zeros_like()?),
            None => None,
        };
        let covered = memory.filter(|_| coverage).map(|memory| memory.mask.zeros_like()?.squeeze(1));
        Ok(Carried { state: state.clone(), fed, covered: covered.transpose()? })
    }

    /// All steps at once, through one whole-sequence operator per layer: nothing of a step depends on the attention before.
    pub(crate) fn whole(
        &self,
        inputs: &Tensor,
        carried: &Carried,
        memory: Option<&Memory>,
        train: bool,
    ) -> Result<Decoded> {
        let x = self.words.forward(inputs, train)?; // (N, T, E)
        let (query, state) = self.rnn.decode(&x, &carried.state, train)?; // (N, T, H)
        let seen = self.look(&query, memory, None)?;
        let stretch = self.finish(query, seen, train)?;
        self.decoded(&x, stretch, state)
    }

    /// One step after the other.
    pub(crate) fn stepwise(
        &self,
        inputs: &Tensor,
        mut carried: Carried,
        memory: Option<&Memory>,
        train: bool,
    ) -> Result<(Decoded, Carried)> {
        let x = self.words.forward(inputs, train)?; // (N, T, E)
        let mut all = Vec::new();
        for x in steps(&x)? {
            let mut x = x.unsqueeze(1)?; // (N, 1, E)
            if let Some(fed) = &carried.fed {
                x = Tensor::cat(&[&x, fed], 2)?;
            }
            let (query, state) = self.rnn.decode(&x, &carried.state, train)?;
            let seen = self.look(&query, memory, carried.covered.as_ref())?;
            let covered = match (&carried.covered, &seen) {
                (Some(covered), Some(seen)) => Some((covered + seen.weights.squeeze(1)?)?),
                _ => None,
            };
            let stretch = self.finish(query, seen, train)?;
            carried = Carried { state, fed: carried.fed.map(|_| stretch.output.clone()), covered };
            all.push(stretch);
        }
        let decoded = self.decoded(&x, Stretch::join(&all)?, carried.state.clone())?;
        Ok((decoded, carried))
    }

    fn look(
        &self,
        query: &Tensor,
        memory: Option<&Memory>,
        covered: Option<&Tensor>,
    ) -> Result<Option<Seen>> {
        match (&self.attention, memory) {
            (Some(attention), Some(memory)) => attention.look(query, memory, covered).map(Some),
            _ => Ok(None),
        }
    }

    fn finish(&self, query: Tensor, seen: Option<Seen>, train: bool) -> Result<Stretch> {
        let output = seen.as_ref().map_or_else(|| query.clone(), |seen| seen.output.clone());
        Ok(Stretch { output: self.drop.forward(output, train)?, query, seen })
    }

    fn decoded(&self, x: &Tensor, stretch: Stretch, state: State) -> Result<Decoded> {
        let Stretch { query, seen, output } = stretch;
        let generate = match (&self.pointer, &seen) {
            (Some(pointer), Some(seen)) => Some(pointer.forward(&seen.context, &query, x)?),
            _ => None,
        };
        let output = self.project.as_ref().map_or(Ok(output.clone()), |project| project.forward(&output))?;
        Ok(Decoded { output, attention: seen.map(|seen| seen.weights), generate, state })
    }
}

impl Stretch {
    /// The steps of several, behind each other.
    fn join(all: &[Self]) -> Result<Self> {
        let cat = |part: fn(&Self) -> &Tensor| Tensor::cat(&all.iter().map(part).collect::<Vec<_>>(), 1);
        let seen: Option<Vec<_>> = all.iter().map(|stretch| stretch.seen.as_ref()).collect();
        let seen = seen.map(|seen| {
            let cat = |part: fn(&Seen) -> &Tensor| {
                Tensor::cat(&seen.iter().map(|s| part(s)).collect::<Vec<_>>(), 1)
            };
            Ok::<_, candle_core::Error>(Seen {
                weights: cat(|seen| &seen.weights)?,
                context: cat(|seen| &seen.context)?,
                output: cat(|seen| &seen.output)?,
            })
        });
        Ok(Self {
            query: cat(|stretch| &stretch.query)?,
            seen: seen.transpose()?,
            output: cat(|stretch| &stretch.output)?,
        })
    }
}
