//! What a training shows of itself: one HTML page, and [`RunLog`], which writes it together with the metrics.

mod history;
mod outline;
mod page;
mod run_log;
mod samples;
mod words;

pub use crate::events::Picture;
pub use outline::{Chart, Outline, ReportOptions};
pub use page::Page;
pub use run_log::RunLog;
pub use samples::{Sample, sample_path};
