//! Vectors of the widest kind that the CPU has, chosen at run time.
//!
//! A [`Job`] is written once over [`Simd`] and compiled for each kind of vector, all of it inlined into one function
//! per kind. Plain loops in it are vectorised by the compiler for that kind too.

use gdl_kernels::gemm::Float;

/// An element type that the kernels compute in, and its vectors.
pub(crate) trait Real: Float + std::ops::Neg<Output = Self> {
    const TWO: Self;
    /// log2(e)
    const LOG2E: Self;
    /// ln 2 in two parts, of which k times the first is exact for every exponent k.
    const LN2: (Self, Self);
    /// 1.5 times 2^(mantissa bits): adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: Self;
    /// Beyond this exp(x) would not be finite, or its reciprocal not normal.
    const EXP_LIMIT: Self;
    /// 1/2!, 1/3!, ...: as many as exp(x) - 1 needs for |x| <= ln(2)/2.
    const FACTORIALS: &'static [Self];
    /// 2^k from k + [`ROUND`](Self::ROUND).
    fn pow2(rounded: Self) -> Self;
    fn fma(self, a: Self, b: Self) -> Self;
    fn abs(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    fn root(self) -> Self;

    type Plain: Vector<Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self>;
}

macro_rules! real {
    ($t:ty, $bits:ty, $mantissa:literal, $bias:literal, $ln2:expr, $limit:literal, $terms:literal,
     $plain:ty, $avx2:ident, $avx512:ident) => {
        impl Real for $t {
            const TWO: Self = 2.;
            const LOG2E: Self = std::f64::consts::LOG2_E as $t;
            const LN2: (Self, Self) = $ln2;
            const ROUND: Self = 1.5 * (1u64 << $mantissa) as $t;
            const EXP_LIMIT: Self = $limit;
            const FACTORIALS: &'static [Self] = &{
                let (mut out, mut factorial, mut k) = ([0.; $terms], 1., 0);
                while k < $terms {
                    factorial *= (k + 2) as f64;
                    out[k] = (1. / factorial) as $t;
                    k += 1;
                }
                out
            };

            #[inline(always)]
            fn pow2(rounded: Self) -> Self {
                Self::from_bits(rounded.to_bits().wrapping_add($bias) << $mantissa)
            }
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                <$t>::copysign(self, sign)
            }
            #[inline(always)]
            fn root(self) -> Self {
                <$t>::sqrt(self)
            }

            type Plain = $plain;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = std::arch::x86_64::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = std::arch::x86_64::$avx512;
        }
    };
}

// ln 2 split as in Cephes (f32) and fdlibm (f64).
real!(f32, u32, 23, 127, (0.693_359_4, -2.121_944_4e-4), 87., 6, [f32; 4], __m256, __m512);
real!(
    f64,
    u64,
    52,
    1023,
    (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10),
    708.,
    12,
    [f64; 2],
    __m256d,
    __m512d
);

/// Some neighbouring elements.
///
/// # Safety
///
/// All functions need a CPU that has this kind of vector; `load` and `store` need [`LANES`](Self::LANES) elements there.
pub(crate) trait Vector<T>: Copy {
    const LANES: usize;
    unsafe fn splat(value: T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    /// self + a b
    unsafe fn madd(self, a: Self, b: Self) -> Self;
}

impl<T: Float, const N: usize> Vector<T> for [T; N] {
    const LANES: usize = N;
    #[inline(always)]
    unsafe fn splat(value: T) -> Self {
        [value; N]
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller vouches for N elements; arrays are aligned like their elements.
        unsafe { *from.cast() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as in `load`.
        unsafe { *to.cast() = self }
    }
    #[inline(always)]
    unsafe fn madd(mut self, a: Self, b: Self) -> Self {
        for i in 0..N {
            self[i] += a[i] * b[i];
        }
        self
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86_vector {
    ($v:ident, $t:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $madd:ident) => {
        impl Vector<$t> for std::arch::x86_64::$v {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn splat(value: $t) -> Self {
                // SAFETY: the caller vouches for the CPU.
                unsafe { std::arch::x86_64::$splat(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: the caller vouches for the CPU and the elements; the instruction needs no alignment.
                unsafe { std::arch::x86_64::$load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: as in `load`.
                unsafe { std::arch::x86_64::$store(to, self) }
            }
            #[inline(always)]
            unsafe fn madd(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller vouches for the CPU.
                unsafe { std::arch::x86_64::$madd(a, b, self) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_vector!(__m256, f32, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
x86_vector!(__m256d, f64, 4, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd);
#[cfg(target_arch = "x86_64")]
x86_vector!(__m512, f32, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps);
#[cfg(target_arch = "x86_64")]
x86_vector!(__m512d, f64, 8, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd);

/// One kind of vector, and what goes with it.
pub(crate) trait Simd<T: Real> {
    type V: Vector<T>;
    /// Rows of a tile, so many that two columns of accumulators fit the registers.
    const TILE_ROWS: usize;
    /// a b + c, rounded once where the CPU does that in one instruction.
    fn madd(a: T, b: T, c: T) -> T;
}

struct Plain;
#[cfg(target_arch = "x86_64")]
struct Avx2;
#[cfg(target_arch = "x86_64")]
struct Avx512;

impl<T: Real> Simd<T> for Plain {
    type V = T::Plain;
    const TILE_ROWS: usize = 6;
    #[inline(always)]
    fn madd(a: T, b: T, c: T) -> T {
        a * b + c
    }
}

#[cfg(target_arch = "x86_64")]
impl<T: Real> Simd<T> for Avx2 {
    type V = T::Avx2;
    const TILE_ROWS: usize = 6;
    #[inline(always)]
    fn madd(a: T, b: T, c: T) -> T {
        a.fma(b, c)
    }
}

#[cfg(target_arch = "x86_64")]
impl<T: Real> Simd<T> for Avx512 {
    type V = T::Avx512;
    const TILE_ROWS: usize = 12;
    #[inline(always)]
    fn madd(a: T, b: T, c: T) -> T {
        a.fma(b, c)
    }
}

/// Something to compute with vectors of some kind. Implementations are `#[inline(always)]`.
pub(crate) trait Job<T: Real> {
    /// # Safety
    ///
    /// The CPU must have vectors of the kind S.
    unsafe fn run<S: Simd<T>>(&mut self);
}

/// A kind of vector that this CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Isa(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Every kind this CPU has, the widest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut kinds = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                kinds.push(Self(Kind::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                kinds.push(Self(Kind::Avx2));
            }
        }
        kinds.push(Self(Kind::Plain));
        kinds
    }

    /// The widest kind this CPU has.
    pub(crate) fn best() -> Self {
        Self::available()[0]
    }

    /// Elements of one vector.
    pub(crate) fn lanes<T: Real>(self) -> usize {
        match self.0 {
            Kind::Plain => T::Plain::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => T::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => T::Avx512::LANES,
        }
    }

    /// Runs a job with vectors of this kind.
    pub(crate) fn run<T: Real>(self, job: &mut impl Job<T>) {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<T: Real>(job: &mut impl Job<T>) {
            // SAFETY: this function is only called where the CPU has these features.
            unsafe { job.run::<Avx512>() }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2<T: Real>(job: &mut impl Job<T>) {
            // SAFETY: this function is only called where the CPU has these features.
            unsafe { job.run::<Avx2>() }
        }
        match self.0 {
            // SAFETY: arrays need nothing of the CPU.
            Kind::Plain => unsafe { job.run::<Plain>() },
            // SAFETY: values of this kind are only made by `available`, after the CPU was asked.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2(job) },
            // SAFETY: values of this kind are only made by `available`, after the CPU was asked; every CPU with
            // AVX-512 has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512(job) },
        }
    }
}
