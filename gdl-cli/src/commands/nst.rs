//! `gdl nst`: style transfer.

use super::{Context, values, vgg};
use crate::{console::UsageError, progress::Progress};
use anyhow::Result;
use candle_core::Tensor;
use clap::{Args, ValueEnum};
use gdl_image_io::{LoadOptions, check_writable, images_at, load_image, save_image};
use gdl_nst::{NstConfig, OptimizerKind, StepReport, Style, StyleTransfer, builtin};
use gdl_train::ThroughputMeter;
use gdl_vgg::Tap;
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Pictures that are drawn inside the program are named with this before their name.
const BUILTIN: &str = "builtin:";

/// Flags of `gdl nst`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct NstArgs {
    /// The picture whose content is painted, or builtin:harbor
    #[arg(value_name = "CONTENT")]
    content: PathBuf,
    /// The pictures or directories of pictures whose style is taken, in equal parts; or builtin:swirl, builtin:glass,
    /// builtin:woodcut, builtin:meadow
    #[arg(value_name = "STYLE", required = true)]
    styles: Vec<PathBuf>,
    /// Where the picture goes: .png, .jpg, .webp, .tiff or .bmp
    #[arg(long, short, value_name = "OUT.png")]
    out: PathBuf,
    /// Longer side of the result in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 512, value_parser = values::side)]
    size: usize,
    /// Optimisation steps [default: 300 with adam, 100 with lbfgs, whose steps do more]
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// How much the content counts [default: 1]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    content_weight: Option<f64>,
    /// How much the style counts [default: 30; 20 with random weights]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    style_weight: Option<f64>,
    /// How much smoothness (total variation) counts [default: 2]
    #[arg(long, value_name = "W", value_parser = values::non_negative)]
    tv_weight: Option<f64>,
    /// Optimiser of the picture
    #[arg(long, value_enum, default_value_t = Optimizer::Adam)]
    optimizer: Optimizer,
    /// Network: vgg19 or vgg16 (fetched once and kept), random (seeded, needs no network), or a .safetensors or
    /// torchvision .pth file
    #[arg(long, value_name = "FILE|vgg19|vgg16|random", default_value = "vgg19")]
    weights: String,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Optimizer {
    Adam,
    Lbfgs,
}

impl NstArgs {
    fn config(&self) -> NstConfig {
        let defaults =
            if self.weights == vgg::RANDOM { NstConfig::untrained() } else { NstConfig::default() };
        let (optimizer, steps) = match self.optimizer {
            Optimizer::Adam => (OptimizerKind::Adam, 300),
            Optimizer::Lbfgs => (OptimizerKind::Lbfgs, 100),
        };
        NstConfig {
            content_weight: self.content_weight.unwrap_or(defaults.content_weight),
            style_weight: self.style_weight.unwrap_or(defaults.style_weight),
            tv_weight: self.tv_weight.unwrap_or(defaults.tv_weight),
            size: self.size,
            steps: self.steps.unwrap_or(steps),
            optimizer,
            seed: self.seed,
            ..defaults
        }
    }
}

/// Runs `gdl nst`.
pub(crate) fn run(args: &NstArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    // What can be wrong with the files is found out before the network is fetched and the hours are spent.
    check_writable(&args.out)?;
    let config = args.config();
    let content = picture(&args.content, args.size)?.to_device(&context.device)?;
    let mut styles = Vec::new();
    for path in style_paths(&args.styles)? {
        styles.push(Style::from(picture(&path, args.size)?));
    }
    let random = (&NstConfig::untrained_network(), args.seed);
    let weights = vgg::weights(&args.weights, random, context)?;
    say.detail(format_args!(
        "network: {} up to {}; content at {}; style at {}",
        weights.origin(),
        weights.last_tap(),
        config.content_tap_of(&weights),
        config.style_taps_of(&weights).iter().map(Tap::to_string).collect::<Vec<_>>().join(", "),
    ));
    let mut transfer = StyleTransfer::new(&config, &weights, &content, &styles)?;
    let mut bar = PaintBar::new(context, &transfer);
    let image = transfer.run(|report| {
        bar.show(report);
        ControlFlow::Continue(())
    })?;
    bar.progress.finish();
    save_image(&image, &args.out)?;
    let (_, h, w) = image.dims3()?;
    say.say(format_args!("{}: {w}x{h}", args.out.display()));
    Ok(())
}

/// The bar of a style transfer, with its losses and its rate.
#[derive(Debug)]
pub(super) struct PaintBar {
    pub(super) progress: Progress,
    meter: ThroughputMeter,
}

impl PaintBar {
    pub(super) fn new(context: &Context, transfer: &StyleTransfer) -> Self {
        let total = transfer.total_steps() as u64;
        Self {
            progress: Progress::new(context.verbosity, "paint", total),
            meter: ThroughputMeter::new(0, Some(total)),
        }
    }

    /// Shows what a step did.
    pub(super) fn show(&mut self, report: &StepReport) {
        self.meter.update(report.step as u64);
        let (l, rate) = (&report.losses, self.meter.rate().unwrap_or(0.0));
        self.progress.at(
            report.step as u64,
            format!(
                "{}x{} loss {:.4} (content {:.4}, style {:.4}, tv {:.4})  {rate:.2} steps/s",
                report.width, report.height, l.total, l.content, l.style, l.tv
            ),
        );
    }
}

/// Reads a picture, or draws one of the program's own with `size` pixels on the longer side.
fn picture(path: &Path, size: usize) -> Result<Tensor> {
    let Some(name) = path.to_str().and_then(|p| p.strip_prefix(BUILTIN)) else {
        return Ok(load_image(path, &LoadOptions::default())?);
    };
    if name == "harbor" {
        return Ok(builtin::content(size)?);
    }
    let style = name.parse::<builtin::Style>().map_err(|_| {
        let names = builtin::Style::ALL.map(builtin::Style::name).join(", ");
        UsageError(format!("{BUILTIN}{name}: no such picture; there are harbor, {names}"))
    })?;
    Ok(builtin::style(style, size)?)
}

fn style_paths(args: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for arg in args {
        if arg.to_str().is_some_and(|a| a.starts_with(BUILTIN)) {
            paths.push(arg.clone());
        } else {
            paths.extend(images_at(arg)?);
        }
    }
    Ok(paths)
}
