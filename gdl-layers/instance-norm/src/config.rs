use gdl_kernels::Activation;
use serde::{Deserialize, Serialize};

/// Where the small number that keeps the division finite is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    /// `(x - mean) / sqrt(var + eps)`, as in PyTorch; the default.
    #[default]
    Torch,
    /// `(x - mean) / (std + eps)`, as `InstanceNormalization` of Keras-contrib.
    ///
    /// The square root in `std` has no derivative where a channel is constant. There its gradient counts as 0 here
    /// (Keras returns NaN).
    KerasContrib,
}

impl Definition {
    /// The `eps` that this definition comes with in its reference implementation: 1e-5 and 1e-3.
    pub fn default_eps(self) -> f64 {
        match self {
            Self::Torch => 1e-5,
            Self::KerasContrib => 1e-3,
        }
    }
}

/// What an [`InstanceNorm2d`](crate::InstanceNorm2d) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceNormConfig {
    /// Channels of the input.
    pub channels: usize,
    /// Whether each channel is then scaled and shifted by learnt numbers; false by default, as in PyTorch.
    #[serde(default)]
    pub affine: bool,
    /// The number that keeps the division finite; 1e-5 by default.
    #[serde(default = "default_eps")]
    pub eps: f64,
    /// Where `eps` is added; PyTorch's definition by default.
    #[serde(default)]
    pub definition: Definition,
    /// The activation applied to the result in the same pass; none by default.
    #[serde(default)]
    pub activation: Activation,
}

fn default_eps() -> f64 {
    Definition::Torch.default_eps()
}

impl InstanceNormConfig {
    /// PyTorch's `InstanceNorm2d(channels)`: nothing learnt, `eps` 1e-5, no activation.
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            affine: false,
            eps: default_eps(),
            definition: Definition::Torch,
            activation: Activation::Identity,
        }
    }

    /// Keras-contrib's `InstanceNormalization(axis, center=affine, scale=affine)`: `eps` 1e-3, added to the deviation.
    pub fn keras_contrib(channels: usize, affine: bool) -> Self {
        let definition = Definition::KerasContrib;
        Self { affine, eps: definition.default_eps(), definition, ..Self::new(channels) }
    }

    /// Sets whether there is a learnt scale and shift.
    pub fn affine(mut self, affine: bool) -> Self {
        self.affine = affine;
        self
    }

    /// Sets `eps`.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the activation.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }
}
