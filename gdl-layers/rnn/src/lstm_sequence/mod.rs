//! An LSTM layer in one direction over a whole sequence.

mod cpu;
pub(crate) mod reference;

use crate::rows::{Expected, SequenceParams};
use candle_core::{DType, Result, Tensor};

/// One LSTM layer in one direction over a whole sequence.
///
/// ```text
/// (i, f, g, o) = x_t W_ih^T + bias + h_{t-1} W_hh^T       the input products of all steps in one GEMM
/// c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
/// h_t = sigmoid(o) * tanh(c_t)
/// ```
///
/// On the CPU, in f32 and f64, this is one node of the graph with a hand-written backward pass; its memory is linear
/// in T. Its gradients cannot be differentiated once more; those of
/// [`reference::lstm_sequence`](crate::reference::lstm_sequence) can.
///
/// # Shape
///
/// `x` (N, T, I), `w_ih` (4H, I), `w_hh` (4H, H), `bias` (4H), being b_ih + b_hh, `h0` and `c0` (N, H); returns the
/// outputs (N, T, H), which are 0 beyond the length of a row, and the final h and c, each (N, H).
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
/// let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
/// let x = Tensor::ones((2, 5, 4), DType::F32, &Device::Cpu)?; // N = 2, T = 5, I = 4, and H = 3
/// let (w_ih, w_hh, state) = (zeros(&[12, 4])?, zeros(&[12, 3])?, zeros(&[2, 3])?);
/// let lengths = SequenceParams { lengths: Some(&[5, 2]), ..Default::default() };
/// let (y, h, c) = lstm_sequence(&x, &w_ih, &w_hh, None, &state, &state, lengths)?;
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
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: Option<&Tensor>,
    h0: &Tensor,
    c0: &Tensor,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let expected = Expected::new("lstm_sequence", 4, x, w_hh)?;
    expected.weights(w_ih, w_hh, bias)?;
    expected.state("h0", h0)?;
    expected.state("c0", c0)?;
    params.check("lstm_sequence", expected.n, expected.t)?;
    match x.dtype() {
        DType::F32 if expected.takes_kernel(x) => {
            cpu::lstm_sequence::<f32>(x, w_ih, w_hh, bias, h0, c0, params)
        }
        DType::F64 if expected.takes_kernel(x) => {
            cpu::lstm_sequence::<f64>(x, w_ih, w_hh, bias, h0, c0, params)
        }
        _ => reference::lstm_sequence(x, w_ih, w_hh, bias, h0, c0, params),
    }
}
