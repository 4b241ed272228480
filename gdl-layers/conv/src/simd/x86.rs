//! AVX-512 and AVX2 with FMA.

use super::{Job, Lanes};
use std::arch::x86_64::*;

/// # Safety
///
/// As [`super::run`], on a machine with AVX-512F.
#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) unsafe fn run_avx512(job: &impl Job) {
    // SAFETY: the features are on; the pointers are the caller's promise.
    unsafe { job.run::<__m512>() }
}

/// # Safety
///
/// As [`super::run`], on a machine with AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run_avx2(job: &impl Job) {
    // SAFETY: as above.
    unsafe { job.run::<__m256>() }
}

// SAFETY of the blocks below: the contract of `Lanes` is that the caller has the instruction set and that the pointers
// reach `N` values (or `N` rows of `N`).

impl Lanes for __m512 {
    const N: usize = 16;
    const ROWS: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm512_fmadd_ps(self, a, b) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: see above.
        unsafe {
            let zero = _mm512_setzero_ps();
            let mut a = [zero; 16];
            // Pairs of rows, interleaved.
            for i in 0..8 {
                let (x, y) =
                    (Self::load(from.add(2 * i * from_row)), Self::load(from.add((2 * i + 1) * from_row)));
                a[2 * i] = _mm512_unpacklo_ps(x, y);
                a[2 * i + 1] = _mm512_unpackhi_ps(x, y);
            }
            // Fours of rows: lane l of b[4 g + j] is column 4 l + j of rows 4 g to 4 g + 3.
            let mut b = [zero; 16];
            for g in 0..4 {
                for h in 0..2 {
                    let x = _mm512_castps_pd(a[4 * g + h]);
                    let y = _mm512_castps_pd(a[4 * g + h + 2]);
                    b[4 * g + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
                    b[4 * g + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
                }
            }
            for j in 0..4 {
                let x = _mm512_shuffle_f32x4::<0x88>(b[j], b[4 + j]);
                let y = _mm512_shuffle_f32x4::<0x88>(b[8 + j], b[12 + j]);
                _mm512_shuffle_f32x4::<0x88>(x, y).store(to.add(j * to_row));
                _mm512_shuffle_f32x4::<0xdd>(x, y).store(to.add((8 + j) * to_row));
                let x = _mm512_shuffle_f32x4::<0xdd>(b[j], b[4 + j]);
                let y = _mm512_shuffle_f32x4::<0xdd>(b[8 + j], b[12 + j]);
                _mm512_shuffle_f32x4::<0x88>(x, y).store(to.add((4 + j) * to_row));
                _mm512_shuffle_f32x4::<0xdd>(x, y).store(to.add((12 + j) * to_row));
            }
        }
    }
}

impl Lanes for __m256 {
    const N: usize = 8;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { _mm256_fmadd_ps(self, a, b) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: see above.
        unsafe {
            let zero = _mm256_setzero_ps();
            let mut a = [zero; 8];
            for i in 0..4 {
                let (x, y) =
                    (Self::load(from.add(2 * i * from_row)), Self::load(from.add((2 * i + 1) * from_row)));
                a[2 * i] = _mm256_unpacklo_ps(x, y);
                a[2 * i + 1] = _mm256_unpackhi_ps(x, y);
            }
            let mut b = [zero; 8];
            for g in 0..2 {
                for h in 0..2 {
                    let x = _mm256_castps_pd(a[4 * g + h]);
                    let y = _mm256_castps_pd(a[4 * g + h + 2]);
                    b[4 * g + 2 * h] = _mm256_castpd_ps(_mm256_unpacklo_pd(x, y));
                    b[4 * g + 2 * h + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(x, y));
                }
            }
            for j in 0..4 {
                _mm256_permute2f128_ps::<0x20>(b[j], b[4 + j]).store(to.add(j * to_row));
                _mm256_permute2f128_ps::<0x31>(b[j], b[4 + j]).store(to.add((4 + j) * to_row));
            }
        }
    }
}
