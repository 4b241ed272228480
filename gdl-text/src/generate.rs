use crate::{Error, LanguageModel, Level, Result, State, Tokenizer};
use candle_core::{DType, Device, Tensor};
use gdl_rnn::Stepper;
use gdl_train::Rng;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// How to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateConfig {
    /// What to go on from. Default: nothing, which means the start of a line.
    pub prompt: String,
    /// How many tokens to write. Default 500.
    pub length: usize,
    /// What the logits are divided by: below 1 the likely becomes likelier; 0 always takes the likeliest. Default 0.8.
    pub temperature: f64,
    /// Draw among the so many likeliest tokens only. Default: among all.
    pub top_k: Option<usize>,
    /// What the draws come from. Default 42.
    pub seed: u64,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self { prompt: String::new(), length: 500, temperature: 0.8, top_k: None, seed: 42 }
    }
}

impl GenerateConfig {
    pub(crate) fn check(&self) -> Result<()> {
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            let message =
                format!("must be 0 (always the likeliest token) or above, got {}", self.temperature);
            return Err(Error::setting("temperature", message));
        }
        if self.length == 0 {
            return Err(Error::setting("length", "must be at least 1, got 0"));
        }
        if self.top_k == Some(0) {
            return Err(Error::setting("top-k", "must be at least 1, got 0"));
        }
        Ok(())
    }
}

/// Writes on from the prompt, one token at a time; `write` gets each piece of text as it comes, and may stop it.
///
/// Returns what was written, without the prompt. The unknown token is never drawn.
pub(crate) fn generate(
    model: &LanguageModel,
    tokenizer: &Tokenizer,
    config: &GenerateConfig,
    device: &Device,
    mut write: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<String> {
    config.check()?;
    let prompt = encode_prompt(tokenizer, &config.prompt)?;
    let mut decoder = tokenizer.stream();
    if !config.prompt.is_empty() {
        for &id in &prompt {
            decoder.push(id)?; // So that the first word knows what it follows.
        }
    }
    let mut rng = Rng::stream(config.seed, "generate");
    let mut written = String::new();
    let words = tokenizer.config().level == Level::Word;
    let mut reader = Reader::new(model, &prompt, device)?;
    let mut draw = Draw::new(config, tokenizer.unknown());
    for step in 0..config.length {
        let id = draw.next(reader.logits(), &mut rng)?;
        let mut piece = decoder.push(id)?;
        // The space before a word is the decoder's, unless the prompt ends in one. Characters bring their own.
        let spaced = step == 0 && words && config.prompt.ends_with(' ');
        if spaced && let Some(rest) = piece.strip_prefix(' ') {
            piece = rest.to_string();
        }
        written.push_str(&piece);
        if write(&piece).is_break() {
            break;
        }
        if step + 1 < config.length {
            reader.read(id)?;
        }
    }
    Ok(written)
}

/// The ids of a prompt; of a line end when there is none, or of the first token of a text without lines.
fn encode_prompt(tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>> {
    let unseen = tokenizer.unseen_chars(prompt);
    if !unseen.is_empty() {
        let list = |chars: &mut dyn Iterator<Item = String>| chars.collect::<Vec<_>>().join(" ");
        let known = (1..tokenizer.vocab_size() as u32).filter_map(|id| tokenizer.token(id));
        return Err(Error::Unseen {
            unseen: list(&mut unseen.iter().map(|c| format!("{c:?}"))),
            known: list(&mut known.map(|c| c.escape_debug().to_string())),
        });
    }
    let ids = tokenizer.encode(prompt)?;
    Ok(if ids.is_empty() { vec![tokenizer.id("\n").unwrap_or(1)] } else { ids })
}

/// What has read a text so far, and says what may come next.
enum Reader<'a> {
    /// The model's own way of reading one token.
    Stepper { stepper: Box<Stepper>, logits: Vec<f32> },
    /// Whatever the model is made of, on whatever device.
    Model { model: &'a LanguageModel, state: State, logits: Vec<f32>, device: &'a Device },
}

impl<'a> Reader<'a> {
    fn new(model: &'a LanguageModel, prompt: &[u32], device: &'a Device) -> Result<Self> {
        let (logits, state) = next(model, prompt, None, device)?;
        Ok(match model.stepper(&state)? {
            Some(stepper) => Self::Stepper { stepper: Box::new(stepper), logits },
            None => Self::Model { model, state, logits, device },
        })
    }

    fn logits(&mut self) -> &mut [f32] {
        match self {
            Self::Stepper { logits, .. } | Self::Model { logits, .. } => logits,
        }
    }

    fn read(&mut self, id: u32) -> Result<()> {
        match self {
            Self::Stepper { stepper, logits } => logits.copy_from_slice(stepper.step(id)?),
            Self::Model { model, state, logits, device } => {
                (*logits, *state) = next(model, &[id], Some(state), device)?;
            }
        }
        Ok(())
    }
}

/// The logits of the token after `ids`, and the state there.
fn next(
    model: &LanguageModel,
    ids: &[u32],
    state: Option<&State>,
    device: &Device,
) -> Result<(Vec<f32>, State)> {
    let ids = Tensor::from_slice(ids, (1, ids.len()), device)?;
    let (logits, state) = model.forward(&ids, state)?; // (1, T, V)
    let last = logits.get(0)?.get(logits.dim(1)? - 1)?;
    Ok((last.to_dtype(DType::F32)?.to_vec1()?, state.detach()))
}

/// Draws tokens, in room that it keeps.
struct Draw<'a> {
    config: &'a GenerateConfig,
    unknown: usize,
    order: Vec<u32>,
    weights: Vec<f64>,
}

impl<'a> Draw<'a> {
    fn new(config: &'a GenerateConfig, unknown: u32) -> Self {
        Self { config, unknown: unknown as usize, order: Vec::new(), weights: Vec::new() }
    }

    fn next(&mut self, logits: &mut [f32], rng: &mut Rng) -> Result<u32> {
        let Self { config, unknown, order, weights } = self;
        if let Some(bad) = logits.iter().find(|l| !l.is_finite()) {
            return Err(candle_core::Error::Msg(format!("generate: the model gives the score {bad}")).into());
        }
        if let Some(unknown) = logits.get_mut(*unknown) {
            *unknown = f32::NEG_INFINITY;
        }
        // Likeliest first, and the lower id first among equals, so that nothing depends on the sort.
        order.clear();
        order.extend(0..logits.len() as u32);
        let logit = |id: u32| f64::from(logits[id as usize]);
        order.sort_unstable_by(|&a, &b| logit(b).total_cmp(&logit(a)).then(a.cmp(&b)));
        if config.temperature == 0.0 {
            return Ok(order[0]);
        }
        order.truncate(config.top_k.unwrap_or(order.len()));
        let top = logit(order[0]);
        weights.clear();
        weights.extend(order.iter().map(|&id| ((logit(id) - top) / config.temperature).exp()));
        let mut left = rng.uniform() * weights.iter().sum::<f64>();
        for (&id, weight) in order.iter().zip(&*weights) {
            left -= weight;
            if left < 0.0 {
                return Ok(id);
            }
        }
        // Rounding can leave a hair; the likeliest takes it.
        Ok(order[0])
    }
}
