//! Vector code that is written once and compiled for each instruction set, chosen at run time.
//!
//! A [`Job`] is generic over [`Lanes`]; [`run`] compiles it inside a function that has the instruction set's features
//! on. Everything that a job calls must be `#[inline(always)]`, or it would be compiled without them.

mod portable;
mod product;
mod transpose;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use product::Product;
pub(crate) use transpose::{from_pixels, to_pixels};

/// An instruction set that this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Isa(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Isa {
    /// All that this machine has, the widest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                all.push(Self(Kind::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self(Kind::Avx2));
            }
        }
        all.push(Self(Kind::Portable));
        all
    }

    /// The widest that this machine has.
    pub(crate) fn best() -> Self {
        static BEST: std::sync::OnceLock<Isa> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// Values in a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
            _ => 8,
        }
    }

    /// Columns that [`Product`] computes at once: the width of a panel of packed weights.
    pub(crate) fn panel(self) -> usize {
        2 * self.lanes()
    }
}

/// A vector of `N` f32.
///
/// # Safety
///
/// All methods need the instruction set of the implementing type. Pointers need no alignment; `load` reads and
/// `store` writes `N` values.
pub(crate) trait Lanes: Copy {
    /// Values in a vector.
    const N: usize;
    /// Rows of the register tile of a product, two vectors wide.
    const ROWS: usize;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * a + b`
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// Transposes `N` rows of `N` values: reads `from[i * from_row + j]`, writes `to[j * to_row + i]`.
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize);
}

/// Work on raw pointers, generic over the vector.
pub(crate) trait Job {
    /// # Safety
    ///
    /// The instruction set of `V` must be there, and whatever pointers the job holds must be valid for what it does.
    unsafe fn run<V: Lanes>(&self);
}

/// Runs a job with an instruction set.
///
/// # Safety
///
/// The pointers that the job holds must be valid for what it does.
pub(crate) unsafe fn run(isa: Isa, job: &impl Job) {
    match isa.0 {
        // SAFETY: an `Isa` is only made for a machine that has it; the pointers are the caller's promise.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { x86::run_avx512(job) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::run_avx2(job) },
        // SAFETY: portable code needs no instruction set; the pointers are the caller's promise.
        Kind::Portable => unsafe { job.run::<portable::Eight>() },
    }
}
