use crate::config::StackShape;
use crate::lstm_sequence::LayerNorm;
use crate::rows::{SequenceInput, SequenceParams};
use candle_core::{D, Result, Tensor, bail};
use candle_nn::{Init, ModuleT, VarBuilder};
use gdl_kernels::init;
use gdl_kernels::rng::{Dropout, SharedRng};

/// The weights of one layer in one direction.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) w_ih: Tensor,
    pub(crate) w_hh: Tensor,
    b_ih: Option<Tensor>,
    b_hh: Option<Tensor>,
    pub(crate) w_hr: Option<Tensor>,
    pub(crate) norms: Option<Norms>,
}

/// Gains and shifts of the layer normalisations in a cell: of the input's share of the gates, of the state's, and of the
/// cell state.
#[derive(Debug, Clone)]
pub(crate) struct Norms {
    pub(crate) ih: (Tensor, Tensor),
    pub(crate) hh: (Tensor, Tensor),
    pub(crate) c: (Tensor, Tensor),
}

/// A gain and a shift, lent.
pub(crate) fn lend((weight, bias): &(Tensor, Tensor)) -> LayerNorm<'_> {
    LayerNorm { weight, bias }
}

impl Weights {
    fn new(shape: &StackShape, input_size: usize, suffix: &str, vb: &VarBuilder<'_>) -> Result<Self> {
        let StackShape { gates, hidden_size, bias, proj_size, norms: norms_wanted, .. } = *shape;
        let init = init::uniform(1. / (hidden_size as f64).sqrt());
        let rows = gates * hidden_size;
        let get = |shape: &[usize], name: &str| vb.get_with_hints(shape, &format!("{name}_{suffix}"), init);
        let norm = |size: usize, name: &str| -> Result<_> {
            let vb = vb.pp(format!("{name}_{suffix}"));
            let weight = vb.get_with_hints(size, "weight", Init::Const(1.))?;
            Ok((weight, vb.get_with_hints(size, "bias", Init::Const(0.))?))
        };
        let norms = || -> Result<_> {
            let (ih, hh) = (norm(rows, "norm_ih")?, norm(rows, "norm_hh")?);
            Ok(Norms { ih, hh, c: norm(hidden_size, "norm_c")? })
        };
        Ok(Self {
            w_ih: get(&[rows, input_size], "weight_ih")?,
            w_hh: get(&[rows, shape.outputs()], "weight_hh")?,
            b_ih: bias.then(|| get(&[rows], "bias_ih")).transpose()?,
            b_hh: bias.then(|| get(&[rows], "bias_hh")).transpose()?,
            w_hr: (proj_size > 0).then(|| get(&[proj_size, hidden_size], "weight_hr")).transpose()?,
            norms: norms_wanted.then(norms).transpose()?,
        })
    }

    /// b_ih + the first `hidden_rows` of b_hh, if there are biases.
    pub(crate) fn bias(&self, hidden_rows: usize) -> Result<Option<Tensor>> {
        let (Some(b_ih), Some(b_hh)) = (&self.b_ih, &self.b_hh) else { return Ok(None) };
        let rows = b_hh.dim(0)?;
        if hidden_rows == rows {
            return Ok(Some((b_ih + b_hh)?));
        }
        let b_hh = b_hh.narrow(0, 0, hidden_rows)?.pad_with_zeros(0, 0, rows - hidden_rows)?;
        Ok(Some((b_ih + b_hh)?))
    }

    /// The rows of b_hh that [`bias`](Self::bias) left out.
    pub(crate) fn b_hh_from(&self, row: usize) -> Result<Option<Tensor>> {
        self.b_hh.as_ref().map(|b| b.narrow(0, row, b.dim(0)? - row)).transpose()
    }
}

/// Layers and directions of a recurrent network, whatever its cell.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    shape: StackShape,
    weights: Vec<Weights>,
    rng: Option<SharedRng>,
}

impl Stack {
    pub(crate) fn new(shape: StackShape, vb: VarBuilder<'_>) -> Result<Self> {
        shape.check()?;
        let mut weights = Vec::with_capacity(shape.num_layers * shape.directions);
        for layer in 0..shape.num_layers {
            let input_size = if layer == 0 { shape.input_size } else { shape.directions * shape.outputs() };
            for suffix in ["", "_reverse"].iter().take(shape.directions) {
                weights.push(Weights::new(&shape, input_size, &format!("l{layer}{suffix}"), &vb)?);
            }
        }
        Ok(Self { shape, weights, rng: None })
    }

    pub(crate) fn with_rng(mut self, rng: SharedRng) -> Self {
        self.rng = Some(rng);
        self
    }

    /// Checks that a state of that many features, given for a batch of `n` rows, has the right shape.
    pub(crate) fn check_state(&self, name: &str, state: &Tensor, n: usize, features: usize) -> Result<()> {
        let l = self.weights.len();
        if state.dims() != [l, n, features] {
            bail!(
                "{}: expected the initial {name} (layers * directions, N, features) = ({l}, {n}, {features}), got {:?}",
                self.shape.layer,
                state.shape()
            )
        }
        Ok(())
    }

    /// The generator for what is drawn in training with `what`.
    pub(crate) fn rng(&self, what: &str, probability: f64) -> Result<SharedRng> {
        match &self.rng {
            Some(rng) => Ok(rng.clone()),
            None => bail!(
                "{}: training with {what} {probability} needs a random number generator: build the layer with \
                 `.with_rng(rng)`",
                self.shape.layer
            ),
        }
    }

    /// The weights of all layers and directions.
    pub(crate) fn weights(&self) -> &[Weights] {
        &self.weights
    }

    /// Runs the input through all layers; `layer` computes all directions of one, given the index of its first among
    /// `layers * directions`, and the weights of each. Returns (N, T, directions * P).
    pub(crate) fn run(
        &self,
        input: &SequenceInput<'_>,
        train: bool,
        mut layer: impl FnMut(usize, &[Weights], &SequenceInput<'_>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut x: Option<Tensor> = None;
        for (k, weights) in self.weights.chunks(self.shape.directions).enumerate() {
            let weights = weights.iter().map(|w| self.dropped(w, train)).collect::<Result<Vec<_>>>()?;
            let index = k * self.shape.directions;
            x = Some(match x {
                None => layer(index, &weights, input)?,
                Some(x) => layer(index, &weights, &SequenceInput::Vectors(&self.drop(&x, train)?))?,
            });
        }
        match x {
            Some(x) => Ok(x),
            None => bail!("{}: there is no layer", self.shape.layer),
        }
    }

    /// Dropout between two layers.
    fn drop(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let StackShape { dropout, locked, .. } = self.shape;
        if !train || dropout == 0. {
            return Ok(x.clone());
        }
        let dropout = Dropout::new(dropout, self.rng("dropout", dropout)?)?;
        if locked { dropout.forward_locked(x) } else { dropout.forward_t(x, train) }
    }

    /// The weights with some of the recurrent matrix dropped.
    fn dropped(&self, weights: &Weights, train: bool) -> Result<Weights> {
        let mut weights = weights.clone();
        let p = self.shape.weight_drop;
        if train && p > 0. {
            let w = &weights.w_hh;
            let mask =
                Dropout::new(p, self.rng("weight drop", p)?)?.mask(w.shape(), w.dtype(), w.device())?;
            weights.w_hh = (w * mask)?;
        }
        Ok(weights)
    }

    /// Checks what is read and returns N.
    pub(crate) fn check_input(&self, input: &SequenceInput<'_>, lengths: Option<&[usize]>) -> Result<usize> {
        let StackShape { layer, input_size, .. } = self.shape;
        match input {
            SequenceInput::Vectors(x) if x.rank() != 3 || x.dim(D::Minus1)? != input_size => {
                bail!("{layer}: expected input (N, T, {input_size}), got {:?}", x.shape())
            }
            SequenceInput::Tokens { table, ids }
                if table.dims().last() != Some(&input_size) || ids.rank() != 2 =>
            {
                bail!(
                    "{layer}: expected ids (N, T) and a table (V, {input_size}), got {:?} and {:?}",
                    ids.shape(),
                    table.shape()
                )
            }
            _ => {}
        }
        let (n, t, _) = input.dims()?;
        SequenceParams { reverse: false, lengths }.check(layer, n, t)?;
        Ok(n)
    }
}
