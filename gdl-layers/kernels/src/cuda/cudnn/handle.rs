use super::error::{Error, Result, check};
use candle_core::DType;
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream, DevicePtr};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// The element types that cuDNN takes here. Sums are in `f64` for `F64` and in `f32` for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// IEEE half precision.
    F16,
    /// The upper half of a single-precision number.
    BF16,
}

impl Dtype {
    /// The type of that name in candle, if it is one of these.
    pub fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::F64 => Some(Self::F64),
            DType::F16 => Some(Self::F16),
            DType::BF16 => Some(Self::BF16),
            _ => None,
        }
    }

    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    pub(super) fn raw(self) -> sys::cudnnDataType_t {
        match self {
            Self::F32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            Self::F64 => sys::cudnnDataType_t::CUDNN_DATA_DOUBLE,
            Self::F16 => sys::cudnnDataType_t::CUDNN_DATA_HALF,
            Self::BF16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
        }
    }

    /// The type of sums.
    pub(super) fn compute(self) -> sys::cudnnDataType_t {
        if self == Self::F64 { self.raw() } else { Self::F32.raw() }
    }

    /// How products may be computed.
    ///
    /// For `F32` the default of cuDNN lets an Ampere or later GPU round the factors to TF32; FMA does not. The modes
    /// "tensor op" for `F32`, with conversion, would round them to half precision: nobody gets these.
    pub(super) fn math(self, tf32: bool) -> sys::cudnnMathType_t {
        match self {
            Self::F32 if !tf32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            Self::F32 | Self::F64 => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
            Self::F16 | Self::BF16 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        }
    }
}

/// A device and a stream of it. Who holds the key holds the stream, so that no other stream takes its address.
type StreamKey = (usize, usize);

fn key(stream: &CudaStream) -> StreamKey {
    (stream.context().ordinal(), stream.cu_stream() as usize)
}

thread_local! {
    // A handle must not be used by two threads at once.
    static HANDLES: RefCell<HashMap<StreamKey, Rc<Handle>>> = RefCell::default();
}

/// A handle of cuDNN for one thread and one stream.
#[derive(Debug)]
pub(super) struct Handle {
    raw: sys::cudnnHandle_t,
    stream: Arc<CudaStream>,
}

impl Handle {
    /// This thread's handle for the stream, made on first use. The stream's device becomes the current one.
    pub(super) fn of(stream: &Arc<CudaStream>) -> Result<Rc<Self>> {
        stream.context().bind_to_thread().map_err(Error::driver("cuCtxSetCurrent"))?;
        if let Some(handle) = HANDLES.with_borrow(|handles| handles.get(&key(stream)).cloned()) {
            return Ok(handle);
        }
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is a place for the handle, and the device is current.
        check("cudnnCreate", unsafe { sys::cudnnCreate(&mut raw) })?;
        let handle = Rc::new(Self { raw, stream: stream.clone() });
        // SAFETY: both are alive, and the handle keeps the stream so.
        check("cudnnSetStream", unsafe { sys::cudnnSetStream(raw, stream.cu_stream().cast()) })?;
        HANDLES.with_borrow_mut(|handles| handles.insert(key(stream), handle.clone()));
        Ok(handle)
    }

    pub(super) fn raw(&self) -> sys::cudnnHandle_t {
        self.raw
    }

    pub(super) fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A failure here, at the end of a thread, has nobody to tell.
        // SAFETY: the handle was created by `of` and is destroyed once.
        let _ = unsafe { sys::cudnnDestroy(self.raw) };
    }
}

static WORKSPACE_LIMIT: AtomicUsize = AtomicUsize::new(1 << 30);

/// Sets how many bytes of workspace a convolution may take; 1 GiB unless set. The memory that is free when an
/// algorithm is chosen bounds it too. Algorithms chosen before are chosen anew.
pub fn set_workspace_limit(bytes: usize) {
    WORKSPACE_LIMIT.store(bytes, Ordering::Relaxed);
    super::algorithm::forget();
}

/// The bytes of workspace that a convolution on this stream may take now.
pub(super) fn workspace_limit(stream: &CudaStream) -> Result<usize> {
    let (free, _) = stream.context().mem_get_info().map_err(Error::driver("cuMemGetInfo"))?;
    Ok(WORKSPACE_LIMIT.load(Ordering::Relaxed).min(free))
}

type Slot = Arc<Mutex<Option<CudaSlice<u8>>>>;

static WORKSPACES: LazyLock<Mutex<HashMap<StreamKey, Slot>>> = LazyLock::new(Mutex::default);

/// A panic elsewhere leaves what is guarded here whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `enqueue` with the stream's workspace, grown to so many bytes; with null for none.
///
/// Work on one stream runs in order, so the next call may take the same memory. The lock is held until the work
/// is enqueued: were the buffer to grow in between, its old memory would be freed before the work that uses it.
pub(super) fn with_workspace<T>(
    stream: &Arc<CudaStream>,
    bytes: usize,
    enqueue: impl FnOnce(*mut c_void) -> Result<T>,
) -> Result<T> {
    if bytes == 0 {
        return enqueue(std::ptr::null_mut());
    }
    let slot = lock(&WORKSPACES).entry(key(stream)).or_default().clone();
    let mut slot = lock(&slot);
    if slot.as_ref().is_none_or(|held| held.len() < bytes) {
        // The old buffer first, so that both never stand side by side.
        *slot = None;
        // SAFETY: a workspace is written before it is read.
        let grown = unsafe { stream.alloc::<u8>(bytes) };
        *slot = Some(grown.map_err(Error::driver("allocation of cuDNN's workspace"))?);
    }
    match slot.as_ref() {
        Some(held) => enqueue(address(held, stream) as *mut c_void),
        None => Err(Error::invalid("no workspace")),
    }
}

/// Where a buffer that this stream alone uses lies on the device.
pub(super) fn address<T>(buffer: &CudaSlice<T>, stream: &CudaStream) -> u64 {
    // The guard records an event for other streams; there are none.
    buffer.device_ptr(stream).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::cudnnMathType_t as Math;

    #[test]
    fn full_precision_unless_asked_otherwise() {
        assert_eq!(Dtype::F32.math(false), Math::CUDNN_FMA_MATH);
        assert_eq!(Dtype::F32.math(true), Math::CUDNN_DEFAULT_MATH);
        assert_eq!(Dtype::F64.math(true), Math::CUDNN_DEFAULT_MATH);
        assert_eq!(Dtype::BF16.math(false), Math::CUDNN_TENSOR_OP_MATH);
        assert_eq!(Dtype::F16.compute(), sys::cudnnDataType_t::CUDNN_DATA_FLOAT);
        assert_eq!(Dtype::F64.compute(), sys::cudnnDataType_t::CUDNN_DATA_DOUBLE);
    }
}
