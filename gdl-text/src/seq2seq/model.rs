use super::examples::{Examples, Sides};
use super::{RunConfig, TrainConfig};
use crate::seq2seq::trainer::likelihood;
use crate::text_model::{WEIGHTS, plain};
use crate::{EvalReport, Result, Tokenizer};
use candle_core::Device;
use gdl_seq2seq::Seq2Seq;
use gdl_train::{Tensors, tensors_from_bytes};

/// A trained encoder-decoder with its vocabularies: reads texts and writes others.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) config: TrainConfig,
    pub(super) sides: Sides,
    pub(super) network: Seq2Seq,
    pub(super) device: Device,
    longest: usize,
}

/// What is peculiar about a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceReport {
    /// Its tokens.
    pub tokens: usize,
    /// Those that the source vocabulary does not have.
    pub unknown: usize,
    /// Whether it has more of them than any source that the model learned from.
    pub longer: bool,
}

impl Model {
    /// Makes a model of what the files of a run hold: `config.json`, `tokenizer.json`, `source-tokenizer.json` where source and target
    /// have a vocabulary each, and `weights.safetensors` (or `best.safetensors`).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) and [`Error::Tokenizer`](crate::Error::Tokenizer) when one of them is none, or they are
    /// not of one model; [`Error::Train`](crate::Error::Train) when a tensor is missing, left over or wrongly shaped.
    pub fn from_bytes(
        config: &str,
        tokenizer: &str,
        source_tokenizer: Option<&str>,
        weights: &[u8],
        device: &Device,
    ) -> Result<Self> {
        let config = RunConfig::from_json(config)?;
        let read = |json: &str| Tokenizer::from_json(json, &config.seq2seq.tokenizer);
        let sides = config.seq2seq.sides_of(read(tokenizer)?, source_tokenizer.map(read).transpose()?)?;
        let (tensors, _) = tensors_from_bytes(WEIGHTS, weights, device)?;
        Self::new(config, sides, WEIGHTS, &tensors, device)
    }

    /// Of these vocabularies and weights; `origin` names the weights in errors.
    pub(super) fn new(
        config: RunConfig,
        sides: Sides,
        origin: &str,
        tensors: &Tensors,
        device: &Device,
    ) -> Result<Self> {
        let RunConfig { seq2seq: config, longest_source, .. } = config;
        let (network, _) = plain(origin, tensors, device, |vb| Seq2Seq::new(&config.model, vb))?;
        Ok(Self::of(config, sides, network, longest_source, device))
    }

    pub(crate) fn of(
        config: TrainConfig,
        sides: Sides,
        network: Seq2Seq,
        longest: usize,
        device: &Device,
    ) -> Self {
        Self { config, sides, network, device: device.clone(), longest }
    }

    /// How it was trained.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Seq2Seq {
        &self.network
    }

    /// Tokens of the longest source that it learned from.
    pub fn longest_source(&self) -> usize {
        self.longest
    }

    /// What is peculiar about a source.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when the `tokenizers` crate refuses.
    pub fn inspect(&self, source: &str) -> Result<SourceReport> {
        let ids = self.sides.source.encode(source)?;
        let unknown = self.sides.source.tokenizer.unknown().map(|_| self.sides.source.unk());
        let unknown = ids.iter().filter(|&&id| Some(id) == unknown).count();
        Ok(SourceReport { tokens: ids.len(), unknown, longer: ids.len() > self.longest })
    }

    /// A target's tokens as [`Written::tokens`](super::Written::tokens) has them, for comparing token by token.
    ///
    /// # Errors
    /// [`Error::Tokenizer`](crate::Error::Tokenizer) when the `tokenizers` crate refuses.
    pub fn shown_target(&self, target: &str) -> Result<Vec<String>> {
        Ok(self.sides.target.shown_words(&self.sides.target.tokenizer.tokens(target)?))
    }

    /// How many of some tokens that were written are the unknown one.
    pub fn unknown_among(&self, rows: &[Vec<String>]) -> usize {
        let tokenizer = &self.sides.target.tokenizer;
        let unknown = tokenizer.unknown().and_then(|id| tokenizer.token(id));
        rows.iter().flatten().filter(|token| unknown.as_ref() == Some(token)).count()
    }

    /// How likely the targets of some pairs are, each token given the right ones before it.
    ///
    /// # Errors
    /// [`Error::NothingToScore`](crate::Error::NothingToScore) when there are none.
    pub fn likelihood(&self, rows: &[(String, String)]) -> Result<EvalReport> {
        let mut examples = Examples::new(rows, &self.sides, self.config.model.copy)?;
        examples.keep(None, None);
        if examples.len() == 0 {
            return Err(crate::Error::NothingToScore { origin: "the pairs".into(), have: 0 });
        }
        likelihood(&self.network, &examples, &self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq2seq::run_config::KIND;
    use crate::seq2seq::{Pairs, Trainer, WriteConfig};
    use crate::{Error, Length, Level};
    use gdl_train::tensors_to_bytes;

    #[test]
    fn what_the_files_of_a_run_hold_makes_the_model_that_was_trained() {
        let rows = ["ab", "ba", "aab", "abb"].map(|s| (s.to_string(), s.to_uppercase())).to_vec();
        let pairs = Pairs::from_rows("upper case", rows).unwrap();
        for shared in [false, true] {
            let length = Length::Steps(3);
            let mut config = TrainConfig { length, batch: 4, shared, ..TrainConfig::new(Level::Char) };
            (config.model.embedding, config.model.hidden, config.model.layers) = (8, 8, 1);
            let mut trainer = Trainer::new(&pairs, None, config, &Device::Cpu).unwrap();
            for _ in 0..3 {
                trainer.step().unwrap();
            }
            let config = RunConfig {
                kind: KIND.into(),
                seq2seq: trainer.config().clone(),
                pairs: pairs.mark(),
                valid: None,
                longest_source: trainer.longest_source(),
            };
            let config = serde_json::to_string(&config).unwrap();
            let [source, target] =
                [&trainer.sides.source, &trainer.sides.target].map(|side| side.tokenizer.to_json().unwrap());
            let weights =
                tensors_to_bytes("memory", &trainer.store().tensors(), &Default::default()).unwrap();

            let of = |source| Model::from_bytes(&config, &target, source, &weights, &Device::Cpu);
            let (right, wrong) = match shared {
                true => (None, Some(source.as_str())),
                false => (Some(source.as_str()), None),
            };
            let model = of(right).unwrap();
            let write = |model: &Model| model.write(&["ab", "bab"], &WriteConfig::default()).unwrap();
            assert_eq!(write(&model), write(&trainer.model()));
            assert_eq!(model.longest_source(), 3);
            assert!(matches!(of(wrong).unwrap_err(), Error::Mismatch { .. }));
        }
    }
}
