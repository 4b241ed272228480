//! Whole recurrent layers through cuDNN: every step, and both directions, in one call.
//!
//! What it takes are plain LSTM layers, and GRU layers whose reset gate acts after the product, over more than one step. A
//! single step, and whatever is special about a cell, is left to the kernels beside this. `GDL_CUDNN_RNN=0` in the
//! environment leaves everything to them, so that the two can be compared; it is read once.

mod layer;
mod plans;
mod run;

use crate::gru_sequence::{GruReset, GruSide};
use crate::lstm_sequence::LstmSide;
use crate::rows::SequenceInput;
use candle_core::{DType, Result, Tensor};
use gdl_kernels::cuda::cudnn::rnn;
use run::{Direction, run};
use std::sync::OnceLock;

/// Whether cuDNN takes an LSTM layer.
pub(crate) fn takes_lstm(input: &SequenceInput<'_>, sides: &[LstmSide<'_>]) -> Result<bool> {
    let order: Vec<_> = sides.iter().map(|side| (side.cell.w_hh, side.reverse)).collect();
    Ok(takes(input, &order)? && sides.iter().all(|side| side.cell.is_plain()))
}

/// As [`crate::lstm_sequence::lstm_layer`], of a layer that cuDNN takes. Shapes are not checked.
pub(crate) fn lstm_layer(
    input: &SequenceInput<'_>,
    sides: &[LstmSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<(Tensor, Tensor)>)> {
    let directions = sides.iter().map(|LstmSide { cell, reverse, .. }| {
        let none = no_bias(cell.w_hh)?;
        let b_ih = cell.bias.unwrap_or(&none).clone();
        Ok(Direction { w_ih: cell.w_ih, w_hh: cell.w_hh, b_ih, b_hh: none, reverse: *reverse })
    });
    let directions = directions.collect::<Result<Vec<_>>>()?;
    let start: Vec<_> = sides.iter().map(|side| &side.h0).chain(sides.iter().map(|side| &side.c0)).collect();
    let (y, ends) = run(rnn::Cell::Lstm, &input.vectors()?, &directions, &start, lengths)?;
    let (h, c) = (ends.get(0)?, ends.get(1)?);
    let finals = (0..sides.len()).map(|side| Ok((h.get(side)?, c.get(side)?)));
    Ok((y, finals.collect::<Result<_>>()?))
}

/// Whether cuDNN takes a GRU layer.
pub(crate) fn takes_gru(input: &SequenceInput<'_>, sides: &[GruSide<'_>]) -> Result<bool> {
    let order: Vec<_> = sides.iter().map(|side| (side.w_hh, side.reverse)).collect();
    Ok(takes(input, &order)? && sides.iter().all(|side| matches!(side.reset, GruReset::After(_))))
}

/// As [`crate::gru_sequence::gru_layer`], of a layer that cuDNN takes. Shapes are not checked.
pub(crate) fn gru_layer(
    input: &SequenceInput<'_>,
    sides: &[GruSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let directions = sides.iter().map(|GruSide { w_ih, w_hh, bias, reset, reverse, .. }| {
        let none = no_bias(w_hh)?;
        let b_ih = bias.as_ref().unwrap_or(&none).clone();
        let b_hh = match reset {
            GruReset::After(Some(b_hn)) => b_hn.pad_with_zeros(0, 2 * b_hn.dim(0)?, 0)?,
            _ => none,
        };
        Ok(Direction { w_ih, w_hh, b_ih, b_hh, reverse: *reverse })
    });
    let directions = directions.collect::<Result<Vec<_>>>()?;
    let start: Vec<_> = sides.iter().map(|side| &side.h0).collect();
    let (y, ends) = run(rnn::Cell::Gru, &input.vectors()?, &directions, &start, lengths)?;
    let h = ends.get(0)?;
    Ok((y, (0..sides.len()).map(|side| h.get(side)).collect::<Result<_>>()?))
}

/// Zeros for the gates that these weights lead to.
fn no_bias(w_hh: &Tensor) -> Result<Tensor> {
    Tensor::zeros(w_hh.dim(0)?, w_hh.dtype(), w_hh.device())
}

/// Whether cuDNN has such a layer, given the recurrent weights of each direction and whether it is the reverse one.
fn takes(input: &SequenceInput<'_>, sides: &[(&Tensor, bool)]) -> Result<bool> {
    let (_, steps, _) = input.dims()?;
    let fits = match sides {
        [_] => true,
        [(forward, false), (backward, true)] => forward.dims() == backward.dims(),
        _ => false,
    };
    // In half precision it keeps the states so between the steps, which costs them more than 1e-2.
    let wide = matches!(input.dtype(), DType::F32 | DType::F64);
    Ok(fits && steps > 1 && wide && input.takes_cuda() && wanted())
}

fn wanted() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| std::env::var_os("GDL_CUDNN_RNN").is_none_or(|v| v != "0"))
}
