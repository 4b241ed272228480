//! Recurrent layers over whole sequences on CUDA: a product and a kernel for each step, in one operator of the graph.
//!
//! The input's share of the gates is computed for all steps at once before, and the gradient of the recurrent weights after,
//! each in one product.

#[cfg(feature = "cudnn")]
pub(crate) mod cudnn;
pub(crate) mod gru;
pub(crate) mod lstm;

pub(crate) use gru::gru;
pub(crate) use lstm::lstm;

use candle_core::{CudaDevice, DType, Result, Tensor, bail};
use gdl_kernels::cuda::Input;
use gdl_kernels::cuda::gemm::{Mat, gemm};

/// Sizes of a sequence: rows N, steps T, features H, and gates times H.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    rows: usize,
    steps: usize,
    size: usize,
    gates: usize,
}

impl Sizes {
    /// `gates` is (N, T, G H), the recurrent weights are (G H, H).
    fn of(gates: &Tensor, w_hh: &Tensor) -> Result<Self> {
        let (rows, steps, gates) = gates.dims3()?;
        Ok(Self { rows, steps, size: w_hh.dim(1)?, gates })
    }
}

/// The lengths of the rows for the kernels, which count in 32 bits.
fn on_device(lengths: Option<&[usize]>, like: &Tensor) -> Result<Option<Tensor>> {
    let Some(lengths) = lengths else { return Ok(None) };
    let lengths: Vec<u32> = lengths.iter().map(|&len| len as u32).collect();
    Tensor::new(lengths, like.device()).map(Some)
}

/// What multiplies a state with the recurrent weights: (N, H) to (N, G H), and back.
struct Product<'a> {
    device: &'a CudaDevice,
    dtype: DType,
    sizes: Sizes,
    /// The address of the weights (G H, H).
    weights: u64,
}

impl Product<'_> {
    /// `to` (N, G H) = `state` (N, H), of which the rows are `apart` elements from each other, times W^T.
    ///
    /// # Safety
    /// The addresses are those of live allocations of these sizes.
    unsafe fn forward(&self, state: u64, apart: usize, to: u64) -> Result<()> {
        let Sizes { rows, size, gates, .. } = self.sizes;
        let (state, weights) = (Mat::new(state, apart), Mat::new(self.weights, size).t());
        // SAFETY: the caller's.
        unsafe {
            gemm(self.device, self.dtype, (rows, gates, size), state, weights, Mat::new(to, gates), false)
        }
    }

    /// `to` (N, H) = `grad` (N, G H), of which the rows are `apart` elements from each other, times W.
    ///
    /// # Safety
    /// As [`forward`](Self::forward).
    unsafe fn backward(&self, grad: u64, apart: usize, to: u64) -> Result<()> {
        let Sizes { rows, size, gates, .. } = self.sizes;
        let (grad, weights) = (Mat::new(grad, apart), Mat::new(self.weights, size));
        // SAFETY: the caller's.
        unsafe {
            gemm(self.device, self.dtype, (rows, size, gates), grad, weights, Mat::new(to, size), false)
        }
    }
}

/// The states before each step (N T, H), from that at the start (N, H) and the outputs (N, T, H).
fn before(start: &Tensor, outputs: &Tensor) -> Result<Tensor> {
    let (rows, steps, size) = outputs.dims3()?;
    let all = match steps {
        1 => start.unsqueeze(1)?,
        _ => Tensor::cat(&[&start.unsqueeze(1)?, &outputs.narrow(1, 0, steps - 1)?], 1)?,
    };
    all.reshape((rows * steps, size))
}

/// Lends the elements of five tensors.
pub(crate) fn lend<R>(tensors: [&Tensor; 5], f: impl FnOnce([&Input<'_>; 5]) -> Result<R>) -> Result<R> {
    let [a, b, c, d, e] = tensors;
    Input::of(a, |a| {
        Input::of(b, |b| Input::of(c, |c| Input::of(d, |d| Input::of(e, |e| f([a, b, c, d, e])))))
    })
}

fn only_cuda<R>(op: &str) -> Result<R> {
    bail!("{op}: the CUDA kernel was given a tensor on the CPU")
}
