//! What `gdl nst` does with its flags.

use super::args::NstArgs;
use super::memory::announce_plan;
use super::pictures::{picture, styles};
use super::weights::weights;
use crate::commands::Context;
use crate::progress::Progress;
use anyhow::Result;
use gdl_image_io::{check_writable, save_image};
use gdl_nst::{Layer, NstConfig, StepReport, StyleTransfer, TileReport};
use gdl_train::ThroughputMeter;
use std::ops::ControlFlow;

/// Runs `gdl nst`.
pub(crate) fn run(args: &NstArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    // What can be wrong with flags and files is found out before the network is fetched and the hours are spent.
    check_writable(&args.out)?;
    args.config(NstConfig::default())?;
    let content = picture(&args.content, args.size)?.to_device(&context.device)?;
    let styles = styles(args)?;
    let start = args.start().map(|path| picture(path, args.size)).transpose()?;
    let (weights, settings) = weights(args, context)?;
    let config = args.config(settings)?;
    say.detail(format_args!(
        "network: {} up to {}; content at {}; style at {}",
        weights.origin(),
        weights.last_tap(),
        list(&config.content_layers_of(&weights)),
        list(&config.style_layers_of(&weights)),
    ));
    announce_plan(&config, &weights, &content, &styles, context)?;
    let mut transfer = match &start {
        None => StyleTransfer::new(&config, &weights, &content, &styles)?,
        Some(start) => StyleTransfer::starting_from(start, &config, &weights, &content, &styles)?,
    };
    let mut bar = PaintBar::new(context, &transfer);
    transfer.watch_tiles(bar.tile_watcher());
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

fn list(layers: &[Layer]) -> String {
    layers.iter().map(Layer::to_string).collect::<Vec<_>>().join(", ")
}

/// The bar of a style transfer, with its losses and its rate.
#[derive(Debug)]
pub(crate) struct PaintBar {
    pub(crate) progress: Progress,
    meter: ThroughputMeter,
}

impl PaintBar {
    pub(crate) fn new(context: &Context, transfer: &StyleTransfer) -> Self {
        let total = transfer.total_steps() as u64;
        Self {
            progress: Progress::new(context.verbosity, "paint", total),
            meter: ThroughputMeter::new(0, Some(total)),
        }
    }

    /// Shows the tiles of a step beside the bar.
    pub(crate) fn tile_watcher(&self) -> impl Fn(TileReport) + Send + Sync + 'static {
        let note = self.progress.note();
        move |report| note(format!("tile {}/{}", report.tile, report.tiles))
    }

    /// Shows what a step did.
    pub(crate) fn show(&mut self, report: &StepReport) {
        self.meter.update(report.step as u64);
        let (l, rate) = (&report.losses, self.meter.rate().unwrap_or(0.0));
        let histogram =
            if l.histogram > 0.0 { format!(", histogram {:.4}", l.histogram) } else { String::new() };
        self.progress.at(
            report.step as u64,
            format!(
                "{}x{} loss {:.4} (content {:.4}, style {:.4}, tv {:.4}{histogram})  {rate:.2} steps/s",
                report.width, report.height, l.total, l.content, l.style, l.tv
            ),
        );
    }
}
