//! An LSTM layer over a whole sequence.

mod cell;
pub(crate) mod cpu;
pub(crate) mod reference;
mod wide;

pub use cell::{LayerNorm, LstmCell, LstmNorm, Zoneout};

use crate::rows::{Expected, SequenceInput, SequenceParams};
use candle_core::{DType, Result, Tensor};

/// One LSTM layer in one direction over a whole sequence.
///
/// ```text
/// (i, f, g, o) = x_t W_ih^T + bias + h_{t-1} W_hh^T       the input products of all steps in one GEMM
/// c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
/// h_t = sigmoid(o) * tanh(c_t)
/// ```
///
/// [`LstmCell`] says what its options change in that. On the CPU, in f32 and f64, this is one operator with a
/// hand-written backward pass; its memory is linear in T. Its gradients cannot be differentiated once more; those of
/// [`reference::lstm_sequence`](crate::reference::lstm_sequence) can.
///
/// # Shape
///
/// `x` (N, T, I), `h0` (N, P) and `c0` (N, H), where P is H but for a cell with a projection; returns the outputs
/// (N, T, P), which are 0 beyond the length of a row, and the final h (N, P) and c (N, H).
///
/// # Errors
///
/// When a shape does not fit, N or T is 0, or a length is not in 1..=T.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{LstmCell, SequenceParams, lstm_sequence};
///
/// let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
/// let x = Tensor::ones((2, 5, 4), DType::F32, &Device::Cpu)?; // N = 2, T = 5, I = 4, and H = 3
/// let (w_ih, w_hh, state) = (zeros(&[12, 4])?, zeros(&[12, 3])?, zeros(&[2, 3])?);
/// let lengths = SequenceParams { lengths: Some(&[5, 2]), ..Default::default() };
/// let (y, h, c) = lstm_sequence(&x, &LstmCell::new(&w_ih, &w_hh), &state, &state, lengths)?;
/// assert_eq!((y.dims(), h.dims(), c.dims()), (&[2, 5, 3][..], &[2, 3][..], &[2, 3][..]));
/// assert_eq!(y.get(1)?.get(2)?.to_vec1::<f32>()?, [0.; 3]); // the second row has two steps
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gate order as in PyTorch.
pub fn lstm_sequence(
    x: &Tensor,
    cell: &LstmCell<'_>,
    h0: &Tensor,
    c0: &Tensor,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let side = LstmSide { cell: *cell, h0: h0.clone(), c0: c0.clone(), reverse: params.reverse };
    let (y, mut finals) = lstm_layer(&SequenceInput::Vectors(x), &[side], params.lengths)?;
    let (h, c) = finals.swap_remove(0);
    Ok((y, h, c))
}

/// One direction of a layer, and the state that it starts from.
#[derive(Debug, Clone)]
pub(crate) struct LstmSide<'a> {
    pub(crate) cell: LstmCell<'a>,
    pub(crate) h0: Tensor,
    pub(crate) c0: Tensor,
    pub(crate) reverse: bool,
}

/// The directions of a layer side by side: the outputs (N, T, directions * P), and the final h and c of each.
pub(crate) fn lstm_layer(
    input: &SequenceInput<'_>,
    sides: &[LstmSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<(Tensor, Tensor)>)> {
    let (n, t, features) = input.dims()?;
    for side in sides {
        let cell = &side.cell;
        let expected = Expected {
            op: "lstm_sequence",
            dtype: input.dtype(),
            n,
            t,
            gates: 4,
            input: features,
            size: cell.size()?,
        };
        expected.weights(cell.w_ih, cell.w_hh, cell.bias, cell.outputs()?)?;
        expected.shape("h0 (N, P)", &side.h0, &[n, cell.outputs()?])?;
        expected.shape("c0 (N, H)", &side.c0, &[n, expected.size])?;
        cell.check(&expected)?;
        SequenceParams { reverse: side.reverse, lengths }.check("lstm_sequence", n, t)?;
    }
    #[cfg(feature = "cudnn")]
    if crate::cuda::cudnn::takes_lstm(input, sides)? {
        return crate::cuda::cudnn::lstm_layer(input, sides, lengths);
    }
    match input.dtype() {
        DType::F32 if input.takes_kernel(t) => cpu::lstm_layer::<f32>(input, sides, lengths),
        DType::F64 if input.takes_kernel(t) => cpu::lstm_layer::<f64>(input, sides, lengths),
        DType::F16 | DType::BF16 => wide::in_f32(input, sides, lengths),
        _ => {
            let x = input.vectors()?;
            let mut ys = Vec::new();
            let mut finals = Vec::new();
            for LstmSide { cell, h0, c0, reverse } in sides {
                let params = SequenceParams { reverse: *reverse, lengths };
                let (y, h, c) = match () {
                    #[cfg(feature = "cuda")]
                    () if input.takes_cuda() && cell.is_plain() => {
                        crate::cuda::lstm(&x, cell, h0, c0, params)?
                    }
                    () => reference::lstm_sequence(&x, cell, h0, c0, params)?,
                };
                ys.push(y);
                finals.push((h, c));
            }
            Ok((Tensor::cat(&ys, 2)?, finals))
        }
    }
}
