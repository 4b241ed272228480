use super::arg::{Input, pointer_mut};
use super::source::Source;
use super::sum_type;
use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaStorage, WrapErr};
use candle_core::{CudaDevice, DType, Error, Result, bail};

/// The threads of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    blocks: usize,
    threads: u32,
}

impl Grid {
    /// Threads for a loop over so many elements, each of which takes several if they are many.
    pub fn elements(count: usize) -> Self {
        Self { blocks: count.div_ceil(256).clamp(1, 1 << 20), threads: 256 }
    }

    /// So many blocks, which share the `work` of each among their threads.
    pub fn blocks(blocks: usize, work: usize) -> Self {
        Self { blocks, threads: work.next_multiple_of(32).clamp(32, 512) as u32 }
    }
}

/// An argument of a kernel, in the order in which the kernel declares them.
#[derive(Debug)]
pub enum Param<'a> {
    /// `const T *`, or of integers
    In(&'a Input<'a>),
    /// `const T *`, or of integers, that may be missing
    Maybe(Option<&'a Input<'a>>),
    /// `const A *` that may be missing: sums
    Sums(Option<&'a Input<'a>>),
    /// `T *`, from this element on
    Out(&'a mut CudaStorage, usize),
    /// `uint`
    Int(usize),
    /// `int`
    Signed(isize),
    /// `double`
    Real(f64),
}

/// An argument as it is handed over.
enum Value {
    Pointer(u64),
    Int(u32),
    Signed(i32),
    Real(f64),
}

/// Puts a kernel into the device's stream.
///
/// # Errors
/// When it cannot be compiled, a tensor is of another type, a size does not fit into 32 bits, or the device refuses.
pub fn launch(
    device: &CudaDevice,
    source: &Source,
    dtype: DType,
    function: &'static str,
    grid: Grid,
    params: &mut [Param<'_>],
) -> Result<()> {
    let stream = device.cuda_stream();
    let mut guards = Vec::with_capacity(params.len());
    let mut values = Vec::with_capacity(params.len());
    for param in params {
        let sums = matches!(param, Param::Sums(_));
        values.push(match param {
            Param::In(input) | Param::Maybe(Some(input)) | Param::Sums(Some(input)) => {
                let own = input.dtype();
                let want = if sums { sum_type(dtype) } else { dtype };
                if own != want && own.is_float() {
                    return Err(mixed(source.name, want, own));
                }
                let (pointer, guard) = input.pointer(&stream)?;
                guards.push(guard);
                Value::Pointer(pointer)
            }
            Param::Maybe(None) | Param::Sums(None) => Value::Pointer(0),
            Param::Out(storage, start) => {
                let (pointer, guard) = pointer_mut(storage, *start, &stream)?;
                guards.push(guard);
                Value::Pointer(pointer)
            }
            // Half of what `uint` holds: loops may step over the end without wrapping.
            Param::Int(value) => match i32::try_from(*value) {
                Ok(value) => Value::Int(value as u32),
                Err(_) => bail!("{}: {value} elements are more than the CUDA kernel can count", source.name),
            },
            Param::Signed(value) => match i32::try_from(*value) {
                Ok(value) => Value::Signed(value),
                Err(_) => bail!("{}: {value} is more than the CUDA kernel can count", source.name),
            },
            Param::Real(value) => Value::Real(*value),
        });
    }
    let Ok(blocks) = u32::try_from(grid.blocks) else { bail!("{}: {} blocks", source.name, grid.blocks) };
    if blocks == 0 {
        return Ok(());
    }
    let function = source.function(device, dtype, function)?;
    let mut builder = stream.launch_builder(&function);
    for value in &values {
        match value {
            Value::Pointer(value) => builder.arg(value),
            Value::Int(value) => builder.arg(value),
            Value::Signed(value) => builder.arg(value),
            Value::Real(value) => builder.arg(value),
        };
    }
    let config =
        LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (grid.threads, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the caller passes what the kernel declares, and the storages outlive the call; the stream keeps the order of
    // their later uses, and of their release.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}

/// What an operator answers to tensors of two types: its kernels read all as one.
fn mixed(op: &'static str, lhs: DType, rhs: DType) -> Error {
    Error::DTypeMismatchBinaryOp { lhs, rhs, op }.bt()
}

/// An error where the tensors of an operator differ in type.
///
/// # Errors
/// Then.
pub fn same_type(op: &'static str, tensors: &[&Input<'_>]) -> Result<()> {
    let Some((first, rest)) = tensors.split_first() else { return Ok(()) };
    match rest.iter().find(|input| input.dtype() != first.dtype()) {
        Some(other) => Err(mixed(op, first.dtype(), other.dtype())),
        None => Ok(()),
    }
}
