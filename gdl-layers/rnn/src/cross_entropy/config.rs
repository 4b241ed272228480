use serde::{Deserialize, Serialize};

/// What a cross-entropy counts. By default every target, sharply.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// A target that does not count, such as padding. Default: none.
    pub ignore_index: Option<u32>,
    /// Probability, in [0, 1], that is taken from the target and spread evenly over all V tokens (Szegedy et al. 2015,
    /// <https://arxiv.org/abs/1512.00567>, section 7). Default 0.
    pub label_smoothing: f64,
}
