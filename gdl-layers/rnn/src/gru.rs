use crate::Embedding;
use crate::config::GruConfig;
use crate::gru_sequence::{GruReset, GruSide, gru_layer};
use crate::rows::SequenceInput;
use crate::stack::{Stack, Weights};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;

/// The state of a [`Gru`] between two calls.
#[derive(Debug, Clone)]
pub struct GruState {
    /// Hidden state (layers * directions, N, H).
    pub h: Tensor,
}

impl GruState {
    /// The state all zeros for a batch of `n` rows, which is also what a missing state means.
    ///
    /// # Errors
    ///
    /// When the device cannot allocate.
    pub fn zeros(config: &GruConfig, n: usize, dtype: DType, device: &Device) -> Result<Self> {
        let layers = config.num_layers * (1 + usize::from(config.bidirectional));
        Ok(Self { h: Tensor::zeros((layers, n, config.hidden_size), dtype, device)? })
    }

    /// The same values, cut off from the graph: what truncated backpropagation through time carries on.
    pub fn detach(&self) -> Self {
        Self { h: self.h.detach() }
    }
}

/// Weights, bias of the gates, and b_hn of one layer.
pub(crate) type GruLayer<'a> = (&'a Weights, Option<Tensor>, Option<Tensor>);

/// A stack of gated recurrent unit layers.
///
/// Every layer computes [`gru_sequence`](crate::gru_sequence) over its input, in one direction or both;
/// in training, dropout acts between layers (not on the input, nor on the output of the last).
///
/// # Shape
///
/// Input (N, T, `input_size`); output (N, T, H * directions), forward direction first; state h
/// (layers * directions, N, H) in the order l0, l0_reverse, l1, ...
///
/// # Parameters
///
/// For layer k, and once more with the suffix `_reverse` when bidirectional; all U(-1/sqrt(H), 1/sqrt(H)):
///
/// | key | shape |
/// | --- | --- |
/// | `weight_ih_l{k}` | (3H, `input_size` or H * directions), gates in the order r, z, n |
/// | `weight_hh_l{k}` | (3H, H) |
/// | `bias_ih_l{k}`, `bias_hh_l{k}` | (3H), if `bias` |
///
/// The keys are the same for both values of `reset_after`, the functions are not: weights trained with one
/// are of no use with the other.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{Gru, GruConfig};
///
/// let dev = Device::Cpu;
/// let config = GruConfig::new(3, 8).bidirectional(true);
/// let gru = Gru::new(&config, candle_nn::VarBuilder::zeros(DType::F32, &dev))?;
/// let (y, state) = gru.forward(&Tensor::zeros((4, 7, 3), DType::F32, &dev)?, None)?;
/// assert_eq!((y.dims(), state.h.dims()), (&[4, 7, 16][..], &[2, 4, 8][..]));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// `torch.nn.GRU` for `reset_after`; Cho et al. 2014, <https://arxiv.org/abs/1406.1078>, for the other form.
#[derive(Debug, Clone)]
pub struct Gru {
    config: GruConfig,
    stack: Stack,
}

impl Gru {
    /// Builds the layer, its weights taken from `vb`.
    ///
    /// # Errors
    ///
    /// When a size is 0, a probability is not in [0, 1), or a weight is missing or wrongly shaped.
    pub fn new(config: &GruConfig, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { config: config.clone(), stack: Stack::new(config.shape(), vb)? })
    }

    /// Gives the layer the generator that dropout and weight drop draw from; training with either needs one.
    pub fn with_rng(mut self, rng: SharedRng) -> Self {
        self.stack = self.stack.with_rng(rng);
        self
    }

    /// What the layer was built from.
    pub fn config(&self) -> &GruConfig {
        &self.config
    }

    /// Runs over a batch of sequences without dropout; without a state it starts from zeros.
    ///
    /// # Errors
    ///
    /// When the input or the state is wrongly shaped, or N or T is 0.
    pub fn forward(&self, x: &Tensor, state: Option<&GruState>) -> Result<(Tensor, GruState)> {
        self.run(&SequenceInput::Vectors(x), None, state, false)
    }

    /// As [`forward`](Self::forward), with dropout between layers if `train`.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), and when there is dropout to do but no generator to draw from.
    pub fn forward_t(&self, x: &Tensor, state: Option<&GruState>, train: bool) -> Result<(Tensor, GruState)> {
        self.run(&SequenceInput::Vectors(x), None, state, train)
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
        state: Option<&GruState>,
        train: bool,
    ) -> Result<(Tensor, GruState)> {
        self.run(&SequenceInput::Vectors(x), Some(lengths), state, train)
    }

    /// As [`forward_t`](Self::forward_t) of the vectors that a table has for the tokens (N, T).
    ///
    /// Where there are more steps than tokens in the table, as with characters, the first layer's input products are
    /// computed once per token instead of once per step, and so are their gradients.
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t), and when an id is not in the table.
    pub fn forward_tokens(
        &self,
        table: &Embedding,
        ids: &Tensor,
        state: Option<&GruState>,
        train: bool,
    ) -> Result<(Tensor, GruState)> {
        self.run(&SequenceInput::Tokens { table: table.weight(), ids }, None, state, train)
    }

    /// Weights, bias of the gates, and b_hn of each layer, if they all run in one direction.
    pub(crate) fn plain_layers(&self) -> Result<Option<Vec<GruLayer<'_>>>> {
        if self.config.bidirectional {
            return Ok(None);
        }
        self.stack
            .weights()
            .iter()
            .map(|w| self.biases(w).map(|(b, b_hn)| (w, b, b_hn)))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// The bias of the gates, and b_hn, which the reset gate scales if it comes after and which can then not be added up
    /// front.
    fn biases(&self, weights: &Weights) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let size = self.config.hidden_size;
        match self.config.reset_after {
            true => Ok((weights.bias(2 * size)?, weights.b_hh_from(2 * size)?)),
            false => Ok((weights.bias(3 * size)?, None)),
        }
    }

    fn run(
        &self,
        input: &SequenceInput<'_>,
        lengths: Option<&[usize]>,
        state: Option<&GruState>,
        train: bool,
    ) -> Result<(Tensor, GruState)> {
        let n = self.stack.check_input(input, lengths)?;
        let state = match state {
            Some(state) => state.clone(),
            None => GruState::zeros(&self.config, n, input.dtype(), input.tensor().device())?,
        };
        let (size, after) = (self.config.hidden_size, self.config.reset_after);
        self.stack.check_state("h", &state.h, n, size)?;
        let mut hs = Vec::new();
        let output = self.stack.run(input, train, |first, weights, input| {
            let biases = weights.iter().map(|w| self.biases(w)).collect::<Result<Vec<_>>>()?;
            let sides = weights.iter().zip(&biases).enumerate().map(|(k, (weights, (bias, b_hn)))| {
                Ok(GruSide {
                    w_ih: &weights.w_ih,
                    w_hh: &weights.w_hh,
                    bias: bias.clone(),
                    reset: if after { GruReset::After(b_hn.as_ref()) } else { GruReset::Before },
                    h0: state.h.get(first + k)?,
                    reverse: k == 1,
                })
            });
            let (output, finals) = gru_layer(input, &sides.collect::<Result<Vec<_>>>()?, lengths)?;
            hs.extend(finals);
            Ok(output)
        })?;
        Ok((output, GruState { h: Tensor::stack(&hs, 0)? }))
    }
}
