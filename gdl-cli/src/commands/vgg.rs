//! The network that `--weights` names, for the commands that look at pictures with one.

use super::Context;
use crate::progress::Progress;
use anyhow::{Context as _, Result};
use gdl_vgg::{Arch, Tap, VggConfig, VggWeights};

/// The network that needs no weights, under `--weights`.
pub(crate) const RANDOM: &str = "random";

/// The weights of that name: `vgg19` and `vgg16` are fetched once and kept, `random` are drawn for the network given, anything
/// else is a file.
pub(crate) fn weights(name: &str, random: (&VggConfig, u64), context: &Context) -> Result<VggWeights> {
    let arch = match name {
        RANDOM => return Ok(VggWeights::random(random.0, random.1)?),
        "vgg16" => Arch::Vgg16,
        "vgg19" => Arch::Vgg19,
        path => {
            return VggWeights::open(path)
                .context("--weights takes the name of a network (see --help) or a file");
        }
    };
    fetch(name, arch, context)
}

/// The weights of that network, fetched when they are not there, with a bar.
pub(crate) fn fetch(name: &str, arch: Arch, context: &Context) -> Result<VggWeights> {
    let mut progress: Option<Progress> = None;
    let weights = gdl_vgg::hub::fetch(arch, Tap::relu(5, 1), &mut |done, total| {
        let bar = progress.get_or_insert_with(|| Progress::new(context.verbosity, "weights", total));
        bar.at(done, format!("bytes of {name}"));
    })?;
    if let Some(bar) = progress {
        bar.finish();
    }
    Ok(weights)
}
