//! The flags of `gdl nst`, and the settings they come to.

use super::frames::FrameArgs;
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
    /// The picture whose content is painted, or builtin:harbor. A folder, or a pattern in quotes ('frames/*.png'), is a film: its
    /// pictures are painted in the order of their numbers, each from the one before
    #[arg(value_name = "CONTENT", required_unless_present_any = ["like", "resume"])]
    pub(super) content: Option<PathBuf>,
    /// The pictures or directories of pictures whose style is taken, in equal parts; or what --save-style has made of them; or
    /// builtin:swirl, builtin:glass, builtin:woodcut, builtin:meadow
    #[arg(value_name = "STYLE", required_unless_present_any = ["like", "resume"])]
    pub(super) styles: Vec<PathBuf>,
    /// Where the picture goes: .png, .jpg, .webp, .tiff or .bmp. A PNG also keeps the recipe, for --like. For a
    /// film a folder, in which each frame has its name
    #[arg(long, short, value_name = "OUT.png|DIR")]
    pub(super) out: PathBuf,
    /// Longer side of the result in pixels [default: 512]
    #[arg(long, value_name = "PIXELS", value_parser = values::side)]
    size: Option<usize>,
    /// Optimisation steps [default: 300 with adam, 100 with lbfgs, whose steps do more]
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// Network: vgg19 or vgg16 (fetched once and kept), builtin (small, inside the program), random (seeded, never
    /// trained), or a .safetensors or torchvision .pth file [default: vgg19; builtin where that cannot be fetched]
    #[arg(long, value_name = "FILE|vgg19|vgg16|builtin|random")]
    pub(super) weights: Option<String>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    losses: LossArgs,
    #[command(flatten)]
    pub(super) styling: StyleArgs,
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    pub(super) frames: FrameArgs,
    #[command(flatten)]
    pub(super) network: NetworkArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    pub(super) file: FileArgs,
    #[command(flatten)]
    pub(super) again: AgainArgs,
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
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    normalize_gradients: Option<bool>,
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
    /// Save what is taken from the styles at the sizes of this run, a few MB, to stand for them as STYLE later: for the same
    /// network, kind of style loss and pooling, and taps and sizes that are among these
    #[arg(long, value_name = "FILE.gdlstyle", conflicts_with_all = ["mask", "keep_color"])]
    pub(super) save_style: Option<PathBuf>,
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
    /// Optimiser of the picture [default: adam]
    #[arg(long, value_name = "adam|lbfgs", value_parser = values::named::<OptimizerKind>(&["adam", "lbfgs"]))]
    optimizer: Option<OptimizerKind>,
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
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_clamp: Option<bool>,
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

#[derive(Debug, Args)]
#[command(next_help_heading = "File")]
pub(super) struct FileArgs {
    /// Bits of a sample, in .png and .tiff [default: those of CONTENT]
    #[arg(long, value_name = "8|16", value_parser = values::choice(&["8", "16"], |bits| if bits == "8" { 8u8 } else { 16 }))]
    pub(super) bit_depth: Option<u8>,
    /// Keep no recipe in the PNG: it names files and settings
    #[arg(long)]
    pub(super) no_recipe: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Repeat and resume")]
pub(super) struct AgainArgs {
    /// Do again what made this PNG: its pictures and settings, except for what else is given here. The same pictures give
    /// the same result
    #[arg(long, value_name = "PAINTED.png", conflicts_with = "resume")]
    pub(super) like: Option<PathBuf>,
    /// Go on with the picture in --out, which was interrupted by Ctrl-C, from what was saved beside it in OUT.png.state; with a
    /// film in the folder --out from the first frame that was not done
    #[arg(long, conflicts_with_all = ["content", "styles", "size", "steps", "weights", "seed", "LossArgs", "StyleArgs",
        "CourseArgs", "FrameArgs", "NetworkArgs", "MemoryArgs", "FileArgs"])]
    pub(super) resume: bool,
    /// Steps between two saves of the picture so far, with what --resume needs [default: when interrupted only]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(super) save_every: Option<usize>,
}

impl NstArgs {
    /// The settings that the flags ask for. What they say nothing of is as in `base`: the settings that suit the weights, or a
    /// recipe's.
    pub(super) fn config(&self, base: NstConfig) -> Result<NstConfig> {
        let (losses, styling, course) = (&self.losses, &self.styling, &self.course);
        let optimizer = course.optimizer.unwrap_or(base.optimizer);
        let (steps, frame_steps) = match optimizer {
            same if same == base.optimizer => (base.steps, base.frame_steps),
            OptimizerKind::Adam => (NstConfig::default().steps, NstConfig::default().frame_steps),
            OptimizerKind::Lbfgs => (100, 20),
        };
        // Steps in all, where they are given, are instead of steps at each scale.
        let each = course.iterations.or(base.iterations).filter(|_| self.steps.is_none());
        let layers = |given: &[Layer], default| if given.is_empty() { default } else { Some(given.to_vec()) };
        let config = NstConfig {
            content_weight: losses.content_weight.unwrap_or(base.content_weight),
            style_weight: losses.style_weight.unwrap_or(base.style_weight),
            tv_weight: losses.tv_weight.unwrap_or(base.tv_weight),
            histogram_weight: losses.histogram_weight.unwrap_or(base.histogram_weight),
            temporal_weight: self.frames.temporal_weight.unwrap_or(base.temporal_weight),
            frame_steps: self.frames.frame_steps.unwrap_or(frame_steps),
            frame_learning_rate: self.frames.frame_step_size.unwrap_or(base.frame_learning_rate),
            tv: losses.tv.unwrap_or(base.tv),
            statistics: losses.style_loss.unwrap_or(base.statistics),
            style_levels: losses.style_levels.unwrap_or(base.style_levels),
            content_layers: layers(&losses.content_layers, base.content_layers.clone()),
            style_layers: layers(&losses.style_layers, base.style_layers.clone()),
            histogram_layers: layers(&losses.histogram_layers, base.histogram_layers.clone()),
            normalize_gradients: losses.normalize_gradients.unwrap_or(base.normalize_gradients),
            pooling: self.network.pooling.unwrap_or(base.pooling),
            size: self.size.unwrap_or(base.size),
            min_size: course.min_scale.unwrap_or(base.min_size),
            scale_factor: course.scale_factor.unwrap_or(base.scale_factor),
            steps: self.steps.unwrap_or(steps),
            iterations: each,
            initial_iterations: course
                .initial_iterations
                .or(base.initial_iterations)
                .filter(|_| each.is_some()),
            optimizer,
            learning_rate: course.step_size.or(base.learning_rate),
            average_decay: course.avg_decay.unwrap_or(base.average_decay),
            lbfgs_history: course.lbfgs_history.unwrap_or(base.lbfgs_history),
            clamp: course.no_clamp.map_or(base.clamp, |no| !no),
            init: self.named_init().unwrap_or(base.init),
            keep_color: styling.keep_color.or(base.keep_color),
            style_size: styling.style_size.or(base.style_size),
            mask_feather: styling.mask_feather.unwrap_or(base.mask_feather),
            seed: self.seed.unwrap_or(base.seed),
            max_memory: self.memory.max_memory.or(base.max_memory),
            tile: self.memory.tile.or(base.tile),
            ..base
        };
        // What the library finds wrong with them is a matter of the command line.
        config.check().map_err(|e| UsageError(e.to_string()))?;
        Ok(config)
    }

    /// `--init`.
    pub(super) fn init(&self) -> Option<&Path> {
        self.course.init.as_deref()
    }

    /// What `--init` names, unless it is a picture.
    fn named_init(&self) -> Option<Init> {
        match self.init()?.to_str()? {
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
        self.init().filter(|_| self.named_init().is_none())
    }
}
