use crate::config::LstmConfig;
use crate::lstm_sequence;
use crate::stack::Stack;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;

/// The state of an [`Lstm`] between two calls.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// Hidden state (layers * directions, N, H).
    pub h: Tensor,
    /// Cell state (layers * directions, N, H).
    pub c: Tensor,
}

impl LstmState {
    /// The state all zeros for a batch of `n` rows, which is also what a missing state means.
    ///
    /// # Errors
    ///
    /// When the device cannot allocate.
    pub fn zeros(config: &LstmConfig, n: usize, dtype: DType, device: &Device) -> Result<Self> {
        let layers = config.num_layers * (1 + usize::from(config.bidirectional));
        let h = Tensor::zeros((layers, n, config.hidden_size), dtype, device)?;
        Ok(Self { c: h.clone(), h })
    }

    /// The same values, cut off from the graph: what truncated backpropagation through time carries on.
    pub fn detach(&self) -> Self {
        Self { h: self.h.detach(), c: self.c.detach() }
    }
}

/// A stack of long short-term memory layers.
///
/// Every layer computes [`lstm_sequence`](crate::lstm_sequence) over its input, in one direction or both;
/// in training, dropout acts between layers (not on the input, nor on the output of the last).
///
/// # Shape
///
/// Input (N, T, `input_size`); output (N, T, H * directions), forward direction first; state h and c
/// (layers * directions, N, H) in the order l0, l0_reverse, l1, ...
///
/// # Parameters
///
/// For layer k, and once more with the suffix `_reverse` when bidirectional; all U(-1/sqrt(H), 1/sqrt(H)):
///
/// | key | shape |
/// | --- | --- |
/// | `weight_ih_l{k}` | (4H, `input_size` or H * directions), gates in the order i, f, g, o |
/// | `weight_hh_l{k}` | (4H, H) |
/// | `bias_ih_l{k}`, `bias_hh_l{k}` | (4H), if `bias` |
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{Lstm, LstmConfig};
///
/// let dev = Device::Cpu;
/// let config = LstmConfig::new(3, 8).num_layers(2);
/// let lstm = Lstm::new(&config, candle_nn::VarBuilder::zeros(DType::F32, &dev))?;
/// let x = Tensor::zeros((4, 7, 3), DType::F32, &dev)?;
/// let (y, state) = lstm.forward(&x, None)?;
/// assert_eq!(y.dims(), [4, 7, 8]);
/// let (y, _) = lstm.forward(&x, Some(&state))?; // goes on where the first call ended
/// assert_eq!(y.dims(), [4, 7, 8]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.LSTM`, without projections.
#[derive(Debug, Clone)]
pub struct Lstm {
    config: LstmConfig,
    stack: Stack,
}

impl Lstm {
    /// Builds the layer, its weights taken from `vb`.
    ///
    /// # Errors
    ///
    /// When a size is 0, the dropout is not in [0, 1), or a weight is missing or wrongly shaped.
    pub fn new(config: &LstmConfig, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { config: config.clone(), stack: Stack::new(config.shape(), vb)? })
    }

    /// Gives the layer the generator its dropout draws from; training with dropout needs one.
    pub fn with_rng(mut self, rng: SharedRng) -> Self {
        self.stack = self.stack.with_rng(rng);
        self
    }

    /// What the layer was built from.
    pub fn config(&self) -> &LstmConfig {
        &self.config
    }

    /// Runs over a batch of sequences without dropout; without a state it starts from zeros.
    ///
    /// # Errors
    ///
    /// When the input or the state is wrongly shaped, or N or T is 0.
    pub fn forward(&self, x: &Tensor, state: Option<&LstmState>) -> Result<(Tensor, LstmState)> {
        self.run(x, None, state, false)
    }

    /// As [`forward`](Self::forward), with dropout between layers if `train`.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), and when there is dropout to do but no generator to draw from.
    pub fn forward_t(
        &self,
        x: &Tensor,
        state: Option<&LstmState>,
        train: bool,
    ) -> Result<(Tensor, LstmState)> {
        self.run(x, None, state, train)
    }

    /// As [`forward_t`](Self::forward_t) for rows of different lengths, padded at their end to the same T.
    ///
    /// Padding influences nothing: the backward direction starts at each row's own last step, the final
    /// state is the one there, and outputs beyond it are 0.
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t), and when there is not one length in 1..=T for every row.
    pub fn forward_padded(
        &self,
        x: &Tensor,
        lengths: &[usize],
        state: Option<&LstmState>,
        train: bool,
    ) -> Result<(Tensor, LstmState)> {
        self.run(x, Some(lengths), state, train)
    }

    fn run(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        state: Option<&LstmState>,
        train: bool,
    ) -> Result<(Tensor, LstmState)> {
        let n = self.stack.check_input(x, lengths)?;
        let state = match state {
            Some(state) => state.clone(),
            None => LstmState::zeros(&self.config, n, x.dtype(), x.device())?,
        };
        self.stack.check_state("h", &state.h, n)?;
        self.stack.check_state("c", &state.c, n)?;
        let (mut hs, mut cs) = (Vec::new(), Vec::new());
        let output = self.stack.run(x, lengths, train, |index, weights, x, params| {
            let bias = weights.bias(4 * self.config.hidden_size)?;
            let (h0, c0) = (state.h.get(index)?, state.c.get(index)?);
            let (output, h, c) =
                lstm_sequence(x, &weights.w_ih, &weights.w_hh, bias.as_ref(), &h0, &c0, params)?;
            hs.push(h);
            cs.push(c);
            Ok(output)
        })?;
        Ok((output, LstmState { h: Tensor::stack(&hs, 0)?, c: Tensor::stack(&cs, 0)? }))
    }
}
