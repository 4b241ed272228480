use super::LstmCell;
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
    cell: &LstmCell<'_>,
    h0: &Tensor,
    c0: &Tensor,
    params: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let SequenceParams { reverse, lengths } = params;
    let turn = |x: &Tensor| if reverse { rows::reverse(x, lengths) } else { Ok(x.clone()) };
    let mut x_gates = rows::input_gates(&turn(x)?, cell.w_ih, cell.bias)?;
    if let Some(norm) = &cell.norm {
        x_gates = norm.ih.apply(&x_gates)?;
    }
    let kept = match cell.zoneout {
        Some(zoneout) => Some((rows::steps(&turn(zoneout.h)?)?, rows::steps(&turn(zoneout.c)?)?)),
        None => None,
    };
    let w = cell.w_hh.t()?; // (P, 4H)
    let (mut h, mut c) = (h0.clone(), c0.clone());
    let (mut hs, mut cs) = (Vec::new(), Vec::new());
    for (s, x) in rows::steps(&x_gates)?.into_iter().enumerate() {
        let (mut new_h, mut new_c) = step(cell, &x, &h.matmul(&w)?, &c)?;
        if let Some((keep_h, keep_c)) = &kept {
            new_h = (&new_h + (&keep_h[s] * (&h - &new_h)?)?)?;
            new_c = (&new_c + (&keep_c[s] * (&c - &new_c)?)?)?;
        }
        (h, c) = (new_h, new_c);
        hs.push(h.clone());
        cs.push(c.clone());
    }
    let mut output = Tensor::stack(&hs, 1)?; // (N, T, P)
    if let Some(lengths) = lengths {
        // What a row computes beyond its end is never read: its state is picked out, the rest masked.
        h = rows::last(&output, lengths)?;
        c = rows::last(&Tensor::stack(&cs, 1)?, lengths)?;
        output = rows::mask(&output, lengths)?;
    }
    Ok((turn(&output)?, h, c))
}

/// h and c after a step, without zoneout, from the shares of input and state in the gates, and c before.
fn step(cell: &LstmCell<'_>, x: &Tensor, recurrent: &Tensor, c: &Tensor) -> Result<(Tensor, Tensor)> {
    let recurrent = match &cell.norm {
        Some(norm) => norm.hh.apply(recurrent)?,
        None => recurrent.clone(),
    };
    let gates = (x + recurrent)?.chunk(4, 1)?;
    let (i, f) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
    let (g, o) = (gates[2].tanh()?, sigmoid(&gates[3])?);
    let c = ((f * c)? + (i * g)?)?;
    let shown = match &cell.norm {
        Some(norm) => norm.c.apply(&c)?,
        None => c.clone(),
    };
    let h = (o * shown.tanh()?)?;
    match cell.w_hr {
        Some(w_hr) => Ok((h.matmul(&w_hr.t()?)?, c)),
        None => Ok((h, c)),
    }
}
