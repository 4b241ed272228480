//! The network that `--weights` names, and how it is fed.

use super::args::NstArgs;
use crate::commands::{Context, vgg};
use anyhow::Result;
use gdl_nst::NstConfig;
use gdl_vgg::{Preprocess, VggWeights};

pub(super) fn weights(args: &NstArgs, context: &Context) -> Result<VggWeights> {
    let random = (&NstConfig::untrained_network(), args.seed);
    let weights = vgg::weights(&args.weights, random, context)?;
    Ok(match args.network.preprocess.as_deref() {
        None => weights,
        Some("caffe") => weights.with_preprocess(Preprocess::caffe()),
        Some(_) => weights.with_preprocess(Preprocess::torchvision()),
    })
}
