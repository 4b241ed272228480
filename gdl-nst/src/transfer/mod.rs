mod average;
mod painter;
mod prepare;
mod series;
mod state;
mod styles;

pub use series::{Frame, Series};
pub use state::{TransferProgress, TransferState};

use crate::colour::with_chroma_of;
use crate::objective::Watch;
use crate::plan::plan_of;
use crate::{LossWeights, Losses, NstConfig, Objective, Plan, Result, Scale, ScalePlan, Style, TileReport};
use candle_core::{DType, Tensor};
use gdl_image_io::{Filter, resize};
use gdl_vgg::{Vgg, VggWeights};
use painter::Painter;
use prepare::Pictures;
pub(crate) use prepare::fit;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
pub(crate) use styles::{Styles, style_size};

/// What one step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step just done, from 1.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Height of the picture at this scale.
    pub height: usize,
    /// Width of the picture at this scale.
    pub width: usize,
    /// The losses of the picture as it was before the step.
    pub losses: Losses,
    /// How often a step that came to nothing finite was taken back and retried at half the rate.
    pub retries: usize,
}

/// A style transfer under way: a picture, optimised step by step, from small sizes to the final one.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_nst::{NstConfig, StyleTransfer};
/// use gdl_vgg::{Tap, VggConfig, VggWeights};
///
/// let weights = VggWeights::random(&VggConfig { upto: Tap::relu(2, 1), ..VggConfig::default() }, 1)?;
/// let content = Tensor::ones((3, 24, 32), candle_core::DType::F32, &Device::Cpu)?;
/// let style = (&content * 0.5)?;
/// let config = NstConfig { size: 16, steps: 2, ..NstConfig::default() };
/// let mut transfer = StyleTransfer::new(&config, &weights, &content, &[style.into()])?;
/// while let Some(report) = transfer.step()? {
///     println!("{}/{}: loss {:.4}", report.step, report.steps, report.losses.total);
/// }
/// assert_eq!(transfer.image()?.dims(), [3, 12, 16]);
/// # Ok::<(), gdl_nst::Error>(())
/// ```
///
/// # Source
/// Gatys, Ecker and Bethge 2016; from small to large as in Gatys et al. 2017.
#[derive(Debug)]
pub struct StyleTransfer {
    config: NstConfig,
    weights: VggWeights,
    vgg: Vgg,
    pictures: Pictures,
    scales: Vec<Scale>,
    plan: Plan,
    watch: Option<Watch>,
    /// Which scale the picture is at, and the steps done there.
    at: usize,
    done_here: usize,
    done: usize,
    objective: Objective,
    painter: Painter,
}

impl StyleTransfer {
    /// Prepares the first scale. Everything is computed on the content's device, in f32.
    ///
    /// # Shape
    /// `content` and every style (3, H, W), each of its own size; RGB in [0, 1].
    ///
    /// # Errors
    /// A setting outside its range, a picture of another shape, or a tap that the weights do not reach.
    pub fn new(config: &NstConfig, weights: &VggWeights, content: &Tensor, styles: &[Style]) -> Result<Self> {
        config.check()?;
        let pictures = Pictures::new(config, content, styles)?;
        Self::from_pictures(config, weights, pictures, |p| p.initial(config))
    }

    /// [`StyleTransfer::new`] from a picture of your own, whatever [`init`](NstConfig::init) says.
    ///
    /// # Shape
    /// `start` (3, H, W), of any size, which is stretched to the content's shape.
    ///
    /// # Errors
    /// As [`StyleTransfer::new`].
    pub fn starting_from(
        start: &Tensor,
        config: &NstConfig,
        weights: &VggWeights,
        content: &Tensor,
        styles: &[Style],
    ) -> Result<Self> {
        config.check()?;
        let pictures = Pictures::new(config, content, styles)?;
        Self::from_pictures(config, weights, pictures, |p| p.given(start))
    }

    fn from_pictures(
        config: &NstConfig,
        weights: &VggWeights,
        pictures: Pictures,
        start: impl FnOnce(&Pictures) -> Result<Tensor>,
    ) -> Result<Self> {
        let start = start(&pictures)?;
        Self::at_scale(config, weights, pictures, 0, |content| {
            let (_, _, h, w) = content.dims4()?;
            Painter::new(config, &resize(&start, h, w, Filter::CatmullRom)?.unsqueeze(0)?)
        })
    }

    /// `painter` is made from the content at the scale's size.
    fn at_scale(
        config: &NstConfig,
        weights: &VggWeights,
        pictures: Pictures,
        at: usize,
        painter: impl FnOnce(&Tensor) -> Result<Painter>,
    ) -> Result<Self> {
        let scales = config.scales();
        pictures.styles.check(config, weights)?;
        let (_, h, w) = pictures.content.dims3()?;
        let follows = pictures.previous.is_some();
        let plan = plan_of(config, weights, (h, w), pictures.styles.list(), follows)?;
        let vgg = Objective::network(config, weights, DType::F32, pictures.content.device())?;
        let content = pictures.content_at(scales[at].size, vgg.config().upto)?;
        let objective = objective(config, weights, &vgg, &pictures, &content, &plan.scales[at])?;
        Ok(Self {
            painter: painter(&content)?,
            objective,
            config: config.clone(),
            weights: weights.clone(),
            vgg,
            pictures,
            scales,
            plan,
            watch: None,
            at,
            done_here: 0,
            done: 0,
        })
    }

    /// The settings, with the weights of the losses as they stand.
    pub fn config(&self) -> &NstConfig {
        &self.config
    }

    /// The sizes the picture goes through, and the steps at each.
    pub fn scales(&self) -> &[Scale] {
        &self.scales
    }

    /// What is computed in tiles, and the memory that it takes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Has `watch` told of each tile from now on, where a picture is computed in tiles: a step over a large one takes a
    /// while.
    pub fn watch_tiles(&mut self, watch: impl Fn(TileReport) + Send + Sync + 'static) {
        self.watch = Some(Watch::new(watch));
        self.objective.watch_tiles(self.watch.clone());
    }

    /// Steps in all.
    pub fn total_steps(&self) -> usize {
        self.config.total_steps()
    }

    /// Steps done.
    pub fn steps_done(&self) -> usize {
        self.done
    }

    /// The weights of the losses.
    pub fn weights(&self) -> LossWeights {
        self.config.loss_weights()
    }

    /// Changes the weights of the losses from the next step on. The histogram loss can be weighted only where it
    /// counted from the start: its targets are not taken otherwise.
    ///
    /// # Errors
    /// When a weight is negative or not finite, or that of the histogram loss turns from 0 to something.
    pub fn set_weights(&mut self, weights: LossWeights) -> Result<()> {
        let changed = self.config.with_loss_weights(weights);
        changed.check()?;
        if self.config.histogram_weight == 0.0 && weights.histogram > 0.0 {
            let message = "was 0 when the targets were taken, and must stay so".to_string();
            return Err(crate::Error::Setting { key: "histogram_weight", message });
        }
        self.objective.set_weights(weights);
        self.config = changed;
        Ok(())
    }

    /// Takes one step, going to the next scale first where one is finished. None when all steps are done.
    ///
    /// A step that leads to a loss or a gradient that is not finite is taken back and retried at half the rate
    /// (L-BFGS: without its history), [`retries`](NstConfig::retries) times at most; the rate stays as low from then
    /// on.
    ///
    /// # Errors
    /// [`Error::NotFinite`](crate::Error::NotFinite) when that does not help; all is then as it was before the step.
    pub fn step(&mut self) -> Result<Option<StepReport>> {
        if self.done_here == self.scales[self.at].steps {
            if self.at + 1 == self.scales.len() {
                return Ok(None);
            }
            self.grow()?;
        }
        let rate = self.config.rate() * self.falling();
        let (losses, retries) = self.painter.step(&self.objective, self.done + 1, rate)?;
        self.done += 1;
        self.done_here += 1;
        let (_, _, height, width) = self.painter.image.dims4()?;
        Ok(Some(StepReport { step: self.done, steps: self.total_steps(), height, width, losses, retries }))
    }

    /// Goes to the next scale.
    fn grow(&mut self) -> Result<()> {
        let size = self.scales[self.at + 1].size;
        let content = self.pictures.content_at(size, self.vgg.config().upto)?;
        let plan = &self.plan.scales[self.at + 1];
        self.objective = objective(&self.config, &self.weights, &self.vgg, &self.pictures, &content, plan)?;
        self.objective.watch_tiles(self.watch.clone());
        let (_, _, h, w) = content.dims4()?;
        self.painter = self.painter.at_size(&self.config, (h, w))?;
        self.at += 1;
        self.done_here = 0;
        Ok(())
    }

    /// The rate at this step as a part of the first at this scale: half a cosine from 1 to `final_rate`. L-BFGS has
    /// its line search instead.
    fn falling(&self) -> f64 {
        if self.config.optimizer == crate::OptimizerKind::Lbfgs {
            return 1.0;
        }
        let progress = self.done_here as f64 / self.scales[self.at].steps.max(2).saturating_sub(1) as f64;
        let (middle, swing) = (0.5 + 0.5 * self.config.final_rate, 0.5 - 0.5 * self.config.final_rate);
        middle + swing * (std::f64::consts::PI * progress).cos()
    }

    /// The picture as it stands, at the size of the present scale: the averaged one, where there is an average, with
    /// the content's chroma, where only luma is painted.
    ///
    /// # Shape
    /// (3, H, W), RGB in [0, 1].
    ///
    /// # Errors
    /// Those of copying it.
    pub fn image(&self) -> Result<Tensor> {
        let image = self.painter.shown()?.squeeze(0)?.clamp(0f32, 1f32)?;
        let Some(chroma) = &self.pictures.chroma else { return Ok(image) };
        let (_, h, w) = image.dims3()?;
        Ok(with_chroma_of(&image, &resize(chroma, h, w, Filter::CatmullRom)?)?)
    }

    /// Takes all remaining steps, telling `observer` of each; it may stop early. Returns the picture.
    ///
    /// # Errors
    /// As [`StyleTransfer::step`].
    pub fn run(&mut self, mut observer: impl FnMut(&StepReport) -> ControlFlow<()>) -> Result<Tensor> {
        while let Some(report) = self.step()? {
            if observer(&report).is_break() {
                break;
            }
        }
        self.image()
    }
}

/// The targets at one size.
fn objective(
    config: &NstConfig,
    weights: &VggWeights,
    vgg: &Vgg,
    pictures: &Pictures,
    content: &Tensor,
    plan: &ScalePlan,
) -> Result<Objective> {
    // Whole, it is one tile: the same with less memory.
    let side = Some(plan.tile.unwrap_or(usize::MAX));
    let (_, _, h, w) = content.dims4()?;
    let targets = pictures.styles.targets((plan.size, (h, w)), || {
        let styles = pictures.styles.at(config, plan.size, vgg.config().upto)?;
        Objective::targets(config, weights, vgg, ((h, w), content.dtype()), &styles, side)
    })?;
    let objective = Objective::with_targets(config, weights, vgg.clone(), (content, targets), side)?;
    Ok(objective.after(pictures.previous.clone()))
}
