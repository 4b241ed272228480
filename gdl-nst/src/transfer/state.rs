use super::StyleTransfer;
use super::painter::Painter;
use super::prepare::Pictures;
use crate::objective::Previous;
use crate::{Error, NstConfig, Objective, Result, Style};
use candle_core::{DType, Device, Tensor};
use gdl_train::{OptimizerState, Tensors};
use gdl_vgg::VggWeights;
use serde::{Deserialize, Serialize};

/// Where a style transfer is: with the same pictures and weights it can go on from there, exactly.
///
/// Only that the next step could be taken back, were the picture it starts from not finite, is not kept.
#[derive(Debug, Clone)]
pub struct TransferState {
    /// Settings and counts.
    pub progress: TransferProgress,
    /// `image`, the picture; `average`, the moving average's sum, where there is one; `previous` and `known`, in a film, the frame
    /// before and where the motion is known; `optimizer.NAME`, what the optimizer keeps, and `optimizer.scalar/NAME`, its
    /// numbers as f64 tensors without dimensions.
    pub tensors: Tensors,
}

/// The part of a [`TransferState`] that is not tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferProgress {
    /// The settings, with the weights of the losses as they stand.
    pub config: NstConfig,
    /// At which scale the picture is, from 0.
    pub scale: usize,
    /// Steps done at this scale.
    pub steps_here: usize,
    /// Steps done in all.
    pub steps: usize,
    /// How often the rate has been halved.
    pub halvings: u32,
    /// Pictures in the moving average.
    pub averaged: u64,
}

const IMAGE: &str = "image";
const AVERAGE: &str = "average";
const PREVIOUS: &str = "previous";
const KNOWN: &str = "known";
const OPTIMIZER: &str = "optimizer.";
const SCALAR: &str = "scalar/";

impl StyleTransfer {
    /// A copy of the state, which later steps do not change.
    ///
    /// # Errors
    /// When a copy cannot be made.
    pub fn state(&self) -> Result<TransferState> {
        let painter = &self.painter;
        let average = painter.average.as_ref();
        let mut tensors = Tensors::from([(IMAGE.to_string(), painter.image.as_detached_tensor().copy()?)]);
        if let Some(sum) = average.and_then(|a| a.sum.as_ref()) {
            tensors.insert(AVERAGE.to_string(), sum.clone());
        }
        if let Some(Previous { image, known }) = &self.pictures.previous {
            tensors.insert(PREVIOUS.to_string(), image.clone());
            tensors.insert(KNOWN.to_string(), known.clone());
        }
        let optimizer = painter.optimizer_state()?;
        for (name, tensor) in optimizer.tensors {
            tensors.insert(format!("{OPTIMIZER}{name}"), tensor);
        }
        for (name, number) in optimizer.scalars {
            tensors.insert(format!("{OPTIMIZER}{SCALAR}{name}"), Tensor::new(number, &Device::Cpu)?);
        }
        let progress = TransferProgress {
            config: self.config.clone(),
            scale: self.at,
            steps_here: self.done_here,
            steps: self.done,
            halvings: painter.halvings,
            averaged: average.map_or(0, |a| a.count),
        };
        Ok(TransferState { progress, tensors })
    }

    /// Goes on from a saved state, with the pictures and the weights it was made with.
    ///
    /// # Shape
    /// As [`StyleTransfer::new`].
    ///
    /// # Errors
    /// As [`StyleTransfer::new`], and when the state belongs to pictures of another shape or is damaged.
    pub fn restore(
        state: &TransferState,
        weights: &VggWeights,
        content: &Tensor,
        styles: &[Style],
    ) -> Result<Self> {
        let config = &state.progress.config;
        config.check()?;
        Self::restore_with(state, weights, Pictures::new(config, content, styles)?)
    }

    pub(super) fn restore_with(
        state: &TransferState,
        weights: &VggWeights,
        mut pictures: Pictures,
    ) -> Result<Self> {
        let TransferState { progress, tensors } = state;
        let TransferProgress { config, scale, steps_here, steps, halvings, averaged } = progress;
        let scales = config.scales();
        let fault = |message: String| Err(Error::State(message));
        let Some(here) = scales.get(*scale) else {
            return fault(format!("it is at scale {scale} of {}", scales.len()));
        };
        let before: usize = scales[..*scale].iter().map(|s| s.steps).sum();
        if *steps_here > here.steps || before + steps_here != *steps {
            return fault(format!("{steps_here} steps of {steps} at scale {scale} do not add up"));
        }
        if let (Some(image), Some(known)) = (tensors.get(PREVIOUS), tensors.get(KNOWN)) {
            let last = Objective::last_tap(config, weights)?;
            let (_, _, h, w) = pictures.content_at(config.size, last)?.dims4()?;
            let own = |t: &Tensor| t.to_dtype(DType::F32)?.to_device(pictures.content.device());
            let previous = Previous::new(own(image)?, own(known)?, (h, w));
            pictures.previous = Some(previous.map_err(|_| {
                let (image, known) = (image.dims(), known.dims());
                Error::State(format!("the frame before is {image:?}, known {known:?}, this one {h}x{w}"))
            })?);
        }
        let picture = |name: &str, like: &Tensor| match tensors.get(name) {
            Some(t) if t.dims() == like.dims() && t.dtype() == DType::F32 => Ok(t.to_device(like.device())?),
            Some(t) => Err(Error::State(format!("{name} is {:?}, expected {:?}", t.dims(), like.dims()))),
            None => Err(Error::State(format!("there is no tensor {name}"))),
        };
        let build = |start: &Tensor| -> Result<Painter> {
            let image = picture(IMAGE, start)?;
            let mut painter = Painter::new(config, &image)?;
            painter.halvings = *halvings;
            if let Some(average) = &mut painter.average {
                average.count = *averaged;
                average.sum = (*averaged > 0).then(|| picture(AVERAGE, start)).transpose()?;
            }
            painter.load_optimizer_state(&optimizer_state(tensors, &painter)?)?;
            Ok(painter)
        };
        let mut transfer = Self::at_scale(config, weights, pictures, *scale, build)?;
        (transfer.done_here, transfer.done) = (*steps_here, *steps);
        Ok(transfer)
    }
}

fn optimizer_state(tensors: &Tensors, painter: &Painter) -> Result<OptimizerState> {
    let mut state = painter.optimizer_state()?;
    state.tensors.clear();
    for (name, tensor) in tensors {
        let Some(name) = name.strip_prefix(OPTIMIZER) else { continue };
        match name.strip_prefix(SCALAR) {
            None => {
                state.tensors.insert(name.to_string(), tensor.clone());
            }
            Some(scalar) => {
                let number = tensor.to_scalar().map_err(|e| Error::State(format!("{name}: {e}")))?;
                state.scalars.insert(scalar.to_string(), number);
            }
        }
    }
    Ok(state)
}
