use crate::sampling::SamplingConfig;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateConfig {
    /// What to go on from. Default: nothing, which means the start of a line.
    pub prompt: String,
    /// How many tokens to write at most. Default 500.
    pub length: usize,
    /// How tokens are drawn. Default: at temperature 0.8.
    pub sampling: SamplingConfig,
    /// Texts that end what is written, which does not contain them; looked for in what is printed, however tokens cut it.
    /// Default none.
    pub stop: Vec<String>,
    /// A regular expression that what is written matches as a whole; see [`Pattern`](crate::sampling::Pattern). A stop text
    /// may cut it short. Default none.
    pub pattern: Option<String>,
    /// What the draws come from. Default 42.
    pub seed: u64,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            length: 500,
            sampling: SamplingConfig::default(),
            stop: Vec::new(),
            pattern: None,
            seed: 42,
        }
    }
}

impl GenerateConfig {
    /// Sets the temperature.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.sampling.temperature = temperature;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.length == 0 {
            return Err(Error::setting("length", "must be at least 1, got 0"));
        }
        if self.stop.iter().any(String::is_empty) {
            return Err(Error::setting("stop", "must not be an empty text"));
        }
        self.sampling.check()
    }
}
