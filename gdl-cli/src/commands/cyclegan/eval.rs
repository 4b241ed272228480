//! `gdl cyclegan eval`

use super::direction::{DirectionName, open};
use crate::commands::{
    Context, Kind,
    translation::{self, Distances, Likeness, Network, ScoreArgs, ScoreBar, TrainedArgs},
    values,
};
use anyhow::Result;
use clap::Args;
use gdl_cyclegan::{DataSpec, TrainerConfig, eval::TestSet};
use gdl_train::RunDir;
use serde::Serialize;
use std::path::PathBuf;

/// Flags of `gdl cyclegan eval`.
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// A run's directory, or a generator's file as of pytorch-CycleGAN-and-pix2pix: latest_net_G.pth
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Directory of pictures of domain A that were not trained on, or builtin:A
    #[arg(long, value_name = "DIR")]
    a: DataSpec,
    /// Directory of pictures of domain B that were not trained on, or builtin:B
    #[arg(long, value_name = "DIR")]
    b: DataSpec,
    /// Which of the two translations is scored [default: both of a run, ab for a file]
    #[arg(long, value_enum)]
    direction: Option<DirectionName>,
    /// Network that KID and FID look with: vgg19 or vgg16 (fetched once and kept), random (needs no network), or a
    /// .safetensors or torchvision .pth file. Values are comparable with each other under the same weights only
    #[arg(long, value_name = "FILE|vgg19|vgg16|random", default_value = "vgg19")]
    weights: String,
    /// Side of the squares that pictures are scaled to [default: that of the run's training; 256 for a file]
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
    count: Count,
    size: usize,
    #[serde(flatten)]
    network: Network,
    /// Translations of A against real B.
    #[serde(skip_serializing_if = "Option::is_none")]
    ab: Option<Scores>,
    /// Translations of B against real A.
    #[serde(skip_serializing_if = "Option::is_none")]
    ba: Option<Scores>,
    /// Real A against real B.
    nothing: Distances,
}

/// Pictures of each domain.
#[derive(Debug, Serialize)]
struct Count {
    a: usize,
    b: usize,
}

#[derive(Debug, Serialize)]
struct Scores {
    #[serde(flatten)]
    distances: Distances,
    /// Where the truths are known.
    #[serde(flatten)]
    likeness: Option<Likeness>,
}

/// Runs `gdl cyclegan eval`: one line of JSON on the standard output.
pub(super) fn eval(args: &EvalArgs, context: &Context) -> Result<()> {
    Kind::CycleGan.check(&args.run)?;
    for spec in [&args.a, &args.b] {
        translation::check_pictures(spec)?;
    }
    let is_file = args.run.is_file();
    let (size, seed) = match is_file {
        true => (256, 0),
        false => {
            let config: TrainerConfig = RunDir::open(&args.run)?.config()?;
            (config.data.size, config.model.seed)
        }
    };
    let size = args.size.unwrap_or(size);
    let sets = TestSet::unpaired(&args.a, &args.b, &args.scores.options(Some(size), seed))?;
    let wanted = match (args.direction, is_file) {
        (Some(direction), _) => vec![direction],
        (None, true) => vec![DirectionName::Ab],
        (None, false) => vec![DirectionName::Ab, DirectionName::Ba],
    };
    let translators = wanted.into_iter().map(|direction| {
        let of_run = (!is_file).then_some(direction);
        Ok((direction, open(&args.run, of_run, &args.trained, context)?.0))
    });
    let translators = translators.collect::<Result<Vec<_>>>()?;

    let judge = args.scores.judge(&args.weights, context)?;
    let [there, back] = &sets;
    let (a, b) = (&there.inputs, &there.real);
    judge.check([a, b], context)?;
    let set_of = |direction| if direction == DirectionName::Ab { there } else { back };
    let translations: usize = translators.iter().map(|(direction, _)| set_of(*direction).inputs.len()).sum();
    let mut bar = ScoreBar::new(context, a.len() + b.len() + translations);
    let (real_a, real_b) = (judge.real(a, &mut bar)?, judge.real(b, &mut bar)?);
    let (mut ab, mut ba) = (None, None);
    for (direction, translator) in &translators {
        let translated = set_of(*direction).translate(translator, Some(&judge.net), |name| bar.tick(name))?;
        let (real, scores) = match direction {
            DirectionName::Ab => (&real_b, &mut ab),
            DirectionName::Ba => (&real_a, &mut ba),
        };
        if let Some(fake) = &translated.features {
            let distances = judge.distances(fake, real)?;
            let likeness = Likeness::of(translated.similarity, translated.nothing);
            *scores = Some(Scores { distances, likeness });
        }
    }
    bar.finish();
    let count = Count { a: a.len(), b: b.len() };
    let nothing = judge.distances(&real_a, &real_b)?;
    let report = Report { count, size, network: judge.network(), ab, ba, nothing };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
