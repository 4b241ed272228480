//! Matrix products on the device, in row-major terms, written where the result belongs.

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::cuda_backend::gemm_reduced_precision_f32;
use candle_core::{CudaDevice, DType, Error, Result, bail};
use std::ffi::c_void;

/// A matrix that lies on the device, from an address on, its rows `row` elements apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mat {
    /// The address of the first element.
    pub at: u64,
    /// Elements from one stored row to the next.
    pub row: usize,
    /// Whether the product takes its transpose.
    pub transposed: bool,
}

impl Mat {
    /// As it is stored.
    pub fn new(at: u64, row: usize) -> Self {
        Self { at, row, transposed: false }
    }

    /// Its transpose.
    pub fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }
}

/// What becomes of a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Put {
    /// It is written over what is there.
    Over,
    /// So many times it is written over what is there. In half precision it is scaled before it is rounded.
    Scaled(f64),
    /// It is added to what is there.
    Onto,
}

/// `c = a b`, a multiple of it, or `c += a b`: (m, k) times (k, n).
///
/// Sums are taken in f32, or f64 for f64; f32 factors are rounded to TF32 only where candle's
/// `set_gemm_reduced_precision_f32` asks for it.
///
/// # Safety
/// The three addresses are those of live allocations of the device's element type `dtype`, as large as the sizes and row
/// distances say, and `c` overlaps neither factor.
///
/// # Errors
/// For a size beyond 32 bits, an element type without a product, or when cuBLAS refuses.
pub unsafe fn gemm(
    device: &CudaDevice,
    dtype: DType,
    (m, n, k): (usize, usize, usize),
    a: Mat,
    b: Mat,
    c: Mat,
    put: Put,
) -> Result<()> {
    use sys::cublasComputeType_t as Compute;
    use sys::cudaDataType_t as Data;
    if m == 0 || n == 0 {
        return Ok(());
    }
    let (kind, compute) = match dtype {
        DType::F32 if gemm_reduced_precision_f32() => {
            (Data::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F_FAST_TF32)
        }
        DType::F32 => (Data::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F),
        DType::F64 => (Data::CUDA_R_64F, Compute::CUBLAS_COMPUTE_64F),
        DType::F16 => (Data::CUDA_R_16F, Compute::CUBLAS_COMPUTE_32F),
        DType::BF16 => (Data::CUDA_R_16BF, Compute::CUBLAS_COMPUTE_32F),
        other => bail!("gemm: no product of {} on CUDA", other.as_str()),
    };
    let int = |v: usize| match i32::try_from(v) {
        Ok(v) => Ok(v),
        Err(_) => bail!("gemm: a matrix of {m}x{k} times {k}x{n} is too large for cuBLAS"),
    };
    let turned = |mat: Mat| match mat.transposed {
        true => sys::cublasOperation_t::CUBLAS_OP_T,
        false => sys::cublasOperation_t::CUBLAS_OP_N,
    };
    let double = match put {
        Put::Over => [1f64, 0.0],
        Put::Scaled(factor) => [factor, 0.0],
        Put::Onto => [1.0, 1.0],
    };
    let single = double.map(|v| v as f32);
    let [alpha, beta]: [*const c_void; 2] = match dtype {
        DType::F64 => double.each_ref().map(|v| std::ptr::from_ref(v).cast()),
        _ => single.each_ref().map(|v| std::ptr::from_ref(v).cast()),
    };
    let blas = device.cublas_handle();
    // cuBLAS counts columns first: what it sees of each matrix is the transpose, and it computes c^T = b^T a^T.
    // SAFETY: the caller vouches for the addresses; the scalars live until the call returns.
    unsafe {
        result::gemm_ex(
            *blas.handle(),
            turned(b),
            turned(a),
            int(n)?,
            int(m)?,
            int(k)?,
            alpha,
            b.at as *const c_void,
            kind,
            int(b.row)?,
            a.at as *const c_void,
            kind,
            int(a.row)?,
            beta,
            c.at as *mut c_void,
            kind,
            int(c.row)?,
            compute,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .map_err(Error::wrap)
}
