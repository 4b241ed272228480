//! The loops on the threads of the current rayon pool.

use rayon::prelude::*;

pub(super) fn chunks_mut<T: Send>(data: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Send + Sync) {
    data.par_chunks_mut(chunk).enumerate().for_each(|(i, c)| f(i, c));
}

/// Runs `f(index)` for every index below `n`, in parallel when there is more than one, and collects the results in order.
pub fn map<R: Send>(n: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    if n == 1 { vec![f(0)] } else { (0..n).into_par_iter().map(f).collect() }
}

/// Runs both, in parallel where a thread is free, and gives both results.
pub fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(a, b)
}

/// The number of threads that parallel loops use here: the size of the current rayon pool, or 1 without the feature `threads`.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Runs `f` on a thread of the pool, so that the parallel loops and products in it start without another thread having
/// to be woken for each: outside the pool every one of them costs two changes of thread.
pub fn inside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}

/// How far a matrix product may spread.
pub(crate) fn parallelism() -> gemm::Parallelism {
    gemm::Parallelism::Rayon(threads())
}
