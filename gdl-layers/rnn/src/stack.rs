use crate::config::StackShape;
use crate::rows::SequenceParams;
use candle_core::{Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use gdl_kernels::init;
use gdl_kernels::rng::{Dropout, SharedRng};

/// The weights of one layer in one direction.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    pub(crate) w_ih: Tensor,
    pub(crate) w_hh: Tensor,
    b_ih: Option<Tensor>,
    b_hh: Option<Tensor>,
}

impl Weights {
    fn new(shape: &StackShape, input_size: usize, suffix: &str, vb: &VarBuilder<'_>) -> Result<Self> {
        let StackShape { gates, hidden_size, bias, .. } = *shape;
        let init = init::uniform(1. / (hidden_size as f64).sqrt());
        let rows = gates * hidden_size;
        let bias = |name: &str| match bias {
            true => vb.get_with_hints(rows, &format!("{name}_{suffix}"), init).map(Some),
            false => Ok(None),
        };
        Ok(Self {
            w_ih: vb.get_with_hints((rows, input_size), &format!("weight_ih_{suffix}"), init)?,
            w_hh: vb.get_with_hints((rows, hidden_size), &format!("weight_hh_{suffix}"), init)?,
            b_ih: bias("bias_ih")?,
            b_hh: bias("bias_hh")?,
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
            let input_size = if layer == 0 { shape.input_size } else { shape.directions * shape.hidden_size };
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

    /// The shape (layers * directions, N, H) of a state for a batch of `n` rows.
    pub(crate) fn state_shape(&self, n: usize) -> (usize, usize, usize) {
        (self.weights.len(), n, self.shape.hidden_size)
    }

    /// Checks that a state given for a batch of `n` rows has the right shape.
    pub(crate) fn check_state(&self, name: &str, state: &Tensor, n: usize) -> Result<()> {
        let (l, n, h) = self.state_shape(n);
        if state.dims() != [l, n, h] {
            bail!(
                "{}: expected the initial {name} (layers * directions, N, H) = ({l}, {n}, {h}), got {:?}",
                self.shape.layer,
                state.shape()
            )
        }
        Ok(())
    }

    /// Runs x (N, T, input) through all layers; `cell` computes one layer in one direction, given its
    /// index among `layers * directions`. Returns (N, T, directions * H).
    pub(crate) fn run(
        &self,
        x: &Tensor,
        lengths: Option<&[usize]>,
        train: bool,
        mut cell: impl FnMut(usize, &Weights, &Tensor, SequenceParams<'_>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let StackShape { layer: name, num_layers, directions, .. } = self.shape;
        let mut x = x.clone();
        for layer in 0..num_layers {
            if layer > 0 && train && self.shape.dropout > 0. {
                let Some(rng) = &self.rng else {
                    bail!(
                        "{name}: training with dropout {} needs a random number generator: build the layer \
                         with `.with_rng(rng)`",
                        self.shape.dropout
                    )
                };
                x = Dropout::new(self.shape.dropout, rng.clone())?.forward_t(&x, train)?;
            }
            let outputs = (0..directions)
                .map(|direction| {
                    let index = layer * directions + direction;
                    let params = SequenceParams { reverse: direction == 1, lengths };
                    cell(index, &self.weights[index], &x, params)
                })
                .collect::<Result<Vec<_>>>()?;
            x = match outputs.as_slice() {
                [one] => one.clone(),
                both => Tensor::cat(both, 2)?,
            };
        }
        Ok(x)
    }

    /// Checks x (N, T, input) and returns N.
    pub(crate) fn check_input(&self, x: &Tensor, lengths: Option<&[usize]>) -> Result<usize> {
        let StackShape { layer, input_size, .. } = self.shape;
        match *x.dims() {
            [n, t, features] if features == input_size => {
                SequenceParams { reverse: false, lengths }.check(layer, n, t)?;
                Ok(n)
            }
            _ => bail!("{layer}: expected input (N, T, {input_size}), got {:?}", x.shape()),
        }
    }
}
