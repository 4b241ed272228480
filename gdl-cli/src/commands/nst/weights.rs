//! The network that `--weights` names, how it is fed, and the settings that suit it.

use super::args::NstArgs;
use crate::commands::{Context, vgg};
use anyhow::Result;
use gdl_nst::{NstConfig, builtin};
use gdl_vgg::{Arch, Error, Preprocess, VggWeights};

/// The network inside the program, under `--weights`.
const BUILTIN: &str = "builtin";

/// The weights, and the settings that suit them. Without the flag those of VGG-19, or the built-in ones where VGG-19 is not there
/// and cannot be fetched.
pub(super) fn weights(args: &NstArgs, context: &Context) -> Result<(VggWeights, NstConfig)> {
    let inside = || -> Result<_> { Ok((builtin::network()?, NstConfig::builtin())) };
    let (weights, settings) = match args.weights.as_deref() {
        Some(BUILTIN) => inside()?,
        Some(name) => {
            let random = (&NstConfig::untrained_network(), args.seed);
            let suits = if name == vgg::RANDOM { NstConfig::untrained() } else { NstConfig::default() };
            (vgg::weights(name, random, context)?, suits)
        }
        None => match vgg::fetch("vgg19", Arch::Vgg19, context) {
            Ok(weights) => (weights, NstConfig::default()),
            Err(error) => {
                let Some(Error::Hub { cause, .. }) = error.downcast_ref() else { return Err(error) };
                context.verbosity.say(format_args!(
                    "VGG-19, which paints best, is not here and cannot be fetched ({cause}), so the built-in network paints; \
                     to have VGG-19, connect to the network once or name its file with --weights FILE"
                ));
                inside()?
            }
        },
    };
    let weights = match args.network.preprocess.as_deref() {
        None => weights,
        Some("caffe") => weights.with_preprocess(Preprocess::caffe()),
        Some(_) => weights.with_preprocess(Preprocess::torchvision()),
    };
    Ok((weights, settings))
}
