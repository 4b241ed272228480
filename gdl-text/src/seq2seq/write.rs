use super::codec::{BOS, EOS, Extended, Source};
use super::examples::{Sides, alike, sources};
use super::model::Model;
use super::search::{Coverage, Hypothesis, Run, Sampled, Searches, Steps, writing};
use crate::sampling::{BeamConfig, Sampler, SamplingConfig};
use crate::{AttentionMap, Error, Result};
use gdl_train::Rng;
use serde::{Deserialize, Serialize};

/// How the text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// The likeliest token, again and again.
    Greedy,
    /// Draws so many texts, as [`WriteConfig::sampling`] says.
    Sample(usize),
    /// The likeliest texts that beams find.
    Beam(BeamConfig),
}

/// How to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteConfig {
    /// How the text is looked for. Default: the likeliest token each time.
    pub search: Search,
    /// What is banned, penalised and, for samples, how they are drawn. Default: a temperature of 1, the unknown token banned.
    pub sampling: SamplingConfig,
    /// Tokens of a text at most. Default 100.
    pub max_length: usize,
    /// What every text begins with. Default: nothing.
    pub prefix: String,
    /// How much less a text of a beam search counts for each place of the source that its attention adds up to less than 1 on: as in Wu et
    /// al. 2016, equation 14, the sum over the places of the logarithm of that sum, times this. Default 0.
    pub coverage_penalty: f64,
    /// Whether the attention is kept. Default false.
    pub attention: bool,
    /// What draws come from. Default 0.
    pub seed: u64,
    /// Sources that are read side by side. Default 64.
    pub batch: usize,
}

impl Default for WriteConfig {
    fn default() -> Self {
        Self {
            search: Search::Greedy,
            sampling: SamplingConfig::new(1.0),
            max_length: 100,
            prefix: String::new(),
            coverage_penalty: 0.0,
            attention: false,
            seed: 0,
            batch: 64,
        }
    }
}

/// A text that was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// It, the prefix included.
    pub text: String,
    /// Its tokens by their names, without the end token.
    pub tokens: Vec<String>,
    /// The natural logarithm of its probability behind the prefix, the end token included where it has one.
    pub log_prob: f64,
    /// What it was ranked by.
    pub score: f64,
    /// Where the model looked, if that was asked for and there is attention.
    #[serde(skip)]
    pub attention: Option<AttentionMap>,
}

impl WriteConfig {
    /// Checks every setting, for a model with attention or without.
    pub(crate) fn check(&self, attends: bool) -> Result<()> {
        crate::config::at_least_one("max length", self.max_length)?;
        crate::config::at_least_one("batch", self.batch)?;
        if let Search::Sample(n) = self.search {
            crate::config::at_least_one("samples", n)?;
        }
        if let Search::Beam(config) = &self.search {
            config.check()?;
        }
        let beta = self.coverage_penalty;
        if !(beta >= 0.0 && beta.is_finite()) {
            return Err(Error::setting("coverage penalty", format!("must be 0 or above, got {beta}")));
        }
        for (key, wanted) in [("coverage penalty", beta > 0.0), ("attention", self.attention)] {
            if wanted && !attends {
                return Err(Error::setting(key, "this model has no attention"));
            }
        }
        if beta > 0.0 && !matches!(self.search, Search::Beam(_)) {
            return Err(Error::setting("coverage penalty", "is for beam search"));
        }
        Ok(())
    }
}

impl Model {
    /// Writes a text, or as many as are asked for, for each source: the best first, samples in the order of their numbers. What a source
    /// without any token gives is one empty text.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, [`Error::DeadEnd`] when what is banned leaves nothing.
    pub fn write<S: AsRef<str>>(&self, texts: &[S], config: &WriteConfig) -> Result<Vec<Vec<Written>>> {
        config.check(self.config.model.attention.is_some())?;
        let copy = self.config.model.copy.then_some(&self.sides.target);
        let all = texts
            .iter()
            .map(|text| self.sides.source.source(text.as_ref(), copy))
            .collect::<Result<Vec<_>>>()?;
        let mut written: Vec<Vec<Written>> = all.iter().map(|_| Vec::new()).collect();
        for rows in alike(all.iter()).chunks(config.batch) {
            let picked: Vec<&Source> = rows.iter().map(|&n| &all[n]).collect();
            for (&n, hypotheses) in rows.iter().zip(self.write_batch(&picked, rows, config)?) {
                written[n] = hypotheses
                    .into_iter()
                    .map(|found| self.sides.written(found, &all[n], config))
                    .collect::<Result<_>>()?;
            }
        }
        let nothing = || Written {
            text: String::new(),
            tokens: Vec::new(),
            log_prob: 0.0,
            score: 0.0,
            attention: None,
        };
        for (written, source) in written.iter_mut().zip(&all) {
            if source.ids.is_empty() {
                written.push(nothing());
            }
        }
        Ok(written)
    }

    /// What a batch of sources gives; `numbers` tells their draws apart.
    fn write_batch(
        &self,
        picked: &[&Source],
        numbers: &[usize],
        config: &WriteConfig,
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let sources = sources(picked, &self.config.model, &self.device)?;
        let extra = sources.extended_vocab(&self.config.model) - self.config.model.target_vocab;
        let vocabulary = Extended { codec: &self.sides.target, extra };
        config.search(writing(&self.network, &sources)?, &vocabulary, sources.lengths(), numbers)
    }
}

impl WriteConfig {
    /// What a decoder writes for each of its sources, which have these lengths; `numbers` tells their draws apart.
    pub(crate) fn search(
        &self,
        decoder: Box<dyn Steps + '_>,
        vocabulary: &Extended<'_>,
        lengths: &[usize],
        numbers: &[usize],
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let (config, n) = (self, lengths.len());
        // What marks rows is never written.
        let mut sampling = config.sampling.clone();
        sampling.ban.extend(["<pad>", "<s>"].map(String::from));
        if config.search == Search::Greedy {
            sampling.temperature = 0.0;
        }
        let sampler = Sampler::new(&sampling, None, vocabulary)?;
        let prefix = vocabulary.codec.encode(&config.prefix)?;
        let length = config.max_length.saturating_sub(prefix.len());
        let prompt: Vec<u32> = [BOS].into_iter().chain(prefix.iter().copied()).collect();
        let keep = config.attention || config.coverage_penalty > 0.0;
        let run = Run::begin(decoder, &prompt, keep)?;
        match &config.search {
            Search::Beam(beams) => {
                let coverage = Coverage { beta: config.coverage_penalty, lengths };
                Searches::new(&sampler, beams, &prefix, length, n)?.go_on(run, &coverage)
            }
            Search::Greedy | Search::Sample(_) => {
                let samples = if let Search::Sample(n) = config.search { n } else { 1 };
                let rng = |source: usize, sample: usize| {
                    Rng::stream(config.seed, &format!("written-{}-{sample}", numbers[source]))
                };
                Sampled::new(&sampler, &prefix, length, n, samples, rng)?.go_on(run)
            }
        }
    }
}

impl Sides {
    /// What was found for a source, as text.
    pub(crate) fn written(
        &self,
        found: Hypothesis,
        source: &Source,
        config: &WriteConfig,
    ) -> Result<Written> {
        let Hypothesis { tokens, log_prob, score, attention, copied } = found;
        let target = &self.target;
        let prefix = target.encode(&config.prefix)?;
        let all: Vec<u32> = prefix.iter().chain(&tokens).copied().collect();
        let said: Vec<u32> = all.iter().copied().filter(|&id| id != EOS).collect();
        let attention = match config.attention {
            true => {
                let shown = self.source.shown_words(&source.words);
                let width = shown.len();
                let rows = attention.into_iter().map(|row| row.into_iter().take(width).collect()).collect();
                Some(AttentionMap::new(shown, target.shown(&all, &source.extra), rows, copied)?)
            }
            false => None,
        };
        Ok(Written {
            text: target.decode(&said, &source.extra)?,
            tokens: target.shown(&said, &source.extra),
            log_prob,
            score,
            attention,
        })
    }
}
