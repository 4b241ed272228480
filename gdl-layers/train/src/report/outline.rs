use serde::{Deserialize, Serialize};

/// What a training writes beside its weights and `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportOptions {
    /// The page `index.html`; yes by default.
    pub html: bool,
    /// TensorBoard's event files in `tensorboard/`; yes by default.
    pub tensorboard: bool,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { html: true, tensorboard: true }
    }
}

/// What the report of a kind of training is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// What is trained, for the title: "CycleGAN".
    pub name: String,
    /// What throughput counts: "pictures". It is logged as `pictures_per_second`.
    pub unit: String,
    /// How many of those a step takes.
    pub per_step: f64,
    /// The charts, in order. A metric that none of them names gets one of its own behind them.
    pub charts: Vec<Chart>,
    /// The names of the columns of a sheet of samples, where there are sheets.
    pub columns: Vec<&'static str>,
}

/// A chart of one or several metrics by step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// Its title.
    pub title: String,
    /// The metrics, each with its name in the legend.
    pub lines: Vec<(&'static str, &'static str)>,
    /// Whether a moving average is drawn over lines of many points.
    pub smooth: bool,
}

impl Chart {
    /// A chart of noisy metrics: pairs of the metric and its name in the legend.
    pub fn new(title: impl Into<String>, lines: &[(&'static str, &'static str)]) -> Self {
        Self { title: title.into(), lines: lines.to_vec(), smooth: true }
    }

    /// A chart of one metric as it is.
    pub fn exact(title: impl Into<String>, metric: &'static str) -> Self {
        Self { title: title.into(), lines: vec![(metric, "")], smooth: false }
    }
}
