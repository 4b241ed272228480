//! Half-precision sequences in f32, where no kernel takes them as they are: a state that is rounded at each step would lose
//! more than its type does.

use super::{LayerNorm, LstmCell, LstmNorm, LstmSide, Zoneout, lstm_layer};
use crate::rows::SequenceInput;
use candle_core::{DType, Result, Tensor};

/// [`LstmCell`] with tensors of its own.
struct Wide {
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Option<Tensor>,
    w_hr: Option<Tensor>,
    /// Weight and bias of each.
    norm: Option<[(Tensor, Tensor); 3]>,
    zoneout: Option<(Tensor, Tensor)>,
}

impl Wide {
    fn of(cell: &LstmCell<'_>) -> Result<Self> {
        let wide = |t: &Tensor| t.to_dtype(DType::F32);
        let norm = |l: LayerNorm<'_>| Ok::<_, candle_core::Error>((wide(l.weight)?, wide(l.bias)?));
        Ok(Self {
            w_ih: wide(cell.w_ih)?,
            w_hh: wide(cell.w_hh)?,
            bias: cell.bias.map(wide).transpose()?,
            w_hr: cell.w_hr.map(wide).transpose()?,
            norm: match cell.norm {
                Some(n) => Some([norm(n.ih)?, norm(n.hh)?, norm(n.c)?]),
                None => None,
            },
            zoneout: match cell.zoneout {
                Some(z) => Some((wide(z.h)?, wide(z.c)?)),
                None => None,
            },
        })
    }

    fn cell(&self) -> LstmCell<'_> {
        LstmCell {
            bias: self.bias.as_ref(),
            w_hr: self.w_hr.as_ref(),
            norm: self.norm.as_ref().map(|[ih, hh, c]| LstmNorm { ih: lend(ih), hh: lend(hh), c: lend(c) }),
            zoneout: self.zoneout.as_ref().map(|(h, c)| Zoneout { h, c }),
            ..LstmCell::new(&self.w_ih, &self.w_hh)
        }
    }
}

fn lend((weight, bias): &(Tensor, Tensor)) -> LayerNorm<'_> {
    LayerNorm { weight, bias }
}

/// [`lstm_layer`], computed in f32.
pub(super) fn in_f32(
    input: &SequenceInput<'_>,
    sides: &[LstmSide<'_>],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Vec<(Tensor, Tensor)>)> {
    let (dtype, x) = (input.dtype(), input.vectors()?.to_dtype(DType::F32)?);
    let cells = sides.iter().map(|side| Wide::of(&side.cell)).collect::<Result<Vec<_>>>()?;
    let mut wide = Vec::new();
    for (cell, side) in cells.iter().zip(sides) {
        let (h0, c0) = (side.h0.to_dtype(DType::F32)?, side.c0.to_dtype(DType::F32)?);
        wide.push(LstmSide { cell: cell.cell(), h0, c0, reverse: side.reverse });
    }
    let (y, finals) = lstm_layer(&SequenceInput::Vectors(&x), &wide, lengths)?;
    let finals = finals.into_iter().map(|(h, c)| Ok((h.to_dtype(dtype)?, c.to_dtype(dtype)?)));
    Ok((y.to_dtype(dtype)?, finals.collect::<Result<_>>()?))
}
