use crate::{Error, LanguageModel, Level, Result, State, Tokenizer};
use candle_core::{DType, Device, Tensor};
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
    let (mut logits, mut state) = next(model, &prompt, None, device)?;
    for step in 0..config.length {
        let id = draw(&mut logits, config, tokenizer.unknown(), &mut rng)?;
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
            (logits, state) = next(model, &[id], Some(&state), device)?;
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

fn draw(logits: &mut [f32], config: &GenerateConfig, unknown: u32, rng: &mut Rng) -> Result<u32> {
    if let Some(bad) = logits.iter().find(|l| !l.is_finite()) {
        return Err(candle_core::Error::Msg(format!("generate: the model gives the score {bad}")).into());
    }
    if let Some(unknown) = logits.get_mut(unknown as usize) {
        *unknown = f32::NEG_INFINITY;
    }
    // Likeliest first, and the lower id first among equals, so that nothing depends on the sort.
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let logit = |id: u32| f64::from(logits[id as usize]);
    order.sort_unstable_by(|&a, &b| logit(b).total_cmp(&logit(a)).then(a.cmp(&b)));
    if config.temperature == 0.0 {
        return Ok(order[0]);
    }
    order.truncate(config.top_k.unwrap_or(order.len()));
    let top = logit(order[0]);
    let weights: Vec<f64> = order.iter().map(|&id| ((logit(id) - top) / config.temperature).exp()).collect();
    let mut left = rng.uniform() * weights.iter().sum::<f64>();
    for (&id, weight) in order.iter().zip(&weights) {
        left -= weight;
        if left < 0.0 {
            return Ok(id);
        }
    }
    // Rounding can leave a hair; the likeliest takes it.
    Ok(order[0])
}
