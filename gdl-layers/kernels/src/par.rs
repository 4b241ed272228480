//! Parallel loops whose result does not depend on the number of threads.
//!
//! Work is cut into chunks by its own size, never by the number of workers, and every chunk writes to a place of its
//! own; so the same sums are formed in the same order whoever computes them.

use crate::gemm::Float;
use rayon::prelude::*;
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
    data.par_chunks_mut(chunk).enumerate().for_each(|(i, c)| f(i, c));
}

/// Runs `f(index)` for every index below `n`, in parallel when there is more than one, and collects the results in order.
pub fn map<R: Send>(n: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    if n == 1 { vec![f(0)] } else { (0..n).into_par_iter().map(f).collect() }
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

/// The number of threads that parallel loops use here: the size of the current rayon pool.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Runs `f` on a thread of the pool, so that the parallel loops and products in it start without another thread having
/// to be woken for each: outside the pool every one of them costs two changes of thread.
pub fn inside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
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
}
