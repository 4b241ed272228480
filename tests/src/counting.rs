use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The system's allocator, counting for the whole process: a test that has it as its `#[global_allocator]` measures alone.
#[derive(Debug)]
pub struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

impl Counting {
    /// What a call gives, and the bytes that it needs beyond what is there.
    pub fn peak_of<T>(f: impl FnOnce() -> T) -> (T, usize) {
        let before = LIVE.load(SeqCst);
        PEAK.store(before, SeqCst);
        let given = f();
        (given, PEAK.load(SeqCst) - before)
    }

    /// Allocations so far.
    pub fn calls() -> usize {
        CALLS.load(SeqCst)
    }
}

fn count(size: usize) {
    CALLS.fetch_add(1, SeqCst);
    PEAK.fetch_max(LIVE.fetch_add(size, SeqCst) + size, SeqCst);
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}
