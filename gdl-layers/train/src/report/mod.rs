//! What a training shows of itself: one HTML page, and [`RunLog`], which writes it together with the metrics.

mod outline;
mod page;
#[cfg(feature = "files")]
mod run_log;

pub use outline::{Chart, Outline, ReportOptions};
pub use page::Page;
#[cfg(feature = "files")]
pub use {
    crate::events::Picture,
    run_log::{RunLog, Sample, sample_path},
};
