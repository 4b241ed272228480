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

use candle_core::{CudaStorage, Layout, Result, Tensor};
use gdl_kernels::cuda::gemm::{Mat, Put, gemm};
use gdl_kernels::cuda::{Input, empty, pointer, pointer_mut};

/// Sizes of a sequence: rows N, steps T, features H, and gates times H.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    rows: usize,
    steps: usize,
    size: usize,
    gates: usize,
}

/// The lengths of the rows for the kernels, which count in 32 bits.
fn on_device(lengths: Option<&[usize]>, like: &Tensor) -> Result<Option<Tensor>> {
    let Some(lengths) = lengths else { return Ok(None) };
    let lengths: Vec<u32> = lengths.iter().map(|&len| len as u32).collect();
    Tensor::new(lengths, like.device()).map(Some)
}

/// Runs a layer forward. For each step `kernel(step, product, states)` gets the product (N, G H) of the states before it with
/// the recurrent weights, and writes the states of the step into `states` (…, N, T, H), which begins with the h of all steps.
fn forward_steps(
    sizes: Sizes,
    w_hh: &Input<'_>,
    start: &Input<'_>,
    states: &mut CudaStorage,
    mut kernel: impl FnMut(usize, &Input<'_>, &mut CudaStorage) -> Result<()>,
) -> Result<()> {
    let Sizes { rows, steps, size, gates } = sizes;
    let (device, dtype) = (w_hh.device(), w_hh.dtype());
    let stream = device.cuda_stream();
    let layout = Layout::contiguous((rows, gates));
    let mut product = empty(device, dtype, layout.shape())?;
    let weights = Mat::new(w_hh.pointer(&stream)?.0, size).t();
    for step in 0..steps {
        let before = match step {
            0 => Mat::new(start.pointer(&stream)?.0, size),
            _ => Mat::new(pointer(states, (step - 1) * size, &stream)?.0, steps * size),
        };
        let to = Mat::new(pointer_mut(&mut product, 0, &stream)?.0, gates);
        // SAFETY: the states before this step (N, H) lie in `start`, or in `states` T H elements apart; the product has its
        // own buffer, and the weights are (G H, H).
        unsafe { gemm(device, dtype, (rows, gates, size), before, weights, to, Put::Over)? };
        kernel(step, &Input::new(&product, &layout)?, states)?;
    }
    Ok(())
}

/// Runs a layer backward. For each step, from the last, `kernel(step, passed, grads)` gets what the product sends back from the
/// step after (N, H), arbitrary at the last, and writes the gradient of the product into `grads` (N, T, G H). Returns what
/// goes back to the start (N, H).
fn backward_steps(
    sizes: Sizes,
    w_hh: &Input<'_>,
    grads: &mut CudaStorage,
    mut kernel: impl FnMut(usize, &Input<'_>, &mut CudaStorage) -> Result<()>,
) -> Result<CudaStorage> {
    let Sizes { rows, steps, size, gates } = sizes;
    let (device, dtype) = (w_hh.device(), w_hh.dtype());
    let stream = device.cuda_stream();
    let layout = Layout::contiguous((rows, size));
    let mut passed = empty(device, dtype, layout.shape())?;
    let weights = Mat::new(w_hh.pointer(&stream)?.0, size);
    for step in (0..steps).rev() {
        kernel(step, &Input::new(&passed, &layout)?, grads)?;
        let of_step = Mat::new(pointer(grads, step * gates, &stream)?.0, steps * gates);
        let to = Mat::new(pointer_mut(&mut passed, 0, &stream)?.0, size);
        // SAFETY: the gradient of this step (N, G H) lies in `grads` T G H elements apart; the result has its own buffer.
        unsafe { gemm(device, dtype, (rows, size, gates), of_step, weights, to, Put::Over)? };
    }
    Ok(passed)
}

/// The last steps of the rows.
fn ends(x: &Tensor, lengths: Option<&[usize]>) -> Result<Vec<usize>> {
    Ok(match lengths {
        Some(lengths) => lengths.to_vec(),
        None => vec![x.dim(1)?; x.dim(0)?],
    })
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
