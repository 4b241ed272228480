use crate::{Error, Init, KeepColour, Layer, OptimizerKind, Result, Statistics, TotalVariation};
use gdl_conv::PadMode;
use gdl_vgg::{Pooling, Tap, VggConfig, VggWeights};
use serde::{Deserialize, Serialize};

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
    /// Weight of the histogram loss; 0.
    pub histogram_weight: f64,
    /// Weight of the temporal loss in the frames of a film but the first ([`Series`](crate::Series)); 2,000.
    pub temporal_weight: f64,
    /// Steps for each frame of a film but the first, which go out from the frame before, at the final size alone; 60.
    pub frame_steps: usize,
    /// [`learning_rate`](Self::learning_rate) of Adam for those frames; 0.01. They are nearly done when they start, and a rate for
    /// pictures that are not would stir them up.
    pub frame_learning_rate: f64,
    /// Which total variation; the squared one by default.
    pub tv: TotalVariation,
    /// Which statistics make the style; by default mean and covariance, compared by their Wasserstein-2 distance.
    pub statistics: Statistics,
    /// How many sizes of the picture, each half the one before, the style is read from at once; 1. More let shallow
    /// layers see coarse texture too.
    pub style_levels: usize,
    /// Where content is read; by default at [`VggWeights::default_content_tap`].
    pub content_layers: Option<Vec<Layer>>,
    /// Where style is read; by default at [`VggWeights::default_style_taps`], all alike.
    pub style_layers: Option<Vec<Layer>>,
    /// Where the histogram loss reads; by default at `relu1_1` and `relu4_1`, as far as they are there.
    pub histogram_layers: Option<Vec<Layer>>,
    /// Whether the gradient of each layer's loss, with respect to the features there, is scaled to a norm of 1 before
    /// its weight is applied (and that of the total variation with respect to the picture); false. With Adam only.
    /// Weights then say how hard a layer pulls, whatever its loss comes to, and mean something else than without.
    pub normalize_gradients: bool,
    /// What stands between the network's blocks; the maximum by default.
    pub pooling: Pooling,
    /// Pixels on the longer side of the result; 512.
    pub size: usize,
    /// Pixels on the longer side at the first scale, at least; 128. With `size` or more there is one scale only.
    pub min_size: usize,
    /// How much larger each scale is than the one before; the root of 2. At least 1.01.
    pub scale_factor: f64,
    /// Steps in all, shared out evenly over the scales; 300.
    pub steps: usize,
    /// Steps at each scale, instead of a share of `steps`; none by default.
    pub iterations: Option<usize>,
    /// Steps at the first scale, where it is not the same as at the others; goes with `iterations`.
    pub initial_iterations: Option<usize>,
    /// Adam; or L-BFGS.
    pub optimizer: OptimizerKind,
    /// How far a pixel moves in one of Adam's first steps at a scale, at most about; 0.03. With L-BFGS the first
    /// guess of each step's length, where 1 is usual.
    pub learning_rate: Option<f64>,
    /// What Adam's rate falls to over the steps of a scale, as a part of it; 0.1, which leaves no grain. At 1 it does
    /// not fall, and `average_decay` takes the grain away instead.
    pub final_rate: f64,
    /// Decay of the moving average of Adam's pictures, corrected for its start, which is what is shown and taken over to
    /// the next scale; below 1. 0, the default, is the last picture, as always with L-BFGS, whose steps do not swing.
    pub average_decay: f64,
    /// How many past steps L-BFGS reads the curvature from; 10. Each costs twice the picture's memory.
    pub lbfgs_history: usize,
    /// Whether pixels are kept within [0, 1] after each step; true. What is shown is within it in any case.
    pub clamp: bool,
    /// How often a step that comes to nothing finite is taken back and retried at half the rate before giving up; 8.
    pub retries: usize,
    /// What the optimisation starts from; the content picture by default.
    pub init: Init,
    /// Whether the content's colours are kept, and how; by default they are not.
    pub keep_color: Option<KeepColour>,
    /// The longer side of the style pictures, as a part of that of the result; 1. Larger makes larger strokes. They
    /// are never enlarged beyond their own size.
    pub style_scale: f64,
    /// The longer side of the style pictures in pixels, the same at every scale, instead of `style_scale`; none by
    /// default.
    pub style_size: Option<usize>,
    /// The softness of the masks' borders, as a part of the longer side: the deviation of a Gaussian; 0.01.
    pub mask_feather: f64,
    /// Bytes of memory that the whole process may take; none, the default, for no bound. Where a scale does not fit, the
    /// picture is computed in tiles there; see [`plan`](crate::plan()).
    pub max_memory: Option<u64>,
    /// The largest side of a tile in pixels: larger pictures are computed in tiles, whether memory demands it or not. None by
    /// default.
    pub tile: Option<usize>,
    /// Seed of whatever is drawn; 0.
    pub seed: u64,
}

impl Default for NstConfig {
    fn default() -> Self {
        Self {
            content_weight: 1.0,
            style_weight: 30.0,
            tv_weight: 2.0,
            histogram_weight: 0.0,
            temporal_weight: 2000.0,
            frame_steps: 60,
            frame_learning_rate: 0.01,
            tv: TotalVariation::Squared,
            statistics: Statistics::Wasserstein,
            style_levels: 1,
            content_layers: None,
            style_layers: None,
            histogram_layers: None,
            normalize_gradients: false,
            pooling: Pooling::Max,
            size: 512,
            min_size: 128,
            scale_factor: std::f64::consts::SQRT_2,
            steps: 300,
            iterations: None,
            initial_iterations: None,
            optimizer: OptimizerKind::Adam,
            learning_rate: None,
            final_rate: 0.1,
            average_decay: 0.0,
            lbfgs_history: 10,
            clamp: true,
            retries: 8,
            init: Init::Content,
            keep_color: None,
            style_scale: 1.0,
            style_size: None,
            mask_feather: 0.01,
            max_memory: None,
            tile: None,
            seed: 0,
        }
    }
}

impl NstConfig {
    /// Settings for a network that was never trained (`VggWeights::random`): shallow taps, the style read as mean and
    /// covariance at three sizes, colours matched beforehand. The picture gets the palette and something of the
    /// texture; with the settings of a trained network it would get coloured speckle.
    ///
    /// [`NstConfig::untrained_network`] is the network to use.
    pub fn untrained() -> Self {
        Self {
            style_weight: 20.0,
            content_layers: Some(vec![Tap::relu(1, 2).into()]),
            style_layers: Some(
                [Tap::relu(1, 1), Tap::relu(1, 2), Tap::relu(2, 1), Tap::relu(2, 2)]
                    .map(Layer::from)
                    .to_vec(),
            ),
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
    /// [`Error::Setting`] naming the first that is outside its range, or does not go with another.
    pub fn check(&self) -> Result<()> {
        let within = |key, x: f64, good: bool, range: &str| match good && x.is_finite() {
            true => Ok(()),
            false => Err(Error::Setting { key, message: format!("must be a number {range}, not {x}") }),
        };
        for (key, x) in [
            ("content_weight", self.content_weight),
            ("style_weight", self.style_weight),
            ("tv_weight", self.tv_weight),
            ("histogram_weight", self.histogram_weight),
            ("temporal_weight", self.temporal_weight),
            ("mask_feather", self.mask_feather),
        ] {
            within(key, x, x >= 0.0, "of 0 or more")?;
        }
        let (rate, factor) = (self.learning_rate.unwrap_or(1.0), self.scale_factor);
        within("learning_rate", rate, rate > 0.0, "above 0")?;
        let frame_rate = self.frame_learning_rate;
        within("frame_learning_rate", frame_rate, frame_rate > 0.0, "above 0")?;
        within("style_scale", self.style_scale, self.style_scale > 0.0, "above 0")?;
        within("scale_factor", factor, factor >= 1.01, "of 1.01 or more")?;
        within("mask_feather", self.mask_feather, self.mask_feather <= 1.0, "of at most 1")?;
        within("final_rate", self.final_rate, (0.0..=1.0).contains(&self.final_rate), "from 0 to 1")?;
        let decay = self.average_decay;
        within("average_decay", decay, (0.0..1.0).contains(&decay), "of 0 or more and below 1")?;
        let fault = |key, message: &str| Err(Error::Setting { key, message: message.to_string() });
        for (key, n) in [
            ("size", self.size),
            ("min_size", self.min_size),
            ("steps", self.steps),
            ("frame_steps", self.frame_steps),
            ("style_levels", self.style_levels),
            ("lbfgs_history", self.lbfgs_history),
            ("iterations", self.iterations.unwrap_or(1)),
            ("initial_iterations", self.initial_iterations.unwrap_or(1)),
            ("style_size", self.style_size.unwrap_or(1)),
            ("tile", self.tile.unwrap_or(1)),
        ] {
            if n == 0 {
                return fault(key, "must be at least 1, not 0");
            }
        }
        for (key, layers) in [
            ("content_layers", &self.content_layers),
            ("style_layers", &self.style_layers),
            ("histogram_layers", &self.histogram_layers),
        ] {
            let Some(layers) = layers else { continue };
            if layers.is_empty() {
                return fault(key, "must name at least one tap");
            }
            for layer in layers {
                within(key, layer.weight, layer.weight > 0.0, "above 0 for each tap's weight")?;
            }
        }
        if self.initial_iterations.is_some() && self.iterations.is_none() {
            return fault("initial_iterations", "goes with iterations, which is not set");
        }
        if self.normalize_gradients && self.optimizer == OptimizerKind::Lbfgs {
            return fault(
                "normalize_gradients",
                "goes with adam: the line search of lbfgs needs gradients that are those of the loss",
            );
        }
        Ok(())
    }

    /// Where content is read from these weights.
    pub fn content_layers_of(&self, weights: &VggWeights) -> Vec<Layer> {
        self.content_layers.clone().unwrap_or_else(|| vec![weights.default_content_tap().into()])
    }

    /// Where style is read from these weights.
    pub fn style_layers_of(&self, weights: &VggWeights) -> Vec<Layer> {
        let default = || weights.default_style_taps().into_iter().map(Layer::from).collect();
        self.style_layers.clone().unwrap_or_else(default)
    }

    /// Where the histogram loss reads from these weights; nowhere when its weight is 0.
    pub fn histogram_layers_of(&self, weights: &VggWeights) -> Vec<Layer> {
        if self.histogram_weight == 0.0 {
            return Vec::new();
        }
        self.histogram_layers.clone().unwrap_or_else(|| {
            let taps = [Tap::relu(1, 1), Tap::relu(4, 1)];
            taps.into_iter().filter(|t| weights.has(*t)).map(Layer::from).collect()
        })
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
