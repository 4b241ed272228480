use crate::{Error, Init, Losses, NstConfig, Objective, OptimizerKind, Result, Scale, Style};
use candle_core::{DType, Device, Tensor, Var};
use gdl_image_io::{Filter, resize};
use gdl_train::{Adam, AdamConfig, Lbfgs, LbfgsConfig, Optimizer, SharedRng};
use gdl_vgg::{Tap, Vgg, VggWeights};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

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
    content: Tensor,
    styles: Vec<Style>,
    scales: Vec<Scale>,
    /// Which scale the picture is at, and the steps done there.
    at: usize,
    done_here: usize,
    done: usize,
    stage: Stage,
}

/// One scale: its targets, its picture and its optimizer.
#[derive(Debug)]
struct Stage {
    objective: Objective,
    image: Var,
    optimizer: Minimizer,
}

#[derive(Debug)]
enum Minimizer {
    Adam(Adam),
    Lbfgs(Box<Lbfgs>),
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
        check_picture("content", content)?;
        let device = content.device();
        let content = content.to_dtype(DType::F32)?;
        let mut moved = Vec::with_capacity(styles.len());
        for style in styles {
            check_picture("style", &style.image)?;
            let image = style.image.to_device(device)?.to_dtype(DType::F32)?;
            moved.push(Style { image, weight: style.weight });
        }
        let vgg = Objective::network(config, weights, DType::F32, device)?;
        let scales = config.scales();
        let content = match (config.init, moved.first()) {
            (Init::Recoloured, Some(style)) => crate::colour::match_colours(&content, &style.image)?,
            _ => content,
        };
        let start = initial(config, &content)?;
        let stage = Stage::new(config, weights, &vgg, &content, &moved, scales[0].size, &start)?;
        Ok(Self {
            config: config.clone(),
            weights: weights.clone(),
            vgg,
            content,
            styles: moved,
            scales,
            at: 0,
            done_here: 0,
            done: 0,
            stage,
        })
    }

    /// The sizes the picture goes through, and the steps at each.
    pub fn scales(&self) -> &[Scale] {
        &self.scales
    }

    /// Steps in all.
    pub fn total_steps(&self) -> usize {
        self.config.steps
    }

    /// Changes the weights of the losses from the next step on.
    ///
    /// # Errors
    /// When a weight is negative or not finite.
    pub fn set_weights(&mut self, content: f64, style: f64, tv: f64) -> Result<()> {
        let changed =
            NstConfig { content_weight: content, style_weight: style, tv_weight: tv, ..self.config.clone() };
        changed.check()?;
        self.stage.objective.set_weights(content, style, tv);
        self.config = changed;
        Ok(())
    }

    /// Takes one step, going to the next scale first where one is finished. None when all steps are done.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a loss is not finite; the picture is then still that of the step before.
    pub fn step(&mut self) -> Result<Option<StepReport>> {
        if self.done_here == self.scales[self.at].steps {
            if self.at + 1 == self.scales.len() {
                return Ok(None);
            }
            let image = self.image()?;
            let size = self.scales[self.at + 1].size;
            let (content, styles) = (&self.content, &self.styles);
            self.stage = Stage::new(&self.config, &self.weights, &self.vgg, content, styles, size, &image)?;
            self.at += 1;
            self.done_here = 0;
        }
        let rate = self.config.rate() * falling(self.done_here, self.scales[self.at].steps);
        let losses = self.stage.step(self.done + 1, rate)?;
        self.done += 1;
        self.done_here += 1;
        let (_, _, height, width) = self.stage.image.dims4()?;
        Ok(Some(StepReport { step: self.done, steps: self.config.steps, height, width, losses }))
    }

    /// The picture as it stands, at the size of the present scale.
    ///
    /// # Shape
    /// (3, H, W), RGB in [0, 1].
    ///
    /// # Errors
    /// Those of copying it.
    pub fn image(&self) -> Result<Tensor> {
        Ok(self.stage.image.as_detached_tensor().copy()?.squeeze(0)?)
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

impl Stage {
    fn new(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: &Vgg,
        content: &Tensor,
        styles: &[Style],
        size: usize,
        start: &Tensor,
    ) -> Result<Self> {
        let last = vgg.config().upto;
        let (_, h, w) = content.dims3()?;
        let (height, width) = fit((h, w), size, last);
        let content = resize(content, height, width, Filter::CatmullRom)?.unsqueeze(0)?;
        let mut sized = Vec::with_capacity(styles.len());
        for style in styles {
            let (_, h, w) = style.image.dims3()?;
            let wanted = (size as f64 * config.style_scale).round().max(1.0) as usize;
            let (h, w) = fit((h, w), wanted.min(h.max(w)), last);
            sized
                .push(Style { image: resize(&style.image, h, w, Filter::CatmullRom)?, weight: style.weight });
        }
        let objective = Objective::new(config, weights, vgg.clone(), &content, &sized)?;
        let start = resize(start, height, width, Filter::CatmullRom)?.unsqueeze(0)?;
        let image = Var::from_tensor(&start.clamp(0f32, 1f32)?)?;
        let vars = vec![("image".to_string(), image.clone())];
        let learning_rate = config.rate();
        let optimizer = match config.optimizer {
            OptimizerKind::Adam => {
                Minimizer::Adam(Adam::new(vars, AdamConfig { learning_rate, ..AdamConfig::default() })?)
            }
            OptimizerKind::Lbfgs => {
                let settings =
                    LbfgsConfig { learning_rate, max_iter: 1, max_eval: Some(20), ..LbfgsConfig::default() };
                Minimizer::Lbfgs(Box::new(Lbfgs::new(vars, settings)?))
            }
        };
        Ok(Self { objective, image, optimizer })
    }

    fn step(&mut self, step: usize, rate: f64) -> Result<Losses> {
        let before = self.image.as_detached_tensor().copy()?;
        let taken = self.try_step(step, rate);
        if taken.is_err() {
            self.image.set(&before)?;
        }
        taken
    }

    fn try_step(&mut self, step: usize, rate: f64) -> Result<Losses> {
        let (objective, image) = (&self.objective, &self.image);
        let losses = match &mut self.optimizer {
            Minimizer::Adam(adam) => {
                let (losses, grads) = objective.gradients(image)?;
                finite(&losses, step)?;
                adam.set_learning_rate(rate);
                adam.step(&grads)?;
                losses
            }
            Minimizer::Lbfgs(lbfgs) => {
                let mut first = None;
                lbfgs.step(|| {
                    let (losses, grads) = objective.gradients(image)?;
                    first.get_or_insert(losses);
                    Ok((losses.total, grads))
                })?;
                let losses = first.unwrap_or_default();
                finite(&losses, step)?;
                losses
            }
        };
        // What lies outside cannot be shown; left alone it would be cut off at the end instead.
        let clamped = self.image.as_detached_tensor().clamp(0f32, 1f32)?;
        self.image.set(&clamped)?;
        Ok(losses)
    }
}

/// Adam's rate at step `i` of `n` as a part of its first: half a cosine, from 1 to 0.1.
fn falling(i: usize, n: usize) -> f64 {
    let progress = i as f64 / n.max(2).saturating_sub(1) as f64;
    0.55 + 0.45 * (std::f64::consts::PI * progress).cos()
}

fn check_picture(what: &'static str, picture: &Tensor) -> Result<()> {
    if !matches!(picture.dims(), [3, h, w] if *h > 0 && *w > 0) {
        return Err(Error::Picture { what, shape: picture.dims().to_vec() });
    }
    // Looked for here, because a rectifier may turn a NaN into 0.
    let sum: f64 = picture.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar()?;
    if sum.is_finite() { Ok(()) } else { Err(Error::PictureNotFinite { what }) }
}

fn finite(losses: &Losses, step: usize) -> Result<()> {
    let named =
        [("content", losses.content), ("style", losses.style), ("tv", losses.tv), ("total", losses.total)];
    match named.into_iter().find(|(_, value)| !value.is_finite()) {
        Some((loss, value)) => Err(Error::NotFinite { step, loss, value }),
        None => Ok(()),
    }
}

/// Height and width with `size` pixels on the longer side, and on the shorter at least what the network's halvings need.
fn fit((h, w): (usize, usize), size: usize, last: Tap) -> (usize, usize) {
    let least = 1 << (last.block - 1);
    let longer = h.max(w) as f64;
    let scaled = |n: usize| ((n as f64 * size as f64 / longer).round() as usize).max(least);
    (scaled(h), scaled(w))
}

/// The picture to start from; its size does not matter.
fn initial(config: &NstConfig, content: &Tensor) -> Result<Tensor> {
    let (_, h, w) = content.dims3()?;
    let (h, w) = fit((h, w), config.scales()[0].size, Tap::relu(1, 1));
    Ok(match config.init {
        Init::Content | Init::Recoloured => content.clone(),
        Init::Gray => Tensor::full(0.5f32, (3, h, w), content.device())?,
        Init::Noise => {
            let noise = SharedRng::seed(config.seed).randn((3, h, w), DType::F32, &Device::Cpu)?;
            noise.affine(0.15, 0.5)?.clamp(0f32, 1f32)?.to_device(content.device())?
        }
    })
}
