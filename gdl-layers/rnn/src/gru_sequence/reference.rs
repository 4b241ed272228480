use super::GruReset;
use crate::rows::{self, SequenceParams};
use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;

/// [`gru_sequence`](crate::gru_sequence), step by step. Shapes are not checked.
///
/// # Errors
///
/// When an operation of candle fails.
pub fn gru_sequence(
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: Option<&Tensor>,
    h0: &Tensor,
    reset: GruReset<'_>,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor)> {
    let SequenceParams { reverse, lengths } = params;
    let size = h0.dim(1)?;
    let x = if reverse { rows::reverse(x, lengths)? } else { x.clone() };
    let x_gates = rows::input_gates(&x, w_ih, bias)?;
    let w_rz = w_hh.narrow(0, 0, 2 * size)?.t()?; // (H, 2H)
    let w_n = w_hh.narrow(0, 2 * size, size)?.t()?; // (H, H)
    let mut h = h0.clone();
    let mut hs = Vec::new();
    for x in rows::steps(&x_gates)? {
        let rz = sigmoid(&(x.narrow(1, 0, 2 * size)? + h.matmul(&w_rz)?)?)?.chunk(2, 1)?;
        let (r, z) = (&rz[0], &rz[1]);
        let recurrent = match reset {
            GruReset::Before => (r * &h)?.matmul(&w_n)?,
            GruReset::After(None) => (r * h.matmul(&w_n)?)?,
            GruReset::After(Some(bias)) => (r * h.matmul(&w_n)?.broadcast_add(bias)?)?,
        };
        let n = (x.narrow(1, 2 * size, size)? + recurrent)?.tanh()?;
        h = (&n + (z * (&h - &n)?)?)?;
        hs.push(h.clone());
    }
    let mut output = Tensor::stack(&hs, 1)?; // (N, T, H)
    if let Some(lengths) = lengths {
        // What a row computes beyond its end is never read: its state is picked out, the rest masked.
        h = rows::last(&output, lengths)?;
        output = rows::mask(&output, lengths)?;
    }
    if reverse {
        output = rows::reverse(&output, lengths)?;
    }
    Ok((output, h))
}
