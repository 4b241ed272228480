//! An LSTM layer in one direction over a whole sequence.

pub(crate) mod reference;

use crate::rows::SequenceParams;
use candle_core::{Result, Tensor, bail};

/// One LSTM layer in one direction over a whole sequence, its input product already done.
///
/// With `x_gates` = x W_ih^T + b_ih + b_hh, computed for all steps in one GEMM:
///
/// ```text
/// (i, f, g, o) = x_gates_t + h_{t-1} W_hh^T
/// c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
/// h_t = sigmoid(o) * tanh(c_t)
/// ```
///
/// # Shape
///
/// `x_gates` (N, T, 4H), `w_hh` (4H, H), `h0` and `c0` (N, H); returns the outputs (N, T, H), which are 0
/// beyond the length of a row, and the final h and c, each (N, H).
///
/// # Errors
///
/// When a shape does not fit, N or T is 0, or a length is not in 1..=T.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{SequenceParams, lstm_sequence};
///
/// let dev = Device::Cpu;
/// let x_gates = Tensor::ones((2, 5, 12), DType::F32, &dev)?; // N = 2, T = 5, H = 3
/// let w_hh = Tensor::zeros((12, 3), DType::F32, &dev)?;
/// let zero = Tensor::zeros((2, 3), DType::F32, &dev)?;
/// let lengths = SequenceParams { lengths: Some(&[5, 2]), ..Default::default() };
/// let (y, h, c) = lstm_sequence(&x_gates, &w_hh, &zero, &zero, lengths)?;
/// assert_eq!((y.dims(), h.dims(), c.dims()), (&[2, 5, 3][..], &[2, 3][..], &[2, 3][..]));
/// assert_eq!(y.get(1)?.get(2)?.to_vec1::<f32>()?, [0.; 3]); // the second row has two steps
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gate order as in PyTorch.
pub fn lstm_sequence(
    x_gates: &Tensor,
    w_hh: &Tensor,
    h0: &Tensor,
    c0: &Tensor,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (n, t, gates) = x_gates.dims3()?;
    let h = gates / 4;
    if w_hh.dims() != [4 * h, h] || gates != 4 * h || h == 0 {
        bail!(
            "lstm_sequence: expected x_gates (N, T, 4H) and w_hh (4H, H), got {:?} and {:?}",
            x_gates.shape(),
            w_hh.shape()
        )
    }
    for (name, state) in [("h0", h0), ("c0", c0)] {
        if state.dims() != [n, h] {
            bail!("lstm_sequence: expected {name} (N, H) = ({n}, {h}), got {:?}", state.shape())
        }
    }
    params.check("lstm_sequence", n, t)?;
    reference::lstm_sequence(x_gates, w_hh, h0, c0, params)
}
