//! Writing: one text as it comes, many side by side, the likeliest, or one chosen by hand.

mod beams;
mod config;
#[cfg(feature = "files")]
mod files;
mod prompt;
mod reader;
mod samples;
mod session;
mod writer;

pub use beams::Likely;
pub use config::GenerateConfig;
pub use prompt::Prompt;
pub use samples::Sample;
pub use session::{Choice, Session};
pub use writer::Writer;
