//! Parallel loops whose result does not depend on the number of threads.
//!
//! Work is cut into chunks by its own size, never by the number of workers, and every chunk writes to a place of its
//! own; so the same sums are formed in the same order whoever computes them.

use rayon::prelude::*;

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

/// The number of threads that parallel loops use here: the size of the current rayon pool.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
