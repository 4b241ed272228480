//! How near written texts come to references, one reference to each text.
//!
//! [`Scores`] has the usual figures of an evaluation at once; each is also a function of its own. BLEU, chrF
//! and ROUGE are on the scale 0 to 100 of the programs that they are compared by, shares and F1 of tags on 0
//! to 1. Everywhere the list of texts must be as long as that of references and not empty; a single text or
//! reference may be empty.

mod bleu;
mod bleu_tokens;
mod chrf;
mod overlap;
mod pairs;
mod rouge;
mod rows;
mod scores;
mod tags;

pub use bleu::{Bleu, bleu, bleu_with, sentence_bleu};
pub use bleu_tokens::BleuTokens;
pub use chrf::{chrf, chrf_with};
pub use rouge::{Rouge, RougeTokens, rouge, rouge_with};
pub use rows::{exact_match, token_accuracy};
pub use scores::Scores;
pub use tags::{SpanScores, TagScores, span_f1, tag_f1};
