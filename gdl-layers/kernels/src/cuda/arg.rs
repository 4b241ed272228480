use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::cudarc::driver::{CudaStream, DevicePtr, DevicePtrMut, SyncOnDrop};
use candle_core::cuda_backend::{CudaStorage, CudaStorageSlice};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, DType, Layout, Result, Shape, Storage, Tensor, bail};

/// A tensor in row-major order: itself where its layout is contiguous, a copy where it is not.
#[derive(Debug)]
pub struct Input<'a> {
    storage: Held<'a>,
    start: usize,
}

#[derive(Debug)]
enum Held<'a> {
    Lent(&'a CudaStorage),
    Copied(CudaStorage),
}

impl<'a> Input<'a> {
    /// The elements that a layout names of a storage.
    ///
    /// # Errors
    /// When a copy cannot be allocated.
    pub fn new(storage: &'a CudaStorage, layout: &Layout) -> Result<Self> {
        if let Some((start, _)) = layout.contiguous_offsets() {
            return Ok(Self { storage: Held::Lent(storage), start });
        }
        let mut copy = empty(&storage.device, storage.dtype(), layout.shape())?;
        storage.copy_strided_src(&mut copy, 0, layout)?;
        Ok(Self { storage: Held::Copied(copy), start: 0 })
    }

    /// Runs `f` on the elements of a tensor, which must lie on CUDA.
    ///
    /// # Errors
    /// For a tensor elsewhere, and those of `f`.
    pub fn of<R>(tensor: &Tensor, f: impl FnOnce(&Input<'_>) -> Result<R>) -> Result<R> {
        Self::of_all([tensor], |[input]| f(input))
    }

    /// As [`of`](Self::of), of several tensors at once.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_all<const N: usize, R>(
        tensors: [&Tensor; N],
        f: impl FnOnce([&Input<'_>; N]) -> Result<R>,
    ) -> Result<R> {
        let held = tensors.map(Tensor::storage_and_layout);
        let mut inputs = Vec::with_capacity(N);
        for ((storage, layout), tensor) in held.iter().zip(tensors) {
            match &**storage {
                Storage::Cuda(storage) => inputs.push(Input::new(storage, layout)?),
                _ => bail!("a CUDA kernel was given a tensor on {:?}", tensor.device().location()),
            }
        }
        f(std::array::from_fn(|i| &inputs[i]))
    }

    /// As [`of`](Self::of), of a tensor that may be missing.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_maybe<R>(
        tensor: Option<&Tensor>,
        f: impl FnOnce(Option<&Input<'_>>) -> Result<R>,
    ) -> Result<R> {
        match tensor {
            Some(tensor) => Self::of(tensor, |input| f(Some(input))),
            None => f(None),
        }
    }

    /// The address of the first element, to be read, as [`pointer()`] has it.
    ///
    /// # Errors
    /// For element types that no kernel takes.
    pub fn pointer<'s>(&'s self, stream: &'s CudaStream) -> Result<(u64, SyncOnDrop<'s>)> {
        let (storage, start) = self.parts();
        pointer(storage, start, stream)
    }

    /// The storage, and the place of the first element in it.
    pub fn parts(&self) -> (&CudaStorage, usize) {
        match &self.storage {
            Held::Lent(storage) => (storage, self.start),
            Held::Copied(storage) => (storage, self.start),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.parts().0.dtype()
    }

    /// The device.
    pub fn device(&self) -> &CudaDevice {
        &self.parts().0.device
    }
}

/// Room for a tensor, whose contents are arbitrary until a kernel has written them.
///
/// # Errors
/// When there is no memory left.
pub fn empty(device: &CudaDevice, dtype: DType, shape: &Shape) -> Result<CudaStorage> {
    // SAFETY: every kernel that gets this as its output writes each element before anything reads it.
    unsafe { device.alloc_uninit(shape, dtype) }
}

/// As [`empty`], filled with zeros.
///
/// # Errors
/// When there is no memory left.
pub fn zeros(device: &CudaDevice, dtype: DType, shape: &Shape) -> Result<CudaStorage> {
    device.zeros_impl(shape, dtype)
}

/// A tensor of what a kernel has written, outside of any graph.
pub fn tensor(storage: CudaStorage, shape: impl Into<Shape>) -> Tensor {
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

/// A copy of a tensor's storage, for operators that were composed of others on the way.
///
/// # Errors
/// For a tensor that does not lie on CUDA, and when there is no memory left.
pub fn copy(tensor: &Tensor) -> Result<(CudaStorage, Shape)> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => Ok((storage.try_clone(layout)?, tensor.shape().clone())),
        _ => bail!("a CUDA kernel was given a tensor on {:?}", tensor.device().location()),
    }
}

/// The width of an element in bytes, by which [`pointer()`] and [`pointer_mut`] move.
fn at(start: usize, dtype: DType) -> u64 {
    (start * dtype.size_in_bytes()) as u64
}

macro_rules! by_slice {
    ($slice:expr, $data:ident => $found:expr) => {
        match $slice {
            CudaStorageSlice::U8($data) => $found,
            CudaStorageSlice::U32($data) => $found,
            CudaStorageSlice::I64($data) => $found,
            CudaStorageSlice::F16($data) => $found,
            CudaStorageSlice::BF16($data) => $found,
            CudaStorageSlice::F32($data) => $found,
            CudaStorageSlice::F64($data) => $found,
            _ => bail!("no CUDA kernel takes this element type"),
        }
    };
}

/// The address of the element at `start`, to be read. What comes with it is dropped when the work is in the stream.
///
/// # Errors
/// For element types that no kernel takes.
pub fn pointer<'a>(
    storage: &'a CudaStorage,
    start: usize,
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
    let offset = at(start, storage.dtype());
    let (pointer, guard) = by_slice!(&storage.slice, data => data.device_ptr(stream));
    Ok((pointer + offset, guard))
}

/// As [`pointer()`], to be written.
///
/// # Errors
/// For element types that no kernel takes.
pub fn pointer_mut<'a>(
    storage: &'a mut CudaStorage,
    start: usize,
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
    let offset = at(start, storage.dtype());
    let (pointer, guard) = by_slice!(&mut storage.slice, data => data.device_ptr_mut(stream));
    Ok((pointer + offset, guard))
}
