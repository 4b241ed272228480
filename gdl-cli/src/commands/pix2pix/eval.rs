//! `gdl pix2pix eval`

use super::translate::open;
use crate::{
    commands::{Context, Kind},
    progress::Progress,
};
use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use gdl_cyclegan::{Direction, Pix2PixTrainerConfig, eval::Similarity, halves};
use gdl_image_io::{LoadOptions, images_at, load_image};
use gdl_train::RunDir;
use std::path::PathBuf;

/// As the reference writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DirectionName {
    #[value(name = "AtoB")]
    AtoB,
    #[value(name = "BtoA")]
    BtoA,
}

impl From<DirectionName> for Direction {
    fn from(name: DirectionName) -> Self {
        match name {
            DirectionName::AtoB => Self::AtoB,
            DirectionName::BtoA => Self::BtoA,
        }
    }
}

/// Flags of `gdl pix2pix eval`.
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// A run's directory, or a generator's file as of pytorch-CycleGAN-and-pix2pix: latest_net_G.pth
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Files of two pictures side by side, or directories of such files
    #[arg(value_name = "PAIRS", required = true)]
    pairs: Vec<PathBuf>,
    /// What is translated into what [default: as the run was trained; AtoB for a file]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
}

/// Runs `gdl pix2pix eval`: one line of JSON on the standard output.
pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    Kind::Pix2Pix.check(&args.run)?;
    let mut files = Vec::new();
    for path in &args.pairs {
        files.extend(images_at(path)?);
    }
    let translator = open(&args.run, context)?;
    let direction = match args.direction {
        Some(direction) => direction.into(),
        None if args.run.is_file() => Direction::AtoB,
        None => RunDir::open(&args.run)?.config::<Pix2PixTrainerConfig>()?.data.direction,
    };
    let mut progress = Progress::new(context.verbosity, "eval", files.len() as u64);
    let mut scores = Vec::new();
    for (done, path) in files.iter().enumerate() {
        let named = || path.display().to_string();
        let (left, right) = halves(&load_image(path, &LoadOptions::default())?).with_context(named)?;
        let (from, truth) = match direction {
            Direction::AtoB => (left, right),
            Direction::BtoA => (right, left),
        };
        scores.push(Similarity::of(&translator.translate(&from)?, &truth).with_context(named)?);
        progress.at(done as u64 + 1, named());
    }
    progress.finish();
    let mean = Similarity::mean(&scores)
        .context("there are no pairs to score; name files of two pictures side by side")?;
    println!("{}", serde_json::json!({ "count": scores.len(), "psnr": mean.psnr, "ssim": mean.ssim }));
    Ok(())
}
