use super::layers::Output;
use super::{Cell, ModelConfig};
use crate::State;
use candle_core::{D, Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_rnn::{Embedding, Lstm, LstmConfig};
use serde::{Deserialize, Serialize};

/// That a model reads the last tokens anew before each token, and scores by an attention over them, as textgenrnn does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Tokens that are read, of which those before the start of the text are the unknown token; 40 in textgenrnn.
    pub length: usize,
    /// Whether gates are `clip(0.2 x + 0.5, 0, 1)`, as in Keras once, instead of `1 / (1 + exp(-x))`. Default false.
    #[serde(default)]
    pub hard_sigmoid: bool,
    /// The token that every text begins with: what was before it is not seen. Default: there is none.
    #[serde(default)]
    pub start: Option<u32>,
}

/// Rows that are read side by side.
const CHUNK: usize = 256;
/// Keras' smallest difference, which is in the attention's denominator.
const EPSILON: f64 = 1e-7;

/// LSTM layers over a window of tokens, and the mean of what they and the vectors gave there, weighted by an attention; for inference.
#[derive(Debug, Clone)]
pub(super) struct Windowed {
    window: Window,
    layers: Vec<Layer>,
    attention: Tensor,
}

#[derive(Debug, Clone)]
enum Layer {
    Logistic(Box<Lstm>),
    Hard(HardLstm),
}

impl Windowed {
    pub(super) fn new(config: &ModelConfig, window: Window, vb: &VarBuilder<'_>) -> Result<Self> {
        let &ModelConfig { cell, embedding, hidden, layers, tied, .. } = config;
        if cell != Cell::Lstm || tied || window.length == 0 {
            bail!(
                "LanguageModel: a window of tokens goes with LSTM layers and scores of their own, and is not empty"
            );
        }
        let layer = |k: usize| {
            let (inputs, vb) = (if k == 0 { embedding } else { hidden }, vb.pp("rnns").pp(k));
            Ok(match window.hard_sigmoid {
                false => Layer::Logistic(Box::new(Lstm::new(&LstmConfig::new(inputs, hidden), vb)?)),
                true => Layer::Hard(HardLstm::new(inputs, hidden, &vb)?),
            })
        };
        let layers = (0..layers).map(layer).collect::<Result<_>>()?;
        Ok(Self { window, layers, attention: vb.get(config.outputs(), "attention.weight")? })
    }

    pub(super) fn forward(
        &self,
        table: &Embedding,
        ids: &Tensor,
        state: Option<&State>,
        train: bool,
    ) -> Result<(Output, State)> {
        if train {
            bail!(
                "LanguageModel: a model that reads a window of tokens writes and scores, and is not trained here"
            );
        }
        let ((n, t), length) = (ids.dims2()?, self.window.length);
        let mut last: Vec<Vec<u32>> = match state {
            Some(State::Window(tokens)) if tokens.dims() == [n, length] => tokens.to_vec2()?,
            None => {
                let mut window = vec![0; length];
                window[length - 1] = self.window.start.unwrap_or(0);
                vec![window; n]
            }
            _ => bail!("LanguageModel: the state is that of another model"),
        };
        let mut windows = Vec::with_capacity(n * t * length);
        for (window, row) in last.iter_mut().zip(ids.to_vec2::<u32>()?) {
            for id in row {
                if self.window.start == Some(id) {
                    window.fill(0);
                }
                window.rotate_left(1);
                window[length - 1] = id;
                windows.extend_from_slice(window);
            }
        }
        let read = |rows: &[u32]| {
            self.read(table, &Tensor::from_slice(rows, (rows.len() / length, length), ids.device())?)
        };
        let features = windows.chunks(CHUNK * length).map(read).collect::<Result<Vec<_>>>()?;
        let raw = Tensor::cat(&features, 0)?.reshape((n, t, ()))?; // (N, T, F)
        Ok((Output { dropped: raw.clone(), raw }, State::Window(Tensor::new(last, ids.device())?)))
    }

    /// What tokens are scored by after each window (R, L): (R, F).
    fn read(&self, table: &Embedding, windows: &Tensor) -> Result<Tensor> {
        let mut all = vec![table.forward(windows)?]; // (R, L, E)
        for layer in &self.layers {
            let below = &all[all.len() - 1];
            let above = match layer {
                Layer::Logistic(lstm) => lstm.forward(below, None)?.0,
                Layer::Hard(lstm) => lstm.forward(below)?,
            };
            all.push(above); // (R, L, H)
        }
        let all = Tensor::cat(&all, 2)?; // (R, L, F)
        let scores = all.broadcast_mul(&self.attention)?.sum(2)?; // (R, L)
        let weights = scores.broadcast_sub(&scores.max_keepdim(1)?)?.exp()?;
        let weights = weights.broadcast_div(&(weights.sum_keepdim(1)? + EPSILON)?)?;
        weights.unsqueeze(1)?.matmul(&all)?.squeeze(1)
    }
}

/// An LSTM layer whose gates are `clip(0.2 x + 0.5, 0, 1)`, composed of plain operators.
#[derive(Debug, Clone)]
struct HardLstm {
    /// (E, 4H) and (H, 4H), gates in the order i, f, g, o.
    input: Tensor,
    hidden: Tensor,
    /// (4H)
    bias: Tensor,
}

impl HardLstm {
    fn new(inputs: usize, hidden: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let bias = (vb.get(4 * hidden, "bias_ih_l0")? + vb.get(4 * hidden, "bias_hh_l0")?)?;
        let matrix = |features: usize, name| vb.get((4 * hidden, features), name)?.t()?.contiguous();
        Ok(Self { input: matrix(inputs, "weight_ih_l0")?, hidden: matrix(hidden, "weight_hh_l0")?, bias })
    }

    /// (R, L, E) to (R, L, H), from a state of zeros.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, length, inputs) = x.dims3()?;
        let inputs = x.contiguous()?.reshape((rows * length, inputs))?.matmul(&self.input)?;
        let inputs = inputs.broadcast_add(&self.bias)?.reshape((rows, length, ()))?; // (R, L, 4H)
        let mut h = Tensor::zeros((rows, self.hidden.dim(0)?), x.dtype(), x.device())?;
        let (mut c, mut all) = (h.clone(), Vec::with_capacity(length));
        for t in 0..length {
            let gates = (inputs.narrow(1, t, 1)?.squeeze(1)? + h.matmul(&self.hidden)?)?;
            let gates = gates.chunk(4, D::Minus1)?;
            let hard = |gate: &Tensor| gate.affine(0.2, 0.5)?.clamp(0f32, 1f32);
            c = ((hard(&gates[1])? * &c)? + (hard(&gates[0])? * gates[2].tanh()?)?)?;
            h = (hard(&gates[3])? * c.tanh()?)?;
            all.push(h.clone());
        }
        Tensor::stack(&all, 1)
    }
}
