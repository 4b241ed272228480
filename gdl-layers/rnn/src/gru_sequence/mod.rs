//! A GRU layer in one direction over a whole sequence.

mod cpu;
pub(crate) mod reference;

use crate::rows::{Expected, SequenceParams};
use candle_core::{DType, Result, Tensor};

/// Where the reset gate of a GRU acts.
#[derive(Debug, Clone, Copy)]
pub enum GruReset<'a> {
    /// On h_{t-1}, before the recurrent product: the form of the paper.
    Before,
    /// On the recurrent product, with its bias b_hn (H) if there is one: the form of PyTorch and cuDNN.
    After(Option<&'a Tensor>),
}

/// One GRU layer in one direction over a whole sequence.
///
/// ```text
/// (x_r, x_z, x_n) = x_t W_ih^T + bias                    for all steps in one GEMM
/// r = sigmoid(x_r + h_{t-1} W_hr^T)
/// z = sigmoid(x_z + h_{t-1} W_hz^T)
/// n = tanh(x_n + r * (h_{t-1} W_hn^T + b_hn))            reset after
/// n = tanh(x_n + (r * h_{t-1}) W_hn^T)                   reset before
/// h_t = (1 - z) * n + z * h_{t-1}
/// ```
///
/// On the CPU, in f32 and f64, this is one node of the graph with a hand-written backward pass; its memory is linear
/// in T. Its gradients cannot be differentiated once more; those of
/// [`reference::gru_sequence`](crate::reference::gru_sequence) can.
///
/// # Shape
///
/// `x` (N, T, I), `w_ih` (3H, I), `w_hh` (3H, H), `bias` (3H), being b_ih + b_hh ([`GruReset::After`]: without b_hn,
/// which the reset gate scales and which is therefore given apart), `h0` (N, H); returns the outputs (N, T, H), which
/// are 0 beyond the length of a row, and the final h (N, H).
///
/// # Errors
///
/// When a shape does not fit, N or T is 0, or a length is not in 1..=T.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_rnn::{GruReset, SequenceParams, gru_sequence};
///
/// let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
/// let x = Tensor::ones((2, 5, 4), DType::F32, &Device::Cpu)?; // N = 2, T = 5, I = 4, and H = 3
/// let (w_ih, w_hh, h0) = (zeros(&[9, 4])?, zeros(&[9, 3])?, zeros(&[2, 3])?);
/// let params = SequenceParams::default();
/// let (y, h) = gru_sequence(&x, &w_ih, &w_hh, None, &h0, GruReset::Before, params)?;
/// assert_eq!((y.dims(), h.dims()), (&[2, 5, 3][..], &[2, 3][..]));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Cho et al. 2014, <https://arxiv.org/abs/1406.1078>, equations 5-8; which of z and 1 - z takes the old state, the
/// gate order and [`GruReset::After`] are PyTorch's.
pub fn gru_sequence(
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: Option<&Tensor>,
    h0: &Tensor,
    reset: GruReset<'_>,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor)> {
    let expected = Expected::new("gru_sequence", 3, x, w_hh)?;
    expected.weights(w_ih, w_hh, bias)?;
    expected.state("h0", h0)?;
    if let GruReset::After(Some(b_hn)) = reset {
        expected.shape("b_hn (H)", b_hn, &[expected.size])?;
    }
    params.check("gru_sequence", expected.n, expected.t)?;
    match x.dtype() {
        DType::F32 if expected.takes_kernel(x) => {
            cpu::gru_sequence::<f32>(x, w_ih, w_hh, bias, h0, reset, params)
        }
        DType::F64 if expected.takes_kernel(x) => {
            cpu::gru_sequence::<f64>(x, w_ih, w_hh, bias, h0, reset, params)
        }
        _ => reference::gru_sequence(x, w_ih, w_hh, bias, h0, reset, params),
    }
}
