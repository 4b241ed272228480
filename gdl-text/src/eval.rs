use crate::{Error, LanguageModel, Result};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

/// How well a model predicts a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalReport {
    /// Tokens scored.
    pub tokens: usize,
    /// Tokens of the text that the vocabulary does not have.
    pub unknown: usize,
    /// Mean cross-entropy per token, in nats.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// Cross-entropy per character of the text, in bits: comparable across tokenizers.
    pub bits_per_char: f64,
}

impl EvalReport {
    /// The figures under the names they have in a metrics log.
    pub fn values(&self) -> [(&'static str, f64); 3] {
        [
            ("valid_loss", self.loss),
            ("valid_perplexity", self.perplexity),
            ("valid_bits_per_char", self.bits_per_char),
        ]
    }
}

/// Tokens that a stream must have before the text is read as one stream more: so many that starting anew, which costs
/// a few nats, does not show in the mean.
const STREAM: usize = 1000;
const STREAMS: usize = 16;
/// Tokens per call. The value changes nothing in the result.
const SEQ: usize = 64;

/// Scores ids that stand for `chars` characters: up to 16 contiguous streams side by side, each read to its end with
/// its state carried on. The first token of each stream and fewer than 16 at the end are not predicted.
pub(crate) fn evaluate(
    model: &LanguageModel,
    ids: &[u32],
    chars: usize,
    origin: &str,
    device: &Device,
) -> Result<EvalReport> {
    if ids.len() < 2 {
        return Err(Error::NothingToScore { origin: origin.into(), have: ids.len() });
    }
    let streams = ((ids.len() - 1) / STREAM).clamp(1, STREAMS);
    let length = (ids.len() - 1) / streams;
    let (mut total, mut state) = (0.0, None);
    for start in (0..length).step_by(SEQ) {
        let t = SEQ.min(length - start);
        let rows = |shift: usize| {
            let row = |b: usize| &ids[b * length + start + shift..][..t];
            let rows: Vec<u32> = (0..streams).flat_map(row).copied().collect();
            Tensor::from_vec(rows, (streams, t), device)
        };
        let (loss, next) = model.loss(&rows(0)?, &rows(1)?, state.as_ref(), false)?;
        total += loss.to_dtype(DType::F64)?.to_scalar::<f64>()? * (streams * t) as f64;
        state = Some(next.detach());
    }
    let tokens = streams * length;
    Ok(report(total / tokens as f64, tokens, ids, chars))
}

/// The figures of a mean loss over so many of the ids, which stand for `chars` characters.
pub(crate) fn report(loss: f64, tokens: usize, ids: &[u32], chars: usize) -> EvalReport {
    EvalReport {
        tokens,
        unknown: ids.iter().filter(|&&id| id == 0).count(),
        loss,
        perplexity: loss.exp(),
        bits_per_char: bits_per_char(loss, ids.len(), chars),
    }
}

/// Nats per token as bits per character.
pub(crate) fn bits_per_char(loss: f64, tokens: usize, chars: usize) -> f64 {
    loss / std::f64::consts::LN_2 * tokens as f64 / chars.max(1) as f64
}
