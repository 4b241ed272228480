use crate::{Error, Result};
use gdl_conv::PadMode;
use gdl_vgg::{Pooling, Tap, VggConfig, VggWeights};
use serde::{Deserialize, Serialize};

/// How the pixels are changed to lower the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam: steady, one evaluation a step.
    #[default]
    Adam,
    /// L-BFGS with a line search: fewer steps, each of two evaluations or more.
    Lbfgs,
}

/// Which statistics of the features make the style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Statistics {
    /// The Gram matrix ([`style_loss`](crate::style_loss)), as Gatys et al. have it.
    #[default]
    Gram,
    /// Mean and covariance apart ([`covariance_loss`](crate::covariance_loss)): for networks that were never trained.
    Covariance,
}

/// What the optimisation starts from, at the smallest scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Init {
    /// The content picture: keeps its drawing best.
    #[default]
    Content,
    /// The content picture with the mean and covariance of the first style picture's colours, which is then also what
    /// the content loss compares with: keeps the drawing, has the palette from the start. What weak features want.
    Recoloured,
    /// Plain grey.
    Gray,
    /// Noise around grey, from the seed.
    Noise,
}

/// Settings of a style transfer. The defaults give a good picture from two files.
///
/// Losses are relative to the size of what they compare with (see each), so the weights mean the same whatever the
/// network, its scaling and the size of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NstConfig {
    /// Weight of the content loss; 1.
    pub content_weight: f64,
    /// Weight of the style loss; 30.
    pub style_weight: f64,
    /// Weight of the total variation, which smooths; 2.
    pub tv_weight: f64,
    /// Pixels on the longer side of the result; 512.
    pub size: usize,
    /// Pixels on the longer side at the first scale; 128. Each scale is twice the one before, up to `size`; with
    /// `min_size` at `size` or above there is one scale only.
    pub min_size: usize,
    /// Steps in all, shared out evenly over the scales; 300.
    pub steps: usize,
    /// Adam; or L-BFGS.
    pub optimizer: OptimizerKind,
    /// How far a pixel moves in one of Adam's first steps at a scale, at most about; 0.03. It falls to a tenth of that over the
    /// scale's steps, which leaves no grain. With L-BFGS the first guess of each step's length, where 1 is usual.
    pub learning_rate: Option<f64>,
    /// Where content is read; by default as [`VggWeights::default_content_tap`].
    pub content_tap: Option<Tap>,
    /// Where style is read; by default as [`VggWeights::default_style_taps`].
    pub style_taps: Option<Vec<Tap>>,
    /// The longer side of the style pictures, as a part of that of the result; 1. Larger makes larger strokes. They are never
    /// enlarged beyond their own size.
    pub style_scale: f64,
    /// Which statistics make the style; the Gram matrix by default.
    pub statistics: Statistics,
    /// How many sizes of the picture, each half the one before, the style is read from at once; 1. More let shallow layers see
    /// coarse texture too.
    pub style_levels: usize,
    /// What stands between the network's blocks; the maximum by default.
    pub pooling: Pooling,
    /// What the optimisation starts from; the content picture by default.
    pub init: Init,
    /// Seed of whatever is drawn; 0.
    pub seed: u64,
}

impl Default for NstConfig {
    fn default() -> Self {
        Self {
            content_weight: 1.0,
            style_weight: 30.0,
            tv_weight: 2.0,
            size: 512,
            min_size: 128,
            steps: 300,
            optimizer: OptimizerKind::Adam,
            learning_rate: None,
            content_tap: None,
            style_taps: None,
            style_scale: 1.0,
            statistics: Statistics::Gram,
            style_levels: 1,
            pooling: Pooling::Max,
            init: Init::Content,
            seed: 0,
        }
    }
}

impl NstConfig {
    /// Settings for a network that was never trained (`VggWeights::random`): shallow taps, the style read as mean and covariance
    /// at three sizes, colours matched beforehand. The picture gets the palette and something of the texture; with the settings
    /// of a trained network it would get coloured speckle.
    ///
    /// [`NstConfig::untrained_network`] is the network to use.
    pub fn untrained() -> Self {
        Self {
            style_weight: 20.0,
            content_tap: Some(Tap::relu(1, 2)),
            style_taps: Some(vec![Tap::relu(1, 1), Tap::relu(1, 2), Tap::relu(2, 1), Tap::relu(2, 2)]),
            statistics: Statistics::Covariance,
            style_levels: 3,
            pooling: Pooling::Average,
            init: Init::Recoloured,
            ..Self::default()
        }
    }

    /// The network for [`NstConfig::untrained`]: narrower than VGG and only as deep as the taps, which costs a tenth.
    pub fn untrained_network() -> VggConfig {
        VggConfig { widths: [32, 64, 64, 64, 64], upto: Tap::relu(2, 2), ..VggConfig::default() }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that is outside its range.
    pub fn check(&self) -> Result<()> {
        let fault = |key, message: String| Err(Error::Setting { key, message });
        let weights = [
            ("content_weight", self.content_weight),
            ("style_weight", self.style_weight),
            ("tv_weight", self.tv_weight),
        ];
        for (key, weight) in weights {
            if !weight.is_finite() || weight < 0.0 {
                return fault(key, format!("must be a number of 0 or more, not {weight}"));
            }
        }
        for (key, n) in [
            ("size", self.size),
            ("min_size", self.min_size),
            ("steps", self.steps),
            ("style_levels", self.style_levels),
        ] {
            if n == 0 {
                return fault(key, "must be at least 1, not 0".to_string());
            }
        }
        let positive =
            [("learning_rate", self.learning_rate.unwrap_or(1.0)), ("style_scale", self.style_scale)];
        for (key, x) in positive {
            if !x.is_finite() || x <= 0.0 {
                return fault(key, format!("must be a number above 0, not {x}"));
            }
        }
        if self.style_taps.as_ref().is_some_and(Vec::is_empty) {
            return fault("style_taps", "must name at least one tap".to_string());
        }
        Ok(())
    }

    /// Where content is read from these weights.
    pub fn content_tap_of(&self, weights: &VggWeights) -> Tap {
        self.content_tap.unwrap_or_else(|| weights.default_content_tap())
    }

    /// Where style is read from these weights.
    pub fn style_taps_of(&self, weights: &VggWeights) -> Vec<Tap> {
        self.style_taps.clone().unwrap_or_else(|| weights.default_style_taps())
    }

    /// The learning rate, or its default for the optimizer.
    pub(crate) fn rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.optimizer {
            OptimizerKind::Adam => 0.03,
            OptimizerKind::Lbfgs => 1.0,
        })
    }

    /// The border of the first convolution: repeated, since zeros would paint a dark rim.
    pub(crate) fn first_padding(&self) -> PadMode {
        PadMode::Replicate
    }
}
