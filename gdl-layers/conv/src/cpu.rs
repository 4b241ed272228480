//! What the CPU kernels of this crate share.

use gdl_kernels::gemm::Float;
use gdl_kernels::par;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// Runs `$f::<f32>` or `$f::<f64>` after the type of a storage, and makes a storage of the `Vec` it returns.
macro_rules! by_dtype {
    ($op:expr, $storage:expr, $f:ident($($arg:expr),* $(,)?)) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => candle_core::CpuStorage::F32($f::<f32>($($arg),*)?),
            candle_core::CpuStorage::F64(_) => candle_core::CpuStorage::F64($f::<f64>($($arg),*)?),
            other => candle_core::bail!(
                "{}: the kernel takes f32 and f64, got {:?}",
                $op,
                candle_core::backend::BackendStorage::dtype(other)
            ),
        }
    };
}
pub(crate) use by_dtype;

/// Fills an output made of image planes, some planes at a time and in parallel: `f(plane, values of the plane)`.
pub(crate) fn for_planes<T: Float>(out: &mut [T], plane: usize, f: impl Fn(usize, &mut [T]) + Send + Sync) {
    // Planes of a few pixels are not worth a task each.
    let together = (16_384 / plane.max(1)).max(1);
    par::chunks_mut(out, plane * together, |chunk, values| {
        for (i, values) in values.chunks_mut(plane).enumerate() {
            f(chunk * together + i, values);
        }
    });
}

/// The output positions, of `count`, whose input `position * stride + offset` lies inside an axis of `size`.
pub(crate) fn inside(offset: isize, stride: usize, size: usize, count: usize) -> Range<usize> {
    let first_at_or_after = |bound: isize| {
        if bound <= offset { 0 } else { ((bound - offset) as usize).div_ceil(stride) }
    };
    let end = first_at_or_after(size as isize).min(count);
    first_at_or_after(0).min(end)..end
}

thread_local! {
    static SCRATCH: RefCell<HashMap<TypeId, Vec<Box<dyn Any>>>> = RefCell::new(HashMap::new());
}

/// Lends `f` a buffer of `len` values with arbitrary contents. Buffers stay with their thread: fresh ones would
/// cost more in page faults than the work done in them.
pub(crate) fn with_scratch<T: Float, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let key = TypeId::of::<T>();
    // The buffer is taken out while it is in use, so that a nested call gets another one.
    let spare = SCRATCH.with_borrow_mut(|s| s.get_mut(&key).and_then(Vec::pop));
    let mut buffer = match spare.map(|b| b.downcast::<Vec<T>>()) {
        Some(Ok(buffer)) => buffer,
        _ => Box::new(Vec::new()),
    };
    if buffer.len() < len {
        buffer.resize(len, T::ZERO);
    }
    let result = f(&mut buffer[..len]);
    SCRATCH.with_borrow_mut(|s| s.entry(key).or_default().push(buffer));
    result
}
