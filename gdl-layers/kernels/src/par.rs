//! Parallel loops whose result does not depend on the number of threads.
//!
//! Work is cut into chunks by its own size, never by the number of workers, and every chunk writes to a place of its
//! own; so the same sums are formed in the same order whoever computes them. Without the feature `threads` that is the
//! calling thread.

#[cfg(feature = "threads")]
mod pool;
#[cfg(not(feature = "threads"))]
#[path = "par/serial.rs"]
mod pool;

pub(crate) use pool::parallelism;
pub use pool::{inside, join, map, threads};

use crate::gemm::Float;
use std::mem::MaybeUninit;

/// Runs `f(index, chunk)` over consecutive chunks of `data`, in parallel when there is more than one.
///
/// `chunk` is the length of each chunk but the last; 0 counts as 1.
pub fn chunks_mut<T: Send>(data: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Send + Sync) {
    let chunk = chunk.max(1);
    if data.len() <= chunk {
        if !data.is_empty() {
            f(0, data);
        }
        return;
    }
    pool::chunks_mut(data, chunk, f);
}

/// A vector of `n` zeros. Large ones are written by all threads: the system's own zeros come from one, while the others
/// wait.
pub fn zeros<T: Float>(n: usize) -> Vec<T> {
    const CHUNK: usize = 1 << 18;
    if n < 2 * CHUNK { vec![T::ZERO; n] } else { build(n, CHUNK, |_, _| {}) }
}

/// A vector of `n` elements that `f(index, chunk)` writes, chunk by chunk and in parallel. A chunk holds zeros before.
///
/// `chunk` is the length of each chunk but the last; 0 counts as 1. One that fits into a core's cache costs one pass over
/// the memory; zeros first and values then cost two.
pub fn build<T: Float>(n: usize, chunk: usize, f: impl Fn(usize, &mut [T]) + Send + Sync) -> Vec<T> {
    let mut out = Vec::with_capacity(n);
    chunks_mut(&mut out.spare_capacity_mut()[..n], chunk, |i, chunk| {
        chunk.iter_mut().for_each(|x| {
            x.write(T::ZERO);
        });
        // SAFETY: all elements of the chunk have just been written, and a `MaybeUninit<T>` is laid out as `T`.
        f(i, unsafe { &mut *(chunk as *mut [MaybeUninit<T>] as *mut [T]) });
    });
    // SAFETY: the chunks cover the first `n` elements, and each has been written whole.
    unsafe { out.set_len(n) };
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn zeros_are_zeros() {
        for n in [0, 7, 64 * 1024, (1 << 20) + 5] {
            let zeros = super::inside(|| super::zeros::<f32>(n));
            assert!(zeros.len() == n && zeros.iter().all(|x| x.to_bits() == 0));
        }
    }

    #[test]
    fn loops_visit_every_place_once_and_in_its_place() {
        let mut data = vec![0; 1000];
        super::chunks_mut(&mut data, 7, |i, chunk| {
            for (j, x) in chunk.iter_mut().enumerate() {
                *x += 7 * i + j;
            }
        });
        assert!(data.iter().enumerate().all(|(i, x)| i == *x));
        assert_eq!(super::map(5, |i| i * i), [0, 1, 4, 9, 16]);
        assert_eq!(super::join(|| 1, || "b"), (1, "b"));
        assert!(super::inside(super::threads) > 0);
    }
}
