//! The loops on the calling thread, where there is no other: the same chunks in the same order, and so the same results.

pub(super) fn chunks_mut<T: Send>(data: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Send + Sync) {
    data.chunks_mut(chunk).enumerate().for_each(|(i, c)| f(i, c));
}

/// Runs `f(index)` for every index below `n`, and collects the results in order.
pub fn map<R: Send>(n: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    (0..n).map(f).collect()
}

/// Runs both, one after the other, and gives both results.
pub fn join<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    (a(), b())
}

/// The number of threads that parallel loops use here: 1, without the feature `threads`.
pub fn threads() -> usize {
    1
}

/// Runs `f`.
pub fn inside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    f()
}

/// How far a matrix product may spread.
pub(crate) fn parallelism() -> gemm::Parallelism {
    gemm::Parallelism::None
}
