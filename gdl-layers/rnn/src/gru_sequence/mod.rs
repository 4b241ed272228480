//! A GRU layer over a whole sequence.

pub(crate) mod cpu;
pub(crate) mod reference;

use crate::rows::{Expected, SequenceInput, SequenceParams};
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
/// On the CPU, in f32 and f64, this is one operator with a hand-written backward pass; its memory is linear
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
    let side = GruSide { w_ih, w_hh, bias: bias.cloned(), reset, h0: h0.clone(), reverse: params.reverse };
    let (y, mut finals) = gru_layer(&SequenceInput::Vectors(x), &[side], params.lengths)?;
    Ok((y, finals.swap_remove(0)))
}

/// One direction of a layer, and the state that it starts from.
#[derive(Debug, Clone)]
pub(crate) struct GruSide<'a> {
    pub(crate) w_ih: &'a Tensor,
    pub(crate) w_hh: &'a Tensor,
    pub(crate) bias: Option<Tensor>,
    pub(crate) reset: GruReset<'a>,
    pub(crate) h0: Tensor,
    pub(crate) reverse: bool,
}

/// The directions of a layer side by side: the outputs (N, T, directions * H), and the final h of each.
pub(crate) fn gru_layer(
    input: &SequenceInput<'_>,
    sides: &[GruSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let (n, t, features) = input.dims()?;
    for side in sides {
        let size = side.w_hh.dims().last().copied().unwrap_or(0);
        let expected =
            Expected { op: "gru_sequence", dtype: input.dtype(), n, t, gates: 3, input: features, size };
        expected.weights(side.w_ih, side.w_hh, side.bias.as_ref(), size)?;
        expected.shape("h0 (N, H)", &side.h0, &[n, size])?;
        if let GruReset::After(Some(b_hn)) = side.reset {
            expected.shape("b_hn (H)", b_hn, &[size])?;
        }
        SequenceParams { reverse: side.reverse, lengths }.check("gru_sequence", n, t)?;
    }
    #[cfg(feature = "cudnn")]
    if crate::cuda::cudnn::takes_gru(input, sides)? {
        return crate::cuda::cudnn::gru_layer(input, sides, lengths);
    }
    match input.dtype() {
        DType::F32 if input.takes_kernel(t) => cpu::gru_layer::<f32>(input, sides, lengths),
        DType::F64 if input.takes_kernel(t) => cpu::gru_layer::<f64>(input, sides, lengths),
        DType::F16 | DType::BF16 => in_f32(input, sides, lengths),
        _ => {
            let x = input.vectors()?;
            let (mut ys, mut finals) = (Vec::new(), Vec::new());
            for GruSide { w_ih, w_hh, bias, reset, h0, reverse } in sides {
                let params = SequenceParams { reverse: *reverse, lengths };
                let (y, h) = match *reset {
                    #[cfg(feature = "cuda")]
                    GruReset::After(b_hn) if input.takes_cuda() => {
                        crate::cuda::gru(&x, (w_ih, w_hh), bias.as_ref(), b_hn, h0, params)?
                    }
                    reset => reference::gru_sequence(&x, w_ih, w_hh, bias.as_ref(), h0, reset, params)?,
                };
                ys.push(y);
                finals.push(h);
            }
            Ok((Tensor::cat(&ys, 2)?, finals))
        }
    }
}

/// [`gru_layer`], computed in f32, where no kernel takes half precision as it is: a state that is rounded at each step would
/// lose more than its type does.
fn in_f32(
    input: &SequenceInput<'_>,
    sides: &[GruSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let wide = |t: &Tensor| t.to_dtype(DType::F32);
    let (dtype, x) = (input.dtype(), wide(&input.vectors()?)?);
    let mut held = Vec::new();
    for side in sides {
        let b_hn = match side.reset {
            GruReset::After(b_hn) => b_hn.map(wide).transpose()?,
            GruReset::Before => None,
        };
        held.push((wide(side.w_ih)?, wide(side.w_hh)?, b_hn));
    }
    let own = held.iter().zip(sides).map(|((w_ih, w_hh, b_hn), side)| {
        let reset = match side.reset {
            GruReset::After(_) => GruReset::After(b_hn.as_ref()),
            GruReset::Before => GruReset::Before,
        };
        let bias = side.bias.as_ref().map(wide).transpose()?;
        Ok(GruSide { w_ih, w_hh, bias, reset, h0: wide(&side.h0)?, reverse: side.reverse })
    });
    let (y, finals) = gru_layer(&SequenceInput::Vectors(&x), &own.collect::<Result<Vec<_>>>()?, lengths)?;
    let finals = finals.iter().map(|h| h.to_dtype(dtype)).collect::<Result<_>>()?;
    Ok((y.to_dtype(dtype)?, finals))
}
