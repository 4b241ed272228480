use super::{GenerateConfig, Likely, Prompt, Sample, Session, beams, samples};
use crate::sampling::{BeamConfig, Sampler, Stops};
use crate::tokenizer::StreamDecoder;
use crate::{LanguageModel, Result, Tokenizer};
use candle_core::Device;
use gdl_train::Rng;
use std::ops::{ControlFlow, Range};

/// A model with a prompt read and the settings made ready: writes as many texts as wanted. Made by
/// [`TextModel::writer`](crate::TextModel::writer).
///
/// The unknown token is not written unless asked for; words of the prompt that the vocabulary does not have are read as unknown.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) model: &'a LanguageModel,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) device: &'a Device,
    pub(super) config: GenerateConfig,
    pub(super) sampler: Sampler,
    pub(super) prompt: Prompt,
    /// As it stands behind the prompt.
    pub(super) decoder: StreamDecoder<'a>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        model: &'a LanguageModel,
        tokenizer: &'a Tokenizer,
        prompt: Prompt,
        config: &GenerateConfig,
        device: &'a Device,
    ) -> Result<Self> {
        config.check()?;
        // Where tokens are parts of characters, what is written must come to whole ones.
        let whole = tokenizer.has_parts().then_some("(?s:.)*");
        let pattern = config.pattern.as_deref().or(whole);
        let sampler = Sampler::new(&config.sampling, pattern, tokenizer)?;
        let mut decoder = tokenizer.stream();
        if !prompt.text.is_empty() {
            for &id in &prompt.ids {
                decoder.push(id)?; // So that the first word knows what it follows.
            }
            if prompt.text.ends_with(' ') {
                decoder.after_space();
            }
        }
        Ok(Self { model, tokenizer, device, config: config.clone(), sampler, prompt, decoder })
    }

    /// As [`new`](Self::new), after reading the prompt of the settings, or `start` where that is empty.
    pub(crate) fn read(
        model: &'a LanguageModel,
        tokenizer: &'a Tokenizer,
        start: &str,
        config: &GenerateConfig,
        device: &'a Device,
    ) -> Result<Self> {
        config.check()?;
        let prompt = Prompt::read(model, tokenizer, (&config.prompt, start), None, device)?;
        Self::new(model, tokenizer, prompt, config, device)
    }

    /// What it goes on from.
    pub fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// Writes one text: `write` gets each piece as it comes, whole characters always, and may stop it. It is the text of the
    /// [sample](Self::samples) 0.
    ///
    /// Returns what was written, without the prompt.
    ///
    /// # Errors
    /// [`Error::DeadEnd`](crate::Error::DeadEnd) when the settings ban every token, [`Error::Pattern`](crate::Error::Pattern)
    /// when no text of that length matches.
    pub fn generate(&self, mut write: impl FnMut(&str) -> ControlFlow<()>) -> Result<String> {
        let mut session = self.session()?;
        let mut stops = Stops::new(&self.config.stop);
        let mut written = String::new();
        let (mut stopped, mut ended) = (false, false);
        while !stopped && !ended {
            let piece = match session.draw()? {
                Some(piece) => {
                    let (piece, found) = stops.push(&piece);
                    ended = found;
                    piece
                }
                None => {
                    ended = true;
                    stops.finish()
                }
            };
            if !piece.is_empty() {
                written.push_str(&piece);
                stopped = write(&piece).is_break();
            }
        }
        Ok(written)
    }

    /// A text that grows token by token, drawn or chosen; stop texts play no part.
    ///
    /// # Errors
    /// [`Error::Pattern`](crate::Error::Pattern) when no text of that length matches.
    pub fn session(&self) -> Result<Session<'_>> {
        Session::new(self)
    }

    /// Writes samples, `batch` of them side by side: `each` gets them in their order and may stop it.
    ///
    /// Each has a random generator of its own, made of the seed and its number: sample 7 is the same whether one is written or
    /// a thousand. On the CPU that is exact for a model that has a [`stepper`](LanguageModel::stepper); elsewhere the last bits of a
    /// score can depend on how many texts there are, and may tip a draw once in a great while.
    ///
    /// # Errors
    /// Those of [`generate`](Self::generate), and [`Error::Setting`](crate::Error::Setting) when `batch` is 0.
    pub fn samples(
        &self,
        numbers: Range<usize>,
        batch: usize,
        each: impl FnMut(Sample) -> ControlFlow<()>,
    ) -> Result<()> {
        samples::write(self, numbers, batch, each)
    }

    /// The likeliest texts by beam search, the best first; stop texts and the pattern end them, temperature and what cuts the
    /// distribution play no part.
    ///
    /// # Errors
    /// Those of [`beam_search`](crate::sampling::beam_search).
    pub fn beams(&self, config: &BeamConfig) -> Result<Vec<Likely>> {
        beams::search(self, config)
    }

    /// The generator of a sample.
    pub(super) fn rng(&self, sample: usize) -> Rng {
        match sample {
            0 => Rng::stream(self.config.seed, "generate"),
            n => Rng::stream(self.config.seed, &format!("generate {n}")),
        }
    }
}
