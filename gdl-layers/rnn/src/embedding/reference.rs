use candle_core::{Result, Tensor};

/// [`lookup`](super::lookup) by candle.
pub(super) fn lookup(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let mut shape = ids.dims().to_vec();
    shape.push(table.dim(1)?);
    table.index_select(&ids.flatten_all()?, 0)?.reshape(shape)
}
