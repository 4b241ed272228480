use crate::Embedding;
use crate::config::LstmConfig;
use crate::lstm_sequence::{LstmCell, LstmNorm, LstmSide, Zoneout, lstm_layer};
use crate::rows::SequenceInput;
use crate::stack::{Norms, Stack, Weights, lend};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::numbers;
use gdl_kernels::rng::SharedRng;

/// The state of an [`Lstm`] between two calls.
#[derive(Debug, Clone)]
pub struct LstmState {
    /// Hidden state (layers * directions, N, P), where P is H but for a projection.
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
        Ok(Self {
            h: Tensor::zeros((layers, n, config.output_size()), dtype, device)?,
            c: Tensor::zeros((layers, n, config.hidden_size), dtype, device)?,
        })
    }

    /// The same values, cut off from the graph: what truncated backpropagation through time carries on.
    pub fn detach(&self) -> Self {
        Self { h: self.h.detach(), c: self.c.detach() }
    }
}

/// Weights and bias of the gates of one layer.
pub(crate) type LstmLayer<'a> = (&'a Weights, Option<Tensor>);

/// A stack of long short-term memory layers.
///
/// Every layer computes [`lstm_sequence`](crate::lstm_sequence) over its input, in one direction or both;
/// in training, dropout acts between layers (not on the input, nor on the output of the last). [`LstmConfig`] has the
/// options.
///
/// # Shape
///
/// Input (N, T, `input_size`); output (N, T, P * directions), forward direction first; state h
/// (layers * directions, N, P) and c (layers * directions, N, H) in the order l0, l0_reverse, l1, ... P is H but for a
/// projection.
///
/// # Parameters
///
/// For layer k, and once more with the suffix `_reverse` when bidirectional; U(-1/sqrt(H), 1/sqrt(H)) but for the
/// norms, which start as 1 and 0:
///
/// | key | shape |
/// | --- | --- |
/// | `weight_ih_l{k}` | (4H, `input_size` or P * directions), gates in the order i, f, g, o |
/// | `weight_hh_l{k}` | (4H, P) |
/// | `bias_ih_l{k}`, `bias_hh_l{k}` | (4H), if `bias` and not `layer_norm` |
/// | `weight_hr_l{k}` | (P, H), if `proj_size` |
/// | `norm_ih_l{k}`, `norm_hh_l{k}` | `.weight`, `.bias` (4H), if `layer_norm` |
/// | `norm_c_l{k}` | `.weight`, `.bias` (H), if `layer_norm` |
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
/// `torch.nn.LSTM`; for what that has not, the papers that [`LstmConfig`] and [`LstmCell`] name.
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
    /// When a size is 0, a probability is not in [0, 1), the projection is not below H, or a weight is missing or wrongly shaped.
    pub fn new(config: &LstmConfig, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { config: config.clone(), stack: Stack::new(config.shape(), vb)? })
    }

    /// Gives the layer the generator that dropout, weight drop and zoneout draw from; training with any of them needs
    /// one.
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
        self.run(&SequenceInput::Vectors(x), None, state, false)
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
        state: Option<&LstmState>,
        train: bool,
    ) -> Result<(Tensor, LstmState)> {
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
        state: Option<&LstmState>,
        train: bool,
    ) -> Result<(Tensor, LstmState)> {
        self.run(&SequenceInput::Tokens { table: table.weight(), ids }, None, state, train)
    }

    /// Weights and bias of each layer, if every one is a plain cell in one direction.
    pub(crate) fn plain_layers(&self) -> Result<Option<Vec<LstmLayer<'_>>>> {
        let LstmConfig { proj_size, layer_norm, zoneout_h, zoneout_c, .. } = self.config;
        if self.config.bidirectional || proj_size > 0 || layer_norm || zoneout_h > 0. || zoneout_c > 0. {
            return Ok(None);
        }
        let layers = self.stack.weights().iter().map(|w| Ok((w, self.bias(w)?)));
        layers.collect::<Result<_>>().map(Some)
    }

    /// What is added to the gates, if anything is.
    fn bias(&self, weights: &Weights) -> Result<Option<Tensor>> {
        let bias = weights.bias(4 * self.config.hidden_size)?;
        if self.config.forget_bias == 0. || weights.norms.is_some() {
            return Ok(bias);
        }
        let forget = self.forget_bias(&weights.w_hh)?;
        Ok(Some(match bias {
            Some(bias) => (bias + forget)?,
            None => forget,
        }))
    }

    /// (0, `forget_bias`, 0, 0) for the four gates, of the type of `like`.
    fn forget_bias(&self, like: &Tensor) -> Result<Tensor> {
        let h = self.config.hidden_size;
        let values = [vec![0f64; h], vec![self.config.forget_bias; h], vec![0.; 2 * h]].concat();
        numbers(values, 4 * h, like.dtype(), like.device())
    }

    fn run(
        &self,
        input: &SequenceInput<'_>,
        lengths: Option<&[usize]>,
        state: Option<&LstmState>,
        train: bool,
    ) -> Result<(Tensor, LstmState)> {
        let n = self.stack.check_input(input, lengths)?;
        let (dtype, device) = (input.dtype(), input.tensor().device());
        let state = match state {
            Some(state) => state.clone(),
            None => LstmState::zeros(&self.config, n, dtype, device)?,
        };
        self.stack.check_state("h", &state.h, n, self.config.output_size())?;
        self.stack.check_state("c", &state.c, n, self.config.hidden_size)?;
        let (mut hs, mut cs) = (Vec::new(), Vec::new());
        let output = self.stack.run(input, train, |first, weights, input| {
            let extras = weights.iter().map(|w| self.extras(w, input, train)).collect::<Result<Vec<_>>>()?;
            let sides = weights.iter().zip(&extras).enumerate().map(|(k, (weights, extras))| {
                let (h0, c0) = (state.h.get(first + k)?, state.c.get(first + k)?);
                Ok(LstmSide { cell: extras.cell(weights), h0, c0, reverse: k == 1 })
            });
            let (output, finals) = lstm_layer(input, &sides.collect::<Result<Vec<_>>>()?, lengths)?;
            for (h, c) in finals {
                hs.push(h);
                cs.push(c);
            }
            Ok(output)
        })?;
        Ok((output, LstmState { h: Tensor::stack(&hs, 0)?, c: Tensor::stack(&cs, 0)? }))
    }

    /// What a call computes or draws for one direction of a layer.
    fn extras(&self, weights: &Weights, input: &SequenceInput<'_>, train: bool) -> Result<Extras> {
        let LstmConfig { hidden_size: h, forget_bias, zoneout_h, zoneout_c, .. } = self.config;
        let mut norms = weights.norms.clone();
        if let Some(norms) = &mut norms
            && forget_bias != 0.
        {
            // After the normalisation, which would take it off again.
            norms.ih.1 = (&norms.ih.1 + self.forget_bias(&norms.ih.1)?)?;
        }
        let kept = match zoneout_h > 0. || zoneout_c > 0. {
            true => Some((
                self.kept("zoneout_h", zoneout_h, self.config.output_size(), input, train)?,
                self.kept("zoneout_c", zoneout_c, h, input, train)?,
            )),
            false => None,
        };
        Ok(Extras { bias: self.bias(weights)?, norms, kept })
    }

    /// How much of every element is kept in zoneout.
    fn kept(
        &self,
        name: &str,
        probability: f64,
        features: usize,
        input: &SequenceInput<'_>,
        train: bool,
    ) -> Result<Tensor> {
        let (n, t, _) = input.dims()?;
        let (dtype, device) = (input.dtype(), input.tensor().device());
        if !train {
            return numbers(vec![probability; n * t * features], (n, t, features), dtype, device);
        }
        let rng = self.stack.rng(name, probability)?;
        let kept = rng.rand((n, t, features), 0., 1., DType::F64, &Device::Cpu)?.lt(probability)?;
        kept.to_dtype(dtype)?.to_device(device)
    }
}

/// What one call computes or draws beside the weights of one direction.
struct Extras {
    bias: Option<Tensor>,
    norms: Option<Norms>,
    kept: Option<(Tensor, Tensor)>,
}

impl Extras {
    fn cell<'a>(&'a self, weights: &'a Weights) -> LstmCell<'a> {
        let norm =
            |norms: &'a Norms| LstmNorm { ih: lend(&norms.ih), hh: lend(&norms.hh), c: lend(&norms.c) };
        LstmCell {
            w_ih: &weights.w_ih,
            w_hh: &weights.w_hh,
            bias: self.bias.as_ref(),
            w_hr: weights.w_hr.as_ref(),
            norm: self.norms.as_ref().map(norm),
            zoneout: self.kept.as_ref().map(|(h, c)| Zoneout { h, c }),
        }
    }
}
