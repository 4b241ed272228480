use super::{StackShape, one, yes};
use serde::{Deserialize, Serialize};

/// What a [`Gru`](crate::Gru) is made of.
///
/// ```
/// let config = gdl_rnn::GruConfig::new(64, 128).bidirectional(true);
/// assert!(config.reset_after);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruConfig {
    /// Features of one input step.
    pub input_size: usize,
    /// Features H of the hidden state.
    pub hidden_size: usize,
    /// Layers on top of each other, each reading the outputs of the one below. Default 1.
    #[serde(default = "one")]
    pub num_layers: usize,
    /// Whether every layer also reads the sequence backwards; outputs then have 2H features. Default false.
    #[serde(default)]
    pub bidirectional: bool,
    /// Probability of dropping an output on its way to the next layer, in training. Default 0.
    #[serde(default)]
    pub dropout: f64,
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether the reset gate acts after the recurrent product (PyTorch, cuDNN) or before it (the paper).
    /// Default true.
    #[serde(default = "yes")]
    pub reset_after: bool,
    /// Probability of dropping a weight of `weight_hh`, drawn once per call, in training (weight drop, Merity et al.
    /// 2017, <https://arxiv.org/abs/1708.02182>). Default 0.
    #[serde(default)]
    pub weight_drop: f64,
    /// Whether `dropout` drops the same features of a row at every step (variational or locked dropout, Gal and
    /// Ghahramani 2015, <https://arxiv.org/abs/1512.05287>). Default false.
    #[serde(default)]
    pub locked_dropout: bool,
}

impl GruConfig {
    /// One layer, one direction, with biases, without dropout, the reset gate after the product.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bidirectional: false,
            dropout: 0.,
            bias: true,
            reset_after: true,
            weight_drop: 0.,
            locked_dropout: false,
        }
    }

    /// Sets the number of layers.
    pub fn num_layers(mut self, num_layers: usize) -> Self {
        self.num_layers = num_layers;
        self
    }

    /// Sets whether every layer runs in both directions.
    pub fn bidirectional(mut self, bidirectional: bool) -> Self {
        self.bidirectional = bidirectional;
        self
    }

    /// Sets the dropout between layers.
    pub fn dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Sets whether there are biases.
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets where the reset gate acts.
    pub fn reset_after(mut self, reset_after: bool) -> Self {
        self.reset_after = reset_after;
        self
    }

    /// Sets the probability of dropping a recurrent weight.
    pub fn weight_drop(mut self, weight_drop: f64) -> Self {
        self.weight_drop = weight_drop;
        self
    }

    /// Sets whether `dropout` drops the same features at every step.
    pub fn locked_dropout(mut self, locked_dropout: bool) -> Self {
        self.locked_dropout = locked_dropout;
        self
    }

    pub(crate) fn shape(&self) -> StackShape {
        StackShape {
            layer: "Gru",
            gates: 3,
            input_size: self.input_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            directions: 1 + usize::from(self.bidirectional),
            dropout: self.dropout,
            locked: self.locked_dropout,
            weight_drop: self.weight_drop,
            bias: self.bias,
            proj_size: 0,
            norms: false,
            zoneout: [0.; 2],
        }
    }
}
