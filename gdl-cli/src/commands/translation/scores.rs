//! What `gdl cyclegan eval` and `gdl pix2pix eval` share: flags, the network that pictures are compared with, distances.

use crate::{
    commands::{Context, values, vgg},
    progress::Progress,
};
use anyhow::{Result, ensure};
use clap::Args;
use gdl_cyclegan::eval::{
    Estimate, FeatureNet, Features, FidConfig, KidConfig, Pictures, Similarity, TestOptions, fid_estimate,
    kid_estimate, random_network,
};
use gdl_vgg::Tap;
use serde::Serialize;

/// Flags of both.
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Where in the network KID and FID look [default: relu4_1, or the last before it that the weights have]
    #[arg(long, value_name = "TAP")]
    tap: Option<Tap>,
    /// At most so many pictures of each domain, the first [default: all of a directory, 64 scenes of a built-in domain]
    #[arg(long, value_name = "N", value_parser = values::count)]
    count: Option<usize>,
    /// Seed of the resampling that the intervals of KID and FID come from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl ScoreArgs {
    /// Which pictures to take.
    pub(crate) fn options(&self, size: Option<usize>, seed: u64) -> TestOptions {
        TestOptions { size, count: self.count, seed }
    }

    /// The network of the weights that `--weights` names.
    pub(crate) fn judge(&self, weights: &str, context: &Context) -> Result<Judge> {
        let weights = vgg::weights(weights, (&random_network(), 0), context)?;
        let net = FeatureNet::new(&weights, self.tap, &context.device)?;
        Ok(Judge { net, origin: weights.origin().to_string(), seed: self.seed })
    }
}

/// The network that pictures are compared with.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) net: FeatureNet,
    origin: String,
    seed: u64,
}

/// How far two sets of pictures are apart.
#[derive(Debug, Serialize)]
pub(crate) struct Distances {
    kid: Estimate,
    fid: Estimate,
}

/// What KID and FID were computed with.
#[derive(Debug, Serialize)]
pub(crate) struct Network {
    /// A path, a repository, or `the random network`.
    weights: String,
    tap: Tap,
    /// Numbers for each picture.
    features: usize,
}

impl Judge {
    /// KID and FID with their intervals.
    pub(crate) fn distances(&self, x: &Features, y: &Features) -> Result<Distances> {
        let kid = KidConfig { seed: self.seed, ..KidConfig::default() };
        let fid = FidConfig { seed: self.seed, ..FidConfig::default() };
        Ok(Distances { kid: kid_estimate(x, y, &kid)?, fid: fid_estimate(x, y, &fid)? })
    }

    /// The features of real pictures, which move the bar along.
    pub(crate) fn real(&self, pictures: &Pictures, progress: &mut ScoreBar) -> Result<Features> {
        Ok(self.net.of(pictures.iter().enumerate().map(|(i, picture)| {
            progress.tick(&pictures.name(i));
            picture
        }))?)
    }

    /// What it is.
    pub(crate) fn network(&self) -> Network {
        Network { weights: self.origin.clone(), tap: self.net.tap(), features: self.net.dim() }
    }

    /// Refuses sets that are too small before anything is computed, and warns of what few pictures do to FID.
    pub(crate) fn check(&self, sets: [&Pictures; 2], context: &Context) -> Result<()> {
        let [m, n] = sets.map(Pictures::len);
        ensure!(
            m >= 2 && n >= 2,
            "KID and FID need at least 2 pictures of each domain; there are {m} and {n}"
        );
        if m.min(n) < self.net.dim() {
            context.verbosity.say(format_args!(
                "note: with {} pictures and {} features FID lies far above that of many pictures; compare it with `nothing`, or go by \
                 KID",
                m.min(n),
                self.net.dim()
            ));
        }
        Ok(())
    }
}

/// Likeness to the truths, beside that of doing nothing.
#[derive(Debug, Serialize)]
pub(crate) struct Likeness {
    psnr: f64,
    ssim: f64,
    psnr_nothing: f64,
    ssim_nothing: f64,
}

impl Likeness {
    /// Of translations and of what they were made from; none where there are no truths.
    pub(crate) fn of(done: Option<Similarity>, nothing: Option<Similarity>) -> Option<Self> {
        let (done, nothing) = (done?, nothing?);
        Some(Self {
            psnr: done.psnr,
            ssim: done.ssim,
            psnr_nothing: nothing.psnr,
            ssim_nothing: nothing.ssim,
        })
    }
}

/// A bar that goes picture by picture.
#[derive(Debug)]
pub(crate) struct ScoreBar {
    progress: Progress,
    done: u64,
}

impl ScoreBar {
    pub(crate) fn new(context: &Context, total: usize) -> Self {
        Self { progress: Progress::new(context.verbosity, "eval", total as u64), done: 0 }
    }

    /// One more picture is through.
    pub(crate) fn tick(&mut self, name: &str) {
        self.done += 1;
        self.progress.at(self.done, name);
    }

    pub(crate) fn finish(self) {
        self.progress.finish();
    }
}
