//! What the CPU kernels share.

pub(crate) mod activation;
pub(crate) mod input;
pub(crate) mod norm;
pub(crate) mod packed;
pub(crate) mod plan;
pub(crate) mod recurrence;
pub(crate) mod simd;
pub(crate) mod slices;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an operator's passes share.
pub(crate) fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave a slot half-written.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
