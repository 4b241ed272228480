//! `gdl pix2pix eval`

use super::translate::open;
use crate::{
    commands::{
        Context, Kind,
        translation::{Distances, Likeness, Network, ScoreArgs, ScoreBar, TrainedArgs},
        values,
    },
    console::UsageError,
};
use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use gdl_cyclegan::{DataSpec, Direction, Pix2PixTrainerConfig, eval::TestSet};
use gdl_image_io::images_at;
use gdl_train::RunDir;
use serde::Serialize;
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
    /// Files of two pictures side by side, or directories of such files; or builtin:A, of whose scenes none was trained on
    #[arg(value_name = "PAIRS", required = true)]
    pairs: Vec<DataSpec>,
    /// What is translated into what [default: as the run was trained; AtoB for a file]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    /// Give KID and FID too, with this network: vgg19 or vgg16 (fetched once and kept), random (needs no network), or a
    /// .safetensors or torchvision .pth file. Values are comparable with each other under the same weights only
    #[arg(long, value_name = "FILE|vgg19|vgg16|random")]
    weights: Option<String>,
    /// Side of the squares that both pictures of a pair are scaled to [default: files keep their size; scenes are drawn at that of
    /// the run's training, 256 for a file]
    #[arg(long, value_name = "PIXELS", value_parser = values::side)]
    size: Option<usize>,
    #[command(flatten)]
    scores: ScoreArgs,
    #[command(flatten)]
    trained: TrainedArgs,
}

/// The line of JSON.
#[derive(Debug, Serialize)]
struct Report {
    count: usize,
    #[serde(flatten)]
    likeness: Likeness,
    /// With `--weights`.
    #[serde(flatten)]
    sets: Option<Sets>,
}

#[derive(Debug, Serialize)]
struct Sets {
    #[serde(flatten)]
    network: Network,
    /// Translations against truths.
    #[serde(flatten)]
    distances: Distances,
    /// What was to be translated against the truths.
    nothing: Distances,
}

/// Runs `gdl pix2pix eval`: one line of JSON on the standard output.
pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    Kind::Pix2Pix.check(&args.run)?;
    let set = test_set(args)?;
    let translator = open(&args.run, &args.trained, context)?;
    let judge = args.weights.as_ref().map(|weights| args.scores.judge(weights, context)).transpose()?;
    if let Some(judge) = &judge {
        judge.check([&set.inputs, &set.real], context)?;
    }
    let real = if judge.is_some() { set.inputs.len() + set.real.len() } else { 0 };
    let mut bar = ScoreBar::new(context, real + set.inputs.len());
    let net = judge.as_ref().map(|judge| &judge.net);
    let translated = set.translate(&translator, net, |name| bar.tick(name))?;
    let sets = match (&judge, &translated.features) {
        (Some(judge), Some(fake)) => {
            let (inputs, real) = (judge.real(&set.inputs, &mut bar)?, judge.real(&set.real, &mut bar)?);
            let (distances, nothing) = (judge.distances(fake, &real)?, judge.distances(&inputs, &real)?);
            Some(Sets { network: judge.network(), distances, nothing })
        }
        _ => None,
    };
    bar.finish();
    let likeness = Likeness::of(translated.similarity, translated.nothing)
        .context("there are no pairs to score; name files of two pictures side by side")?;
    let report = Report { count: set.inputs.len(), likeness, sets };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// The pairs, and which of their pictures is translated.
fn test_set(args: &EvalArgs) -> Result<TestSet> {
    let config = match args.run.is_file() {
        true => None,
        false => Some(RunDir::open(&args.run)?.config::<Pix2PixTrainerConfig>()?),
    };
    let direction = match (args.direction, &config) {
        (Some(direction), _) => direction.into(),
        (None, Some(config)) => config.data.direction,
        (None, None) => Direction::AtoB,
    };
    let (size, seed) = config.map_or((256, 0), |config| (config.data.size, config.model.seed));
    if let [spec @ DataSpec::Builtin(_)] = args.pairs.as_slice() {
        let options = args.scores.options(Some(args.size.unwrap_or(size)), seed);
        return Ok(TestSet::paired(spec, direction, &options)?);
    }
    let mut files = Vec::new();
    for spec in &args.pairs {
        match spec {
            DataSpec::Folder(path) => files.extend(images_at(path)?),
            DataSpec::Builtin(_) => {
                return Err(UsageError(format!("{spec}: name it alone, without files")).into());
            }
        }
    }
    Ok(TestSet::of_files(files, direction, &args.scores.options(args.size, seed)))
}
