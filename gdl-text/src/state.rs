use crate::{Cell, Error, ModelConfig, Result};
use candle_core::{DType, Device, Tensor};
use gdl_rnn::{GruState, LstmState};
use gdl_train::Tensors;

/// Before the names of the tensors of a last layer with a width of its own.
const LAST: &str = "last.";
const WINDOW: &str = "window";

/// The state of a [`LanguageModel`](crate::LanguageModel) between two calls: all it remembers of what it has read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum State {
    /// Of LSTM layers.
    Lstm(LstmState),
    /// Of GRU layers.
    Gru(GruState),
    /// Of layers whose last has a width of its own: theirs, and the last one's.
    Two(Box<(State, State)>),
    /// Of a model with a [`Window`](crate::Window): the last tokens, (N, length), u32.
    Window(Tensor),
}

impl State {
    /// The same values, cut off from the graph.
    pub fn detach(&self) -> Self {
        match self {
            Self::Lstm(s) => Self::Lstm(s.detach()),
            Self::Gru(s) => Self::Gru(s.detach()),
            Self::Two(two) => Self::Two(Box::new((two.0.detach(), two.1.detach()))),
            Self::Window(tokens) => Self::Window(tokens.detach()),
        }
    }

    pub(crate) fn lstm(&self) -> Option<&LstmState> {
        if let Self::Lstm(state) = self { Some(state) } else { None }
    }

    pub(crate) fn gru(&self) -> Option<&GruState> {
        if let Self::Gru(state) = self { Some(state) } else { None }
    }

    /// The state as tensors, for a checkpoint: `h`, and `c` for LSTM layers, each (layers, N, H); `last.h` and `last.c` of a
    /// last layer with a width of its own; `window` of one.
    pub fn tensors(&self) -> Tensors {
        let named = |name: &str, t: &Tensor| (name.to_string(), t.detach());
        match self {
            Self::Lstm(s) => [named("h", &s.h), named("c", &s.c)].into_iter().collect(),
            Self::Gru(s) => [named("h", &s.h)].into_iter().collect(),
            Self::Window(tokens) => [named(WINDOW, tokens)].into_iter().collect(),
            Self::Two(two) => {
                let last = two.1.tensors().into_iter().map(|(name, t)| (format!("{LAST}{name}"), t));
                two.0.tensors().into_iter().chain(last).collect()
            }
        }
    }

    /// The state of those rows, in that order; a row may come more than once.
    ///
    /// # Errors
    /// When there is no such row.
    pub(crate) fn select(&self, rows: &[u32]) -> candle_core::Result<Self> {
        let pick = |t: &Tensor| t.index_select(&Tensor::new(rows, t.device())?, 1);
        Ok(match self {
            Self::Lstm(s) => Self::Lstm(LstmState { h: pick(&s.h)?, c: pick(&s.c)? }),
            Self::Gru(s) => Self::Gru(GruState { h: pick(&s.h)? }),
            Self::Two(two) => Self::Two(Box::new((two.0.select(rows)?, two.1.select(rows)?))),
            Self::Window(tokens) => {
                Self::Window(tokens.index_select(&Tensor::new(rows, tokens.device())?, 0)?)
            }
        })
    }

    /// The same values on another device.
    pub(crate) fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(match self {
            Self::Lstm(s) => Self::Lstm(LstmState { h: s.h.to_device(device)?, c: s.c.to_device(device)? }),
            Self::Gru(s) => Self::Gru(GruState { h: s.h.to_device(device)? }),
            Self::Two(two) => Self::Two(Box::new((two.0.to_device(device)?, two.1.to_device(device)?))),
            Self::Window(tokens) => Self::Window(tokens.to_device(device)?),
        })
    }

    /// The state of a model of that configuration and `batch` rows from its [`tensors`](Self::tensors), which must be of these
    /// shapes and f32, or u32 where they are tokens; `origin` names them in errors.
    pub(crate) fn from_tensors(
        tensors: &Tensors,
        config: &ModelConfig,
        batch: usize,
        origin: &str,
    ) -> Result<Self> {
        if let Some(window) = config.window {
            return Ok(Self::Window(get(tensors, WINDOW, &[batch, window.length], DType::U32, origin)?));
        }
        let one = |prefix: &str, widths: &[usize]| {
            let shape = [widths.len(), batch, widths[0]];
            Self::of_one_width(tensors, prefix, config.cell, shape, origin)
        };
        let widths = config.widths();
        Ok(match widths.split_last() {
            Some((last, below)) if below.first().is_some_and(|width| width != last) => {
                Self::Two(Box::new((one("", below)?, one(LAST, &[*last])?)))
            }
            _ => one("", &widths)?,
        })
    }

    fn of_one_width(
        tensors: &Tensors,
        prefix: &str,
        cell: Cell,
        shape: [usize; 3],
        origin: &str,
    ) -> Result<Self> {
        let get = |name: &str| get(tensors, &format!("{prefix}{name}"), &shape, DType::F32, origin);
        Ok(match cell {
            Cell::Lstm => Self::Lstm(LstmState { h: get("h")?, c: get("c")? }),
            Cell::Gru => Self::Gru(GruState { h: get("h")? }),
        })
    }
}

fn get(tensors: &Tensors, name: &str, shape: &[usize], dtype: DType, origin: &str) -> Result<Tensor> {
    let mismatch = |message: String| Error::Mismatch { origin: origin.to_string(), message };
    let tensor = tensors.get(name).ok_or_else(|| mismatch(format!("the state {name} is missing")))?;
    if tensor.dims() != shape || tensor.dtype() != dtype {
        return Err(mismatch(format!(
            "the state {name} is {:?} {:?}, expected {shape:?} {dtype:?}",
            tensor.dims(),
            tensor.dtype()
        )));
    }
    Ok(tensor.clone())
}
