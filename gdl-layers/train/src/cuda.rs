//! What kernels need that take many tensors at once.

use candle_core::{Result, Storage, Tensor, bail};
use gdl_kernels::cuda::pointer;

/// Elements that a block works on.
pub(crate) const STRETCH: usize = 1 << 14;

/// Whether the kernels take these tensors together: of one type, on one device.
pub(crate) fn take<'a>(mut tensors: impl Iterator<Item = &'a Tensor>) -> bool {
    let kind = |t: &Tensor| (t.dtype(), t.device().location());
    tensors
        .next()
        .is_some_and(|first| gdl_kernels::cuda::takes(first) && tensors.all(|t| kind(t) == kind(first)))
}

/// A word for each block that works on the tensor of this place: the place, and which stretch of the tensor.
pub(crate) fn stretches(place: usize, elements: usize) -> impl Iterator<Item = i64> {
    (0..elements.div_ceil(STRETCH)).map(move |stretch| ((place as i64) << 32) | stretch as i64)
}

/// Where the elements of a contiguous tensor lie.
pub(crate) fn address(tensor: &Tensor) -> Result<i64> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cuda(storage), Some((start, _))) => {
            // Only this stream works on it, in order: the address may outlive the guard.
            Ok(pointer(storage, start, &storage.device.cuda_stream())?.0 as i64)
        }
        _ => bail!("optimizer: a tensor is not contiguous on the device of its parameter"),
    }
}
