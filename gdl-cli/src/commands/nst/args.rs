//! The flags of `gdl nst`, and the settings they come to.

use crate::commands::values;
use crate::console::UsageError;
use anyhow::Result;
use clap::Args;
use gdl_nst::{Init, KeepColour, Layer, NstConfig, OptimizerKind, Statistics, TotalVariation};
use gdl_vgg::Pooling;
use std::path::{Path, PathBuf};

/// Flags of `gdl nst`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct NstArgs {
    /// The picture whose content is painted, or builtin:harbor
    #[arg(value_name = "CONTENT")]
    pub(super) content: PathBuf,
    /// The pictures or directories of pictures whose style is taken, in equal parts; or builtin:swirl, builtin:glass,
    /// builtin:woodcut, builtin:meadow
    #[arg(value_name = "STYLE", required = true)]
    pub(super) styles: Vec<PathBuf>,
    /// Where the picture goes: .png, .jpg, .webp, .tiff or .bmp
    #[arg(long, short, value_name = "OUT.png")]
    pub(super) out: PathBuf,
    /// Longer side of the result in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 512, value_parser = values::side)]
    pub(super) size: usize,
    /// Optimisation steps [default: 300 with adam, 100 with lbfgs, whose steps do more]
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// Network: vgg19 or vgg16 (fetched once and kept), builtin (small, inside the program), random (seeded, never
    /// trained), or a .safetensors or torchvision .pth file [default: vgg19; builtin where that cannot be fetched]
    #[arg(long, value_name = "FILE|vgg19|vgg16|builtin|random")]
    pub(super) weights: Option<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    #[command(flatten)]
    losses: LossArgs,
    #[command(flatten)]
    pub(super) styling: StyleArgs,
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Losses")]
struct LossArgs {
    /// How much the content counts [default: 1]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    content_weight: Option<f64>,
    /// How much the style counts [default: 30; 20 with random weights]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    style_weight: Option<f64>,
    /// How much smoothness (total variation) counts [default: 2]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    tv_weight: Option<f64>,
    /// How much the distribution of each channel counts, beside the style [default: 0]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    histogram_weight: Option<f64>,
    /// What of the features makes the style [default: wasserstein; covariance with random
    /// weights]
    #[arg(long, value_name = "WHAT",
        value_parser = values::named::<Statistics>(&["gram", "covariance", "mean-std", "wasserstein"]))]
    style_loss: Option<Statistics>,
    /// Kind of total variation [default: squared]
    #[arg(long, value_name = "KIND", value_parser = values::named::<TotalVariation>(&["squared", "l1", "nine-point"]))]
    tv: Option<TotalVariation>,
    /// Taps where content is read, with commas between them, each with a weight if you like: relu4_2:2,relu3_1
    /// [default: relu4_2, or the last there is]
    #[arg(long, value_name = "TAP[:W],...", value_delimiter = ',')]
    content_layers: Vec<Layer>,
    /// Taps where style is read [default: relu1_1 to relu5_1, as far as they are there]
    #[arg(long, value_name = "TAP[:W],...", value_delimiter = ',')]
    style_layers: Vec<Layer>,
    /// Taps where the histograms are taken [default: relu1_1,relu4_1]
    #[arg(long, value_name = "TAP[:W],...", value_delimiter = ',')]
    histogram_layers: Vec<Layer>,
    /// Read the style at that many sizes of the picture, each half the one before [default: 1; 3 with random weights]
    #[arg(long, value_name = "N", value_parser = values::count)]
    style_levels: Option<usize>,
    /// Scale each layer's gradient to a norm of 1 before its weight; with adam
    #[arg(long)]
    normalize_gradients: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Styles and colours")]
pub(super) struct StyleArgs {
    /// How much each style counts beside the others, in their order [default: all alike]
    #[arg(long, value_name = "W,...", value_delimiter = ',', value_parser = values::non_negative)]
    pub(super) style_weights: Vec<f64>,
    /// Longer side of the style beside that of the result, for all or for each; larger makes larger strokes [default:
    /// 1]
    #[arg(long, value_name = "X,...", value_delimiter = ',', value_parser = values::positive)]
    pub(super) style_scale: Vec<f64>,
    /// Longer side of the styles in pixels, the same at every scale
    #[arg(long, value_name = "PIXELS", value_parser = values::side)]
    style_size: Option<usize>,
    /// Where a style is painted: a picture, white there and black elsewhere. The first is for the first style, and so
    /// on; `none` passes one over. Styles without one share what the masks leave
    #[arg(long, value_name = "FILE|none")]
    pub(super) mask: Vec<PathBuf>,
    /// Softness of the masks' borders, as a part of the longer side [default: 0.01]
    #[arg(long, value_name = "X", value_parser = values::fraction)]
    mask_feather: Option<f64>,
    /// Keep the content's colours: paint brightness only, or give the styles its colours beforehand
    #[arg(long, value_name = "luma|match", value_parser = values::named::<KeepColour>(&["luma", "match"]))]
    keep_color: Option<KeepColour>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Course")]
struct CourseArgs {
    /// What to start from: content, recoloured, gray, noise, style-stats, or a picture [default: content; recoloured
    /// with random weights]
    #[arg(long, value_name = "START|FILE")]
    init: Option<PathBuf>,
    /// Longer side at the first scale, at least [default: 128]
    #[arg(long, value_name = "PIXELS", value_parser = values::side)]
    min_scale: Option<usize>,
    /// How much larger each scale is than the one before [default: 1.4142, the root of 2]
    #[arg(long, value_name = "X", value_parser = values::positive)]
    scale_factor: Option<f64>,
    /// Steps at each scale, instead of a share of --steps
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    iterations: Option<usize>,
    /// Steps at the first scale, where it is not --iterations
    #[arg(long, value_name = "N", value_parser = values::count, requires = "iterations")]
    initial_iterations: Option<usize>,
    /// Optimiser of the picture
    #[arg(long, value_name = "adam|lbfgs", default_value = "adam",
        value_parser = values::named::<OptimizerKind>(&["adam", "lbfgs"]))]
    optimizer: OptimizerKind,
    /// How far Adam moves a pixel in a step [default: 0.03]; L-BFGS: first guess of a step's length [default: 1]
    #[arg(long, value_name = "X", value_parser = values::positive)]
    step_size: Option<f64>,
    /// Decay of the moving average of Adam's pictures, which is what comes out; 0 for none
    #[arg(long, value_name = "X", value_parser = values::fraction)]
    avg_decay: Option<f64>,
    /// Past steps that L-BFGS reads the curvature from [default: 10]
    #[arg(long, value_name = "N", value_parser = values::count)]
    lbfgs_history: Option<usize>,
    /// Let pixels leave the range from black to white on the way
    #[arg(long)]
    no_clamp: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(super) struct NetworkArgs {
    /// How pictures are fed to the network [default: as the weights' file says, else torchvision]
    #[arg(long, value_name = "torchvision|caffe", value_parser = ["torchvision", "caffe"])]
    pub(super) preprocess: Option<String>,
    /// What stands between the network's blocks [default: max; average with random weights]
    #[arg(long, value_name = "HOW", value_parser = values::named::<Pooling>(&["max", "average", "l2"]))]
    pooling: Option<Pooling>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Memory")]
struct MemoryArgs {
    /// Take no more memory than this: where a scale would, it is computed in tiles, with the same losses and gradients,
    /// in more time. The plan is printed first [default: no bound]
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    max_memory: Option<u64>,
    /// Compute pictures larger than that in tiles of at most N pixels a side, whether they fit into memory or not
    #[arg(long, value_name = "N", value_parser = values::side)]
    tile: Option<usize>,
}

impl NstArgs {
    /// The settings that the flags ask for, from those that suit the weights.
    pub(super) fn config(&self, defaults: NstConfig) -> Result<NstConfig> {
        let (losses, styling, course) = (&self.losses, &self.styling, &self.course);
        let steps = match course.optimizer {
            OptimizerKind::Adam => defaults.steps,
            OptimizerKind::Lbfgs => 100,
        };
        let layers = |given: &[Layer], default| if given.is_empty() { default } else { Some(given.to_vec()) };
        let config = NstConfig {
            content_weight: losses.content_weight.unwrap_or(defaults.content_weight),
            style_weight: losses.style_weight.unwrap_or(defaults.style_weight),
            tv_weight: losses.tv_weight.unwrap_or(defaults.tv_weight),
            histogram_weight: losses.histogram_weight.unwrap_or(defaults.histogram_weight),
            tv: losses.tv.unwrap_or(defaults.tv),
            statistics: losses.style_loss.unwrap_or(defaults.statistics),
            style_levels: losses.style_levels.unwrap_or(defaults.style_levels),
            content_layers: layers(&losses.content_layers, defaults.content_layers.clone()),
            style_layers: layers(&losses.style_layers, defaults.style_layers.clone()),
            histogram_layers: layers(&losses.histogram_layers, defaults.histogram_layers.clone()),
            normalize_gradients: losses.normalize_gradients,
            pooling: self.network.pooling.unwrap_or(defaults.pooling),
            size: self.size,
            min_size: course.min_scale.unwrap_or(defaults.min_size),
            scale_factor: course.scale_factor.unwrap_or(defaults.scale_factor),
            steps: self.steps.unwrap_or(steps),
            iterations: course.iterations,
            initial_iterations: course.initial_iterations,
            optimizer: course.optimizer,
            learning_rate: course.step_size,
            average_decay: course.avg_decay.unwrap_or(defaults.average_decay),
            lbfgs_history: course.lbfgs_history.unwrap_or(defaults.lbfgs_history),
            clamp: !course.no_clamp,
            init: self.named_init().unwrap_or(defaults.init),
            keep_color: styling.keep_color,
            style_size: styling.style_size,
            mask_feather: styling.mask_feather.unwrap_or(defaults.mask_feather),
            seed: self.seed,
            max_memory: self.memory.max_memory,
            tile: self.memory.tile,
            ..defaults
        };
        // What the library finds wrong with them is a matter of the command line.
        config.check().map_err(|e| UsageError(e.to_string()))?;
        Ok(config)
    }

    /// What `--init` names, unless it is a picture.
    fn named_init(&self) -> Option<Init> {
        match self.course.init.as_deref()?.to_str()? {
            "content" => Some(Init::Content),
            "recoloured" | "recolored" => Some(Init::Recoloured),
            "gray" | "grey" => Some(Init::Gray),
            "noise" => Some(Init::Noise),
            "style-stats" => Some(Init::StyleStats),
            _ => None,
        }
    }

    /// The picture that `--init` names.
    pub(super) fn start(&self) -> Option<&Path> {
        self.course.init.as_deref().filter(|_| self.named_init().is_none())
    }
}
