//! Tensors as `torch.save` describes them, and how they are cut out of their storages.

use super::pickle::{Id, Pickle, Value, kind};
use candle_core::{DType, Device, Tensor};

/// One tensor: where its numbers are.
#[derive(Debug, Clone)]
pub(super) struct Described {
    /// The storage's name.
    pub(super) storage: String,
    pub(super) dtype: DType,
    /// Elements of the whole storage.
    pub(super) len: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Described {
    /// Reads the call that makes a tensor, and refuses any other.
    pub(super) fn read(pickle: &Pickle, id: Id) -> Result<Self, String> {
        let (callable, args) = match pickle.get(id) {
            Value::Call(callable, args) => (pickle.get(*callable), pickle.tuple(*args)?),
            other => return Err(format!("is {}; only tensors are read", kind(other))),
        };
        let Value::Global(name) = callable else { return Err("is a call of what is no name".to_string()) };
        match (name.as_str(), args) {
            (
                "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2",
                [storage, offset, shape, strides, ..],
            ) => Self::view(pickle, *storage, *offset, *shape, *strides),
            ("torch._utils._rebuild_parameter", [tensor, ..]) => match pickle.get(*tensor) {
                // One level: a parameter of a parameter would be followed without end.
                Value::Call(callable, _) if !is_parameter(pickle.get(*callable)) => {
                    Self::read(pickle, *tensor)
                }
                _ => Err("is a parameter of no tensor".to_string()),
            },
            _ => Err(format!("is made by {name} in a way that is not known")),
        }
    }

    fn view(pickle: &Pickle, storage: Id, offset: Id, shape: Id, strides: Id) -> Result<Self, String> {
        let Value::Persistent(storage) = pickle.get(storage) else {
            return Err("has no storage".to_string());
        };
        let [tag, class, name, _device, len, view @ ..] = pickle.tuple(*storage)? else {
            return Err("has no storage".to_string());
        };
        if pickle.text(*tag)? != "storage" || view.iter().any(|&v| *pickle.get(v) != Value::None) {
            return Err("has a storage of a kind that is not known".to_string());
        }
        let described = Self {
            storage: pickle.text(*name)?.to_string(),
            dtype: dtype(pickle.get(*class))?,
            len: pickle.count(*len)?,
            offset: pickle.count(offset)?,
            shape: pickle.counts(shape)?,
            strides: pickle.counts(strides)?,
        };
        if described.end().is_none_or(|end| end > described.len) {
            return Err("reaches beyond its storage".to_string());
        }
        Ok(described)
    }

    /// One past the last element in the storage; none where the numbers are impossible.
    fn end(&self) -> Option<usize> {
        if self.shape.len() != self.strides.len() {
            return None;
        }
        if self.shape.contains(&0) {
            return Some(0);
        }
        let last =
            self.shape.iter().zip(&self.strides).try_fold(self.offset, |at, (size, stride)| {
                at.checked_add((size - 1).checked_mul(*stride)?)
            })?;
        // Strides of 0 make more of a tensor than there is of its storage; no layer's weights have them.
        let elements = self.shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size))?;
        (elements <= self.len).then_some(last.checked_add(1)?)
    }

    /// Bytes of the whole storage.
    pub(super) fn storage_bytes(&self) -> Option<u64> {
        u64::try_from(self.len).ok()?.checked_mul(self.dtype.size_in_bytes() as u64)
    }

    /// Cuts the tensor out of its storage's bytes.
    pub(super) fn cut(&self, storage: &[u8]) -> Result<Tensor, String> {
        let size = self.dtype.size_in_bytes();
        if storage.len() < self.end().unwrap_or(usize::MAX).saturating_mul(size) {
            return Err("reaches beyond its storage".to_string());
        }
        let elements: usize = self.shape.iter().product();
        let mut bytes = Vec::with_capacity(elements * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..elements {
            let at =
                self.offset + index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<usize>();
            bytes.extend_from_slice(&storage[at * size..(at + 1) * size]);
            for (i, size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *size {
                    break;
                }
                *i = 0;
            }
        }
        Tensor::from_raw_buffer(&bytes, self.dtype, &self.shape, &Device::Cpu).map_err(|e| e.to_string())
    }
}

fn is_parameter(callable: &Value) -> bool {
    matches!(callable, Value::Global(name) if name == "torch._utils._rebuild_parameter")
}

/// The storages of PyTorch, by their names.
const STORAGES: [(&str, DType); 9] = [
    ("FloatStorage", DType::F32),
    ("DoubleStorage", DType::F64),
    ("HalfStorage", DType::F16),
    ("BFloat16Storage", DType::BF16),
    ("LongStorage", DType::I64),
    ("IntStorage", DType::I32),
    ("ShortStorage", DType::I16),
    ("ByteStorage", DType::U8),
    ("BoolStorage", DType::U8),
];

fn dtype(class: &Value) -> Result<DType, String> {
    let Value::Global(name) = class else { return Err("has a storage without a type".to_string()) };
    let known = name.strip_prefix("torch.").and_then(|n| STORAGES.iter().find(|(storage, _)| *storage == n));
    known
        .map(|(_, dtype)| *dtype)
        .ok_or_else(|| format!("has a storage of the type {name}, which is not read"))
}

/// Whether that is the name of a storage's type.
pub(super) fn is_storage(name: &str) -> bool {
    name.strip_prefix("torch.").is_some_and(|name| STORAGES.iter().any(|(storage, _)| *storage == name))
}

/// The storage that holds numbers of that type.
pub(super) fn storage_of(dtype: DType) -> Option<&'static str> {
    STORAGES.iter().find(|(_, d)| *d == dtype).map(|(name, _)| *name)
}
