use super::{StackShape, one, yes};
use serde::{Deserialize, Serialize};

/// What a [`Lstm`](crate::Lstm) is made of.
///
/// ```
/// let config = gdl_rnn::LstmConfig::new(64, 128).num_layers(2).dropout(0.3);
/// assert_eq!(config.hidden_size, 128);
/// assert!(config.bias && !config.bidirectional);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmConfig {
    /// Features of one input step.
    pub input_size: usize,
    /// Features H of the hidden and of the cell state.
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
    /// Whether there are `bias_ih` and `bias_hh`; with `layer_norm` there are none, its shifts do their job. Default
    /// true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Features P that every output is projected to (`proj_size` of `torch.nn.LSTM`), below H; 0 for no projection.
    /// Default 0.
    #[serde(default)]
    pub proj_size: usize,
    /// Added to the forget gate before its sigmoid; the weights do not contain it. Jozefowicz et al. 2015 recommend 1.
    /// Default 0.
    #[serde(default)]
    pub forget_bias: f64,
    /// Whether the cell normalises its gates and its state ([`LstmNorm`](crate::LstmNorm)). Default false.
    #[serde(default)]
    pub layer_norm: bool,
    /// Probability that an element of h keeps its value from the step before ([`Zoneout`](crate::Zoneout)), in
    /// training; outside it that much of the old value is kept. Default 0.
    #[serde(default)]
    pub zoneout_h: f64,
    /// The same for the cell state. Default 0.
    #[serde(default)]
    pub zoneout_c: f64,
    /// Probability of dropping a weight of `weight_hh`, drawn once per call, in training (weight drop, Merity et al.
    /// 2017, <https://arxiv.org/abs/1708.02182>). Default 0.
    #[serde(default)]
    pub weight_drop: f64,
    /// Whether `dropout` drops the same features of a row at every step (variational or locked dropout, Gal and
    /// Ghahramani 2015, <https://arxiv.org/abs/1512.05287>). Default false.
    #[serde(default)]
    pub locked_dropout: bool,
}

impl LstmConfig {
    /// One layer, one direction, with biases, without dropout.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bidirectional: false,
            dropout: 0.,
            bias: true,
            proj_size: 0,
            forget_bias: 0.,
            layer_norm: false,
            zoneout_h: 0.,
            zoneout_c: 0.,
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

    /// Sets the features of the projection; 0 for none.
    pub fn proj_size(mut self, proj_size: usize) -> Self {
        self.proj_size = proj_size;
        self
    }

    /// Sets what is added to the forget gate.
    pub fn forget_bias(mut self, forget_bias: f64) -> Self {
        self.forget_bias = forget_bias;
        self
    }

    /// Sets whether the cell normalises its gates and its state.
    pub fn layer_norm(mut self, layer_norm: bool) -> Self {
        self.layer_norm = layer_norm;
        self
    }

    /// Sets the probabilities that an element of h, and of c, keeps its value.
    pub fn zoneout(mut self, h: f64, c: f64) -> Self {
        (self.zoneout_h, self.zoneout_c) = (h, c);
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

    /// Features P of an output of one direction: `proj_size`, or H without a projection.
    pub fn output_size(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    pub(crate) fn shape(&self) -> StackShape {
        StackShape {
            layer: "Lstm",
            gates: 4,
            input_size: self.input_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            directions: 1 + usize::from(self.bidirectional),
            dropout: self.dropout,
            locked: self.locked_dropout,
            weight_drop: self.weight_drop,
            bias: self.bias && !self.layer_norm,
            proj_size: self.proj_size,
            norms: self.layer_norm,
            zoneout: [self.zoneout_h, self.zoneout_c],
        }
    }
}
