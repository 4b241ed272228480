//! Flags that keep the best weights of a training, and the one that takes them.

use crate::{
    commands::{Context, values, vgg},
    console::UsageError,
};
use anyhow::{Context as _, Result};
use clap::Args;
use gdl_cyclegan::{FeatureWeights, KeepBest, Metric, RunWeights, Translator};
use gdl_vgg::{Arch, Tap};
use std::path::Path;

/// The flags' names, for those that exclude them.
pub(super) const FLAGS: [&str; 5] = ["keep_best", "keep_best_every", "val_count", "val_weights", "val_tap"];

/// Whether the best weights are kept, and by which score.
#[derive(Debug, Args)]
pub(crate) struct KeepBestArgs {
    /// Keep the best weights too (RUN/best.safetensors; --best takes them), by this score of validation pictures: psnr and ssim
    /// where their truths are known, kid and fid where not; or loss, the generators', without pictures
    #[arg(long, value_name = "METRIC",
        value_parser = values::named::<Metric>(&["psnr", "ssim", "kid", "fid", "loss"]))]
    keep_best: Option<Metric>,
    /// Steps between two scorings
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = values::count, requires = "keep_best")]
    keep_best_every: usize,
    /// At most so many validation pictures of each domain [default: all of a directory, 64 scenes of a built-in domain]
    #[arg(long, value_name = "N", value_parser = values::count, requires = "keep_best")]
    val_count: Option<usize>,
    /// Network for --keep-best kid and fid, as --weights of eval
    /// [default: vgg19]
    #[arg(long, value_name = "FILE|vgg19|vgg16|random", requires = "keep_best")]
    val_weights: Option<String>,
    /// Where in it they look, as --tap of eval
    #[arg(long, value_name = "TAP", requires = "keep_best")]
    val_tap: Option<Tap>,
}

impl KeepBestArgs {
    /// What was asked for; `pictures` are the flags of validation pictures, and whether they were given. The network's weights are
    /// fetched when they are needed and not there.
    pub(crate) fn config(&self, pictures: &[(&str, bool)], context: &Context) -> Result<Option<KeepBest>> {
        let Some(metric) = self.keep_best else { return Ok(None) };
        let network = [("--val-weights", self.val_weights.is_some()), ("--val-tap", self.val_tap.is_some())];
        let unused: &[&[_]] = match metric {
            Metric::Kid | Metric::Fid => &[],
            Metric::Loss => &[pictures, &[("--val-count", self.val_count.is_some())], &network],
            _ => &[&network],
        };
        if let Some((flag, _)) = unused.iter().copied().flatten().find(|(_, given)| *given) {
            let message = format!("{flag}: --keep-best {metric} has no use for it; leave it out");
            return Err(UsageError(message).into());
        }
        let weights = match metric {
            Metric::Kid | Metric::Fid => Some(self.weights(context)?),
            _ => None,
        };
        Ok(Some(KeepBest {
            every: self.keep_best_every as u64,
            count: self.val_count,
            weights,
            tap: self.val_tap,
            ..KeepBest::by(metric)
        }))
    }

    /// Where the network's weights are, from where a resumed training takes them too.
    fn weights(&self, context: &Context) -> Result<FeatureWeights> {
        let name = self.val_weights.as_deref().unwrap_or("vgg19");
        let arch = match name {
            vgg::RANDOM => return Ok(FeatureWeights::Random),
            "vgg16" => Arch::Vgg16,
            "vgg19" => Arch::Vgg19,
            path => return Ok(FeatureWeights::File(path.into())),
        };
        let upto = vgg::fetch(name, arch, context)?.last_tap();
        let file = gdl_vgg::hub::cached_file(arch, upto).with_context(|| {
            format!(
                "{name} cannot be kept; set GDL_CACHE to a folder for it, or name a file with --val-weights"
            )
        })?;
        Ok(FeatureWeights::File(file))
    }
}

/// Which weights of a run are taken.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Take the best weights of a run instead of the last, where it was trained with --keep-best
    #[arg(long)]
    best: bool,
}

impl WhichArgs {
    /// Those of that run; of a single network's file there is nothing to choose.
    pub(crate) fn of(&self, run: &Path) -> Result<RunWeights> {
        if self.best && run.is_file() {
            let message = format!("{}: a file holds one network; leave --best out", run.display());
            return Err(UsageError(message).into());
        }
        Ok(if self.best { RunWeights::Best } else { RunWeights::Last })
    }
}

/// Which trained generator is used, and how.
#[derive(Debug, Args)]
pub(crate) struct TrainedArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// Let batch norm go by its running statistics from training, instead of those of the picture; for networks trained on large
    /// batches
    #[arg(long)]
    eval: bool,
}

impl TrainedArgs {
    /// The weights of that run; of a single network's file there is nothing to choose.
    pub(crate) fn weights_of(&self, run: &Path) -> Result<RunWeights> {
        self.which.of(run)
    }

    /// The loaded generator, norming as asked for.
    pub(crate) fn normed(&self, translator: Translator) -> Translator {
        if self.eval { translator.by_running_statistics() } else { translator }
    }
}
