use crate::rows::{self, SequenceParams};
use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;

/// [`lstm_sequence`](crate::lstm_sequence), step by step. Shapes are not checked.
///
/// # Errors
///
/// When an operation of candle fails.
pub fn lstm_sequence(
    x: &Tensor,
    w_ih: &Tensor,
    w_hh: &Tensor,
    bias: Option<&Tensor>,
    h0: &Tensor,
    c0: &Tensor,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let SequenceParams { reverse, lengths } = params;
    let x = if reverse { rows::reverse(x, lengths)? } else { x.clone() };
    let x_gates = rows::input_gates(&x, w_ih, bias)?;
    let w = w_hh.t()?; // (H, 4H)
    let (mut h, mut c) = (h0.clone(), c0.clone());
    let (mut hs, mut cs) = (Vec::new(), Vec::new());
    for x in rows::steps(&x_gates)? {
        let gates = (x + h.matmul(&w)?)?.chunk(4, 1)?;
        let (i, f) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
        let (g, o) = (gates[2].tanh()?, sigmoid(&gates[3])?);
        c = ((f * &c)? + (i * g)?)?;
        h = (o * c.tanh()?)?;
        hs.push(h.clone());
        cs.push(c.clone());
    }
    let mut output = Tensor::stack(&hs, 1)?; // (N, T, H)
    if let Some(lengths) = lengths {
        // What a row computes beyond its end is never read: its state is picked out, the rest masked.
        h = rows::last(&output, lengths)?;
        c = rows::last(&Tensor::stack(&cs, 1)?, lengths)?;
        output = rows::mask(&output, lengths)?;
    }
    if reverse {
        output = rows::reverse(&output, lengths)?;
    }
    Ok((output, h, c))
}
