use super::StyleTransfer;
use super::prepare::{Pictures, as_content};
use super::state::TransferState;
use super::styles::Styles;
use crate::colour::{Palette, luma};
use crate::objective::Previous;
use crate::{Error, Flow, Init, KeepColour, NstConfig, Objective, OptimizerKind, Result, Style};
use candle_core::{Device, Tensor};
use gdl_image_io::{Filter, resize};
use gdl_vgg::VggWeights;

/// Several pictures with the same styles, whose targets are taken once for each size: the frames of a film, each of
/// which starts from the one before, or pictures that have nothing to do with one another.
///
/// # Example
/// ```
/// use gdl_nst::{Frame, NstConfig, Series, builtin};
/// use gdl_vgg::VggWeights;
/// use std::ops::ControlFlow;
///
/// // Three views, each 2 pixels further to the right.
/// let scene = builtin::content(64)?;
/// let frames = [0, 2, 4].map(|x| scene.narrow(2, x, 48));
/// let weights = VggWeights::random(&NstConfig::untrained_network(), 42)?;
/// let config = NstConfig { size: 48, steps: 4, frame_steps: 2, ..NstConfig::untrained() };
/// let styles = [builtin::style(builtin::Style::Swirl, 64)?.into()];
///
/// let mut film: Option<(Series, Frame)> = None;
/// for content in frames {
///     let content = content?;
///     let (series, mut transfer) = match film {
///         None => {
///             let series = Series::film(&config, &weights, &styles, &content)?;
///             let transfer = series.picture(&content)?;
///             (series, transfer)
///         }
///         Some((series, before)) => {
///             let transfer = series.frame(&before, &content)?;
///             (series, transfer)
///         }
///     };
///     let painted = transfer.run(|_| ControlFlow::Continue(()))?;
///     assert_eq!(painted.dims(), [3, 48, 48]);
///     film = Some((series, Frame { content, painted }));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Ruder, Dosovitskiy and Brox 2016, *Artistic style transfer for videos*: the short-term consistency of its section 5.1, with a
/// flow of our own ([`Flow`]) and a start of its own where the motion is not known.
#[derive(Debug, Clone)]
pub struct Series {
    config: NstConfig,
    weights: VggWeights,
    styles: Styles,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// With the colours of the first frame, as far as they matter.
    Film {
        first: Palette,
    },
    Separate,
}

/// A frame that has been painted.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The content picture, (3, H, W), RGB in [0, 1].
    pub content: Tensor,
    /// What became of it: [`StyleTransfer::image`], or the same read from a file; of any size.
    pub painted: Tensor,
}

impl Series {
    /// The frames of a film, of which `first` is the first. Where colours are kept, the styles get those of the first
    /// frame for all of them, and where the content is recoloured, all frames are recoloured as the first is; each
    /// frame's own would flicker.
    ///
    /// # Shape
    /// As [`StyleTransfer::new`].
    ///
    /// # Errors
    /// As [`StyleTransfer::new`].
    pub fn film(config: &NstConfig, weights: &VggWeights, styles: &[Style], first: &Tensor) -> Result<Self> {
        config.check()?;
        let first = as_content(first)?;
        let styles = Styles::new(styles, first.device())?.coloured_by(config, &first)?;
        let seen = if config.keep_color == Some(KeepColour::Luma) { luma(&first)? } else { first };
        let kind = Kind::Film { first: Palette::of(&seen)? };
        Ok(Self { config: config.clone(), weights: weights.clone(), styles: styles.shared(), kind })
    }

    /// Pictures by themselves, on `device`. Where colours are kept they are each picture's own, and the styles' targets with
    /// them.
    ///
    /// # Errors
    /// As [`StyleTransfer::new`].
    pub fn separate(
        config: &NstConfig,
        weights: &VggWeights,
        styles: &[Style],
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let styles = Styles::new(styles, device)?.shared();
        Ok(Self { config: config.clone(), weights: weights.clone(), styles, kind: Kind::Separate })
    }

    /// The settings of the frames of a film but the first: at the final size alone, with
    /// [`frame_steps`](NstConfig::frame_steps) and [`frame_learning_rate`](NstConfig::frame_learning_rate).
    pub fn frame_config(&self) -> NstConfig {
        let learning_rate = match self.config.optimizer {
            OptimizerKind::Adam => Some(self.config.frame_learning_rate),
            OptimizerKind::Lbfgs => self.config.learning_rate,
        };
        NstConfig {
            learning_rate,
            min_size: self.config.size,
            steps: self.config.frame_steps,
            iterations: None,
            initial_iterations: None,
            ..self.config.clone()
        }
    }

    /// The transfer of a picture by itself, or of a film's first frame: as [`StyleTransfer::new`].
    ///
    /// # Errors
    /// As [`StyleTransfer::new`].
    pub fn picture(&self, content: &Tensor) -> Result<StyleTransfer> {
        let config = &self.config;
        let pictures = self.pictures(config, content)?;
        StyleTransfer::from_pictures(config, &self.weights, pictures, |p| p.initial(config))
    }

    /// [`Series::picture`] from a picture of your own: as [`StyleTransfer::starting_from`].
    ///
    /// # Errors
    /// As [`StyleTransfer::starting_from`].
    pub fn picture_from(&self, start: &Tensor, content: &Tensor) -> Result<StyleTransfer> {
        let pictures = self.pictures(&self.config, content)?;
        StyleTransfer::from_pictures(&self.config, &self.weights, pictures, |p| p.given(start))
    }

    /// The transfer of the frame after `before`, with [`Series::frame_config`].
    ///
    /// It starts from what was painted before, moved along with the content, and the temporal loss holds it there, with
    /// [`temporal_weight`](NstConfig::temporal_weight), where the motion is known ([`Flow::known`]). Elsewhere it starts from
    /// the content, with the mean and the covariance of the painted frame's colours.
    ///
    /// # Errors
    /// As [`StyleTransfer::new`]; when the two frames' contents differ in size.
    pub fn frame(&self, before: &Frame, content: &Tensor) -> Result<StyleTransfer> {
        let config = self.frame_config();
        if before.content.dims() != content.dims() {
            let message = format!(
                "the frames of a film must have one size; the one before is {:?}, this one {:?}",
                before.content.dims(),
                content.dims()
            );
            return Err(Error::Setting { key: "frames", message });
        }
        let mut pictures = self.pictures(&config, content)?;
        let here = pictures.content_at(config.size, Objective::last_tap(&config, &self.weights)?)?;
        let (_, _, h, w) = here.dims4()?;
        let sized = |picture: &Tensor| resize(picture, h, w, Filter::CatmullRom);
        // The motion is that of what was filmed, whatever becomes of its colours.
        let (now, then) = (sized(content)?, sized(&as_content(&before.content)?)?);
        let (back, forth) = (Flow::between(&now, &then)?, Flow::between(&then, &now)?);
        let known = back.known(&forth, &now, &then)?.to_device(here.device())?.unsqueeze(0)?;
        let painted = sized(&pictures.given(&before.painted)?)?;
        let moved = back.warp(&painted)?.unsqueeze(0)?;
        // What is new has no strokes yet, but it can have the colours.
        let new = Palette::of(&painted)?.recolour(&here.squeeze(0)?)?.unsqueeze(0)?;
        let start = (moved.broadcast_mul(&known)? + new.broadcast_mul(&known.affine(-1.0, 1.0)?)?)?;
        pictures.previous = Some(Previous::new(moved, known, (h, w))?);
        StyleTransfer::from_pictures(&config, &self.weights, pictures, |_| Ok(start.squeeze(0)?))
    }

    /// Goes on from a saved state of one of these pictures: as [`StyleTransfer::restore`].
    ///
    /// # Errors
    /// As [`StyleTransfer::restore`].
    pub fn restore(&self, state: &TransferState, content: &Tensor) -> Result<StyleTransfer> {
        state.progress.config.check()?;
        let pictures = self.pictures(&state.progress.config, content)?;
        StyleTransfer::restore_with(state, &self.weights, pictures)
    }

    fn pictures(&self, config: &NstConfig, content: &Tensor) -> Result<Pictures> {
        let content = as_content(content)?;
        match &self.kind {
            Kind::Film { first } => {
                let like = (config.init == Init::Recoloured).then_some(first);
                Pictures::with_styles(config, &content, self.styles.clone(), like)
            }
            Kind::Separate => {
                let styles = self.styles.clone().coloured_by(config, &content)?;
                Pictures::with_styles(config, &content, styles, None)
            }
        }
    }
}
