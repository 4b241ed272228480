//! The network that `--weights` names, how it is fed, and the settings that suit it.

use super::args::NstArgs;
use super::hash;
use super::recipe::{Network, Recipe};
use crate::commands::{Context, vgg};
use anyhow::Result;
use gdl_nst::{NstConfig, builtin};
use gdl_vgg::{Arch, Error, Preprocess, VggWeights};

/// The network inside the program, under `--weights`.
const BUILTIN: &str = "builtin";
/// The one that is taken where none is named.
const DEFAULT: &str = "vgg19";

/// The network as it is asked for: by the flags, and where they say nothing, by a recipe.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    weights: Option<&'a str>,
    preprocess: Option<&'a str>,
}

/// A network that is there.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// Under `--weights`.
    pub(super) name: &'a str,
    preprocess: Option<&'a str>,
    pub(super) weights: VggWeights,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(args: &'a NstArgs, recipe: Option<&'a Network>) -> Self {
        Self {
            weights: args.weights.as_deref().or(recipe.map(|r| r.weights.as_str())),
            preprocess: args.network.preprocess.as_deref().or(recipe.and_then(|r| r.preprocess.as_deref())),
        }
    }

    /// Reads or fetches it. Where none is named, it is VGG-19, or the built-in network where that is not there and cannot be
    /// fetched.
    pub(super) fn open(&self, seed: u64, context: &Context) -> Result<Found<'a>> {
        let random = (&NstConfig::untrained_network(), seed);
        let (name, weights) = match self.weights {
            Some(BUILTIN) => (BUILTIN, builtin::network()?),
            Some(name) => (name, vgg::weights(name, random, context)?),
            None => match vgg::fetch(DEFAULT, Arch::Vgg19, context) {
                Ok(weights) => (DEFAULT, weights),
                Err(error) => {
                    let Some(Error::Hub { cause, .. }) = error.downcast_ref() else { return Err(error) };
                    context.verbosity.say(format_args!(
                        "VGG-19, which paints best, is not here and cannot be fetched ({cause}), so the built-in network paints; \
                         to have VGG-19, connect to the network once or name its file with --weights FILE"
                    ));
                    (BUILTIN, builtin::network()?)
                }
            },
        };
        let weights = match self.preprocess {
            None => weights,
            Some("caffe") => weights.with_preprocess(Preprocess::caffe()),
            Some(_) => weights.with_preprocess(Preprocess::torchvision()),
        };
        Ok(Found { name, preprocess: self.preprocess, weights })
    }
}

impl Found<'_> {
    /// The settings that suit it.
    pub(super) fn settings(&self) -> NstConfig {
        match self.name {
            vgg::RANDOM => NstConfig::untrained(),
            BUILTIN => NstConfig::builtin(),
            _ => NstConfig::default(),
        }
    }

    /// What a recipe tells of it.
    pub(super) fn told(&self, settings: &NstConfig) -> Result<Network> {
        Ok(Network {
            weights: self.name.to_string(),
            preprocess: self.preprocess.map(str::to_string),
            sha256: hash::of_network(&self.weights, settings)?,
        })
    }

    /// Whether it is another than in a recipe that names the same.
    pub(super) fn differs(&self, seed: u64, recipe: &Recipe) -> Result<bool> {
        let told = &recipe.network;
        let same = (self.name, self.preprocess) == (told.weights.as_str(), told.preprocess.as_deref())
            && (self.name != vgg::RANDOM || seed == recipe.settings.seed);
        Ok(same && hash::of_network(&self.weights, &recipe.settings)? != told.sha256)
    }
}
