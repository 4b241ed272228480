use crate::tokens::Encoded;
use crate::{Error, LanguageModel, Result, Tokens};
use candle_core::{Device, Tensor};
use gdl_kernels::read_one;
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

/// Scores a text: up to 16 contiguous streams side by side, each read to its end with
/// its state carried on. The first token of each stream and fewer than 16 at the end are not predicted.
pub(crate) fn evaluate(
    model: &LanguageModel,
    text: &Encoded,
    origin: &str,
    device: &Device,
) -> Result<EvalReport> {
    let all = text.scorable(origin)?;
    let streams = ((all.len() - 1) / STREAM).clamp(1, STREAMS);
    let length = (all.len() - 1) / streams;
    let (mut total, mut state) = (0.0, None);
    for start in (0..length).step_by(SEQ) {
        let t = SEQ.min(length - start);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for b in 0..streams {
            let at = b * length + start;
            let row = all.read(at..at + t + 1)?;
            inputs.extend_from_slice(&row[..t]);
            targets.extend_from_slice(&row[1..]);
        }
        let tensor = |ids| Tensor::from_vec(ids, (streams, t), device);
        let (loss, next) = model.loss(&tensor(inputs)?, &tensor(targets)?, state.as_ref(), false)?;
        total += read_one(&loss)? * (streams * t) as f64;
        state = Some(next.detach());
    }
    let tokens = streams * length;
    Ok(text.report(total / tokens as f64, tokens))
}

impl Encoded {
    /// Its tokens, if there are enough to predict one.
    pub(crate) fn scorable(&self, origin: &str) -> Result<&Tokens> {
        match self.tokens.len() {
            have @ (0 | 1) => Err(Error::NothingToScore { origin: origin.into(), have }),
            _ => Ok(&self.tokens),
        }
    }

    /// The figures of a mean loss over so many of them.
    pub(crate) fn report(&self, loss: f64, tokens: usize) -> EvalReport {
        EvalReport {
            tokens,
            unknown: self.unknown,
            loss,
            perplexity: loss.exp(),
            bits_per_char: bits_per_char(loss, self.tokens.len(), self.chars),
        }
    }
}

/// Nats per token as bits per character.
pub(crate) fn bits_per_char(loss: f64, tokens: usize, chars: usize) -> f64 {
    loss / std::f64::consts::LN_2 * tokens as f64 / chars.max(1) as f64
}
