//! From scores to tokens: what a decoder does with the logits of a language model or of a sequence-to-sequence model.
//!
//! Nothing here knows a network. A [`Sampler`] is made once from a [`SamplingConfig`] and a [`Vocabulary`]; each text that
//! is written keeps a [`Draws`], which takes logits and gives tokens. [`beam_search`] looks for the likeliest texts instead of
//! drawing them.
//!
//! # Order
//! What is turned on acts in this order, each on what the one before has left; all but the ban of the unknown token is off
//! by default:
//!
//! 1. logit bias;
//! 2. bans: of the unknown token, of named tokens;
//! 3. the pattern;
//! 4. repetition penalty, then frequency and presence penalty;
//! 5. DRY;
//! 6. no-repeat n-grams;
//! 7. temperature;
//! 8. top-k, top-p, min-p, typical: each on the probabilities of those left, scaled to a sum of 1.
//!
//! Steps 1 to 6 change or ban scores, and are what beam search sees; 7 and 8 are for drawing. Where a text has an end token, it is banned before the text has its least length. This is the order of Hugging
//! Face `transformers`; llama.cpp divides by the temperature last.
//!
//! # Example
//! ```
//! use gdl_text::sampling::{Sampler, SamplingConfig};
//! use gdl_text::{Level, Tokenizer, TokenizerConfig};
//! use gdl_train::Rng;
//!
//! let tokenizer = Tokenizer::train("abc", &TokenizerConfig::new(Level::Char))?;
//! let config = SamplingConfig { top_p: Some(0.9), no_repeat_ngram: Some(1), ..SamplingConfig::new(1.0) };
//! let sampler = Sampler::new(&config, None, &tokenizer)?;
//! let mut draws = sampler.start(&[], 0, Rng::seed(1), usize::MAX)?;
//! let logits = [0.0, 5.0, 1.0, 0.0]; // of <unk>, a, b, c
//! assert_eq!(draws.next(&logits)?, Some(1));
//! assert_eq!(draws.next(&logits)?, Some(2), "no token comes twice");
//! # Ok::<(), gdl_text::Error>(())
//! ```

mod beam;
mod bias;
mod config;
mod draws;
mod dry;
mod ngram;
mod past;
mod pattern;
mod penalties;
mod ranked;
mod sampler;
mod stop;
mod vocabulary;

pub use beam::{BeamConfig, BeamSearch, Found, LengthPenalty, beam_search};
pub use config::{DryConfig, SamplingConfig};
pub use draws::{Candidate, Draws};
pub use pattern::Pattern;
pub use sampler::Sampler;
pub use stop::Stops;
pub use vocabulary::Vocabulary;

/// The logarithm of the sum of the exponentials, in f64.
pub(crate) fn log_sum_exp(logits: &[f32]) -> f64 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    top + logits.iter().map(|&l| (f64::from(l) - top).exp()).sum::<f64>().ln()
}

/// The natural logarithm of the probability that these logits give a token, before anything else acts on them.
pub fn log_prob(logits: &[f32], token: u32) -> f64 {
    logits.get(token as usize).map_or(f64::NEG_INFINITY, |&l| f64::from(l) - log_sum_exp(logits))
}
