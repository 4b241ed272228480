use gdl_kernels::{Activation, init::InitScheme};
use serde::{Deserialize, Serialize};

/// What a [`BatchNorm2d`](crate::BatchNorm2d) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNormConfig {
    /// Channels of the input.
    pub channels: usize,
    /// The number that keeps the division finite; 1e-5 by default.
    #[serde(default = "eps")]
    pub eps: f64,
    /// The share of a batch's statistics in the running ones; 0.1 by default.
    #[serde(default = "momentum")]
    pub momentum: f64,
    /// The activation applied to the result; none by default.
    #[serde(default)]
    pub activation: Activation,
    /// The scheme of the network's convolutions, of which the scale takes its part
    /// ([`InitScheme::norm_scale`]); PyTorch's own by default, 1 everywhere.
    #[serde(default)]
    pub init: InitScheme,
}

fn eps() -> f64 {
    1e-5
}

fn momentum() -> f64 {
    0.1
}

impl BatchNormConfig {
    /// PyTorch's `BatchNorm2d(channels)`: scale 1 and shift 0, both learnt; `eps` 1e-5; momentum 0.1; no activation.
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            eps: eps(),
            momentum: momentum(),
            activation: Activation::Identity,
            init: InitScheme::PyTorch,
        }
    }

    /// Sets `eps`.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the share of a batch's statistics in the running ones.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the activation.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets how the scale starts.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}

/// Which norm a network has, by its name in the reference implementation (`--norm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Each channel of each image by itself, without learnt parameters; the default.
    #[default]
    Instance,
    /// Each channel of the batch, with learnt scale and shift, and running statistics for inference.
    Batch,
    /// Each channel of each image by itself, with learnt scale and shift: what [`Batch`](Self::Batch) computes in training on
    /// batches of one image.
    InstanceAffine,
    /// No norm.
    None,
    /// Instance norm as of Keras-contrib, which adds 1e-3 to the deviation: that of the book's networks, not the reference's.
    Keras,
}

impl NormKind {
    /// Whether a convolution before this norm has a bias: only before instance norm, as in the reference implementation (and in
    /// Keras always).
    pub fn conv_bias(self) -> bool {
        matches!(self, Self::Instance | Self::Keras)
    }
}

/// What a [`Norm2d`](crate::Norm2d) looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormConfig {
    /// Which norm; instance norm by default.
    #[serde(default)]
    pub kind: NormKind,
    /// Channels of the input.
    pub channels: usize,
    /// The activation applied to the result; none by default.
    #[serde(default)]
    pub activation: Activation,
    /// The scheme of the network's convolutions, of which batch norm's scale takes its part; PyTorch's own by default.
    #[serde(default)]
    pub init: InitScheme,
}

impl NormConfig {
    /// That norm, without activation.
    pub fn new(kind: NormKind, channels: usize) -> Self {
        Self { kind, channels, activation: Activation::Identity, init: InitScheme::PyTorch }
    }

    /// Sets the activation.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets how batch norm's scale starts.
    pub fn init(mut self, init: InitScheme) -> Self {
        self.init = init;
        self
    }
}
