//! A GRU layer in one direction over a whole sequence.

pub(crate) mod reference;

use crate::rows::SequenceParams;
use candle_core::{Result, Tensor, bail};

/// Where the reset gate of a GRU acts.
#[derive(Debug, Clone, Copy)]
pub enum GruReset<'a> {
    /// On h_{t-1}, before the recurrent product: the form of the paper.
    Before,
    /// On the recurrent product, with its bias b_hn (H) if there is one: the form of PyTorch and cuDNN.
    After(Option<&'a Tensor>),
}

/// One GRU layer in one direction over a whole sequence, its input product already done.
///
/// With `x_gates` = x W_ih^T + b_ih + b_hh, computed for all steps in one GEMM ([`GruReset::After`]: without
/// b_hn, which the reset gate scales and which is therefore given apart):
///
/// ```text
/// r = sigmoid(x_r + h_{t-1} W_hr^T)
/// z = sigmoid(x_z + h_{t-1} W_hz^T)
/// n = tanh(x_n + r * (h_{t-1} W_hn^T + b_hn))      reset after
/// n = tanh(x_n + (r * h_{t-1}) W_hn^T)             reset before
/// h_t = (1 - z) * n + z * h_{t-1}
/// ```
///
/// # Shape
///
/// `x_gates` (N, T, 3H), `w_hh` (3H, H), `h0` (N, H); returns the outputs (N, T, H), which are 0 beyond the
/// length of a row, and the final h (N, H).
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
/// let dev = Device::Cpu;
/// let x_gates = Tensor::ones((2, 5, 9), DType::F32, &dev)?; // N = 2, T = 5, H = 3
/// let w_hh = Tensor::zeros((9, 3), DType::F32, &dev)?;
/// let h0 = Tensor::zeros((2, 3), DType::F32, &dev)?;
/// let (y, h) = gru_sequence(&x_gates, &w_hh, &h0, GruReset::Before, SequenceParams::default())?;
/// assert_eq!((y.dims(), h.dims()), (&[2, 5, 3][..], &[2, 3][..]));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Cho et al. 2014, <https://arxiv.org/abs/1406.1078>, equations 5-8, with the roles of z and 1 - z, the gate
/// order and [`GruReset::After`] as in PyTorch.
pub fn gru_sequence(
    x_gates: &Tensor,
    w_hh: &Tensor,
    h0: &Tensor,
    reset: GruReset<'_>,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor)> {
    let (n, t, gates) = x_gates.dims3()?;
    let h = gates / 3;
    if w_hh.dims() != [3 * h, h] || gates != 3 * h || h == 0 {
        bail!(
            "gru_sequence: expected x_gates (N, T, 3H) and w_hh (3H, H), got {:?} and {:?}",
            x_gates.shape(),
            w_hh.shape()
        )
    }
    if h0.dims() != [n, h] {
        bail!("gru_sequence: expected h0 (N, H) = ({n}, {h}), got {:?}", h0.shape())
    }
    if let GruReset::After(Some(bias)) = reset
        && bias.dims() != [h]
    {
        bail!("gru_sequence: expected b_hn (H) = ({h}), got {:?}", bias.shape())
    }
    params.check("gru_sequence", n, t)?;
    reference::gru_sequence(x_gates, w_hh, h0, reset, params)
}
