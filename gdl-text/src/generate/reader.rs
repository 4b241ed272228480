use crate::{LanguageModel, Result, State};
use candle_core::{DType, Device, Tensor};
use gdl_rnn::Stepper;

/// What has read some texts so far, side by side, and says what may come next in each.
#[derive(Debug)]
pub(super) enum Reader<'a> {
    /// The model's own way of reading a token: a row is the same whatever the others are.
    Stepper { stepper: Box<Stepper>, logits: Vec<f32> },
    /// Whatever the model is made of, on whatever device.
    Model { model: &'a LanguageModel, state: State, logits: Vec<f32>, device: &'a Device },
}

impl<'a> Reader<'a> {
    /// Goes on from a state, and the logits (rows x V) there.
    pub(super) fn new(
        model: &'a LanguageModel,
        state: State,
        logits: Vec<f32>,
        device: &'a Device,
    ) -> Result<Self> {
        Ok(match model.stepper(&state)? {
            Some(stepper) => Self::Stepper { stepper: Box::new(stepper), logits },
            None => Self::Model { model, state, logits, device },
        })
    }

    /// Those of the tokens after what was read last: (rows x V).
    pub(super) fn logits(&self) -> &[f32] {
        match self {
            Self::Stepper { logits, .. } | Self::Model { logits, .. } => logits,
        }
    }

    /// Reads a token of each row.
    pub(super) fn read(&mut self, ids: &[u32]) -> Result<()> {
        match self {
            Self::Stepper { stepper, logits } => {
                logits.clear();
                logits.extend_from_slice(stepper.step_rows(ids)?);
            }
            Self::Model { model, state, logits, device } => {
                (*logits, *state) = read(model, ids, ids.len(), Some(state), device)?;
            }
        }
        Ok(())
    }

    /// Goes on with these rows, in that order, each with another token; a row may come more than once.
    pub(super) fn select(&mut self, rows: &[u32]) -> Result<()> {
        match self {
            Self::Stepper { stepper, .. } => stepper.select(rows)?,
            Self::Model { state, .. } => *state = state.select(rows)?,
        }
        Ok(())
    }
}

/// Reads `rows` texts side by side, their ids one text after the other: the logits (rows x V) after the last token of each,
/// and the state there.
pub(super) fn read(
    model: &LanguageModel,
    ids: &[u32],
    rows: usize,
    state: Option<&State>,
    device: &Device,
) -> Result<(Vec<f32>, State)> {
    let ids = Tensor::from_slice(ids, (rows, ids.len() / rows.max(1)), device)?;
    let (logits, state) = model.forward(&ids, state)?; // (N, T, V)
    let last = logits.narrow(1, logits.dim(1)? - 1, 1)?.flatten_all()?;
    Ok((last.to_dtype(DType::F32)?.to_vec1()?, state.detach()))
}
