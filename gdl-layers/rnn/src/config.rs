use candle_core::{Result, bail};
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
    /// Whether there are `bias_ih` and `bias_hh`. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
}

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
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

impl LstmConfig {
    /// One layer, one direction, with biases, without dropout.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self { input_size, hidden_size, num_layers: 1, bidirectional: false, dropout: 0., bias: true }
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

    pub(crate) fn shape(&self) -> StackShape {
        StackShape {
            layer: "Lstm",
            gates: 4,
            input_size: self.input_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            directions: 1 + usize::from(self.bidirectional),
            dropout: self.dropout,
            bias: self.bias,
        }
    }
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

    pub(crate) fn shape(&self) -> StackShape {
        StackShape {
            layer: "Gru",
            gates: 3,
            input_size: self.input_size,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            directions: 1 + usize::from(self.bidirectional),
            dropout: self.dropout,
            bias: self.bias,
        }
    }
}

/// What both kinds of layer have in common, and what the code they share needs to know.
#[derive(Debug, Clone)]
pub(crate) struct StackShape {
    pub(crate) layer: &'static str,
    pub(crate) gates: usize,
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_layers: usize,
    pub(crate) directions: usize,
    pub(crate) dropout: f64,
    pub(crate) bias: bool,
}

impl StackShape {
    pub(crate) fn check(&self) -> Result<()> {
        let Self { layer, input_size, hidden_size, num_layers, dropout, .. } = self;
        if *input_size == 0 || *hidden_size == 0 || *num_layers == 0 {
            bail!(
                "{layer}: input_size, hidden_size and num_layers must be at least 1, got {input_size}, \
                 {hidden_size} and {num_layers}"
            )
        }
        if !(0. ..1.).contains(dropout) {
            bail!("{layer}: dropout must be in [0, 1), got {dropout}")
        }
        Ok(())
    }
}
