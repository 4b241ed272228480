//! How the program keeps the memory of its tensors. A training step frees and takes the same gigabytes over and over: an
//! allocator that gives large blocks back to the system at once pays for each with page faults, and the system clears every
//! page that it hands out again.

/// The system's allocator keeps them when told to ([`keep_memory`]), and wastes the least; where it is another than
/// glibc's, mimalloc does by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps freed memory for the next tensor. To be called before the first is made.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_memory() {
    let options = [
        // Large blocks come from the heap, not from mappings of their own, and the heap never shrinks.
        (libc::M_MMAP_MAX, 0),
        (libc::M_TRIM_THRESHOLD, -1),
        // One heap: what one thread has freed serves all.
        (libc::M_ARENA_MAX, 1),
    ];
    for (option, value) in options {
        // SAFETY: sets numbers in the allocator's table of options; the program has started no other thread yet.
        unsafe { libc::mallopt(option, value) };
    }
}

/// Nothing to do for mimalloc.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep_memory() {}
