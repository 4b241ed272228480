use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use gdl_rnn::{GruState, LstmState};
use gdl_train::Tensors;

/// The state of a [`LanguageModel`](crate::LanguageModel) between two calls: all it remembers of what it has read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum State {
    /// Of LSTM layers.
    Lstm(LstmState),
    /// Of GRU layers.
    Gru(GruState),
}

impl State {
    /// The same values, cut off from the graph.
    pub fn detach(&self) -> Self {
        match self {
            Self::Lstm(s) => Self::Lstm(s.detach()),
            Self::Gru(s) => Self::Gru(s.detach()),
        }
    }

    pub(crate) fn lstm(&self) -> Option<&LstmState> {
        if let Self::Lstm(state) = self { Some(state) } else { None }
    }

    pub(crate) fn gru(&self) -> Option<&GruState> {
        if let Self::Gru(state) = self { Some(state) } else { None }
    }

    /// The state as tensors, for a checkpoint: `h`, and `c` for LSTM layers, each (layers, N, H).
    pub fn tensors(&self) -> Tensors {
        let named = |name: &str, t: &Tensor| (name.to_string(), t.detach());
        match self {
            Self::Lstm(s) => [named("h", &s.h), named("c", &s.c)].into_iter().collect(),
            Self::Gru(s) => [named("h", &s.h)].into_iter().collect(),
        }
    }

    /// The same values on another device.
    pub(crate) fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(match self {
            Self::Lstm(s) => Self::Lstm(LstmState { h: s.h.to_device(device)?, c: s.c.to_device(device)? }),
            Self::Gru(s) => Self::Gru(GruState { h: s.h.to_device(device)? }),
        })
    }

    /// A state from its [`tensors`](Self::tensors), each of which must have that shape and be f32; `origin` names
    /// them in errors.
    pub(crate) fn from_tensors(
        tensors: &Tensors,
        cell: crate::Cell,
        shape: (usize, usize, usize),
        origin: &str,
    ) -> Result<Self> {
        let get = |name: &str| {
            let mismatch = |message: String| Error::Mismatch { origin: origin.to_string(), message };
            let tensor = tensors.get(name).ok_or_else(|| mismatch(format!("the state {name} is missing")))?;
            if tensor.dims() != [shape.0, shape.1, shape.2] || tensor.dtype() != DType::F32 {
                return Err(mismatch(format!(
                    "the state {name} is {:?} {:?}, expected {shape:?} F32",
                    tensor.dims(),
                    tensor.dtype()
                )));
            }
            Ok(tensor.clone())
        };
        Ok(match cell {
            crate::Cell::Lstm => Self::Lstm(LstmState { h: get("h")?, c: get("c")? }),
            crate::Cell::Gru => Self::Gru(GruState { h: get("h")? }),
        })
    }
}
