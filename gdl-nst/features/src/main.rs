//! `gdl-features`: makes the network inside gdl-nst.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use gdl_features::{Comparison, Painter, Pair, TrainConfig, Trainer, material, save_sheet, weights_of_run};
use gdl_kernels::rng::Rng;
use gdl_nst::NstConfig;
use gdl_train::{OnExisting, ThroughputMeter};
use gdl_vgg::VggWeights;
use std::path::{Path, PathBuf};

/// Training frees and takes the same hundreds of megabytes at every step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Makes the network inside gdl-nst.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw samples of the material: every family once, then whole pictures
    Material(MaterialArgs),
    /// Train a network
    Train(TrainArgs),
    /// Write the network of a run as half-precision safetensors
    Export(ExportArgs),
    /// Paint the same pictures with several networks, and let VGG-19 judge them
    Compare(CompareArgs),
}

#[derive(Debug, Args)]
struct MaterialArgs {
    /// The sheet
    #[arg(value_name = "OUT.png")]
    out: PathBuf,
    /// Seed of the pictures
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Pixels on a picture's side
    #[arg(long, default_value_t = 96)]
    size: usize,
}

#[derive(Debug, Args)]
struct TrainArgs {
    /// Directory of the run
    #[arg(long, value_name = "RUN", required_unless_present = "resume")]
    out: Option<PathBuf>,
    /// Go on with this run instead
    #[arg(long, value_name = "RUN", conflicts_with_all = ["out", "teacher", "steps", "batch", "size", "rate", "seed"])]
    resume: Option<PathBuf>,
    /// Weights of VGG-16 or VGG-19 to learn from; without, the network learns to tell the drawn textures apart
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Steps [default: 1500]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Pictures a step [default: 8]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Pixels on a picture's side [default: 80]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Learning rate at its highest [default: 0.005]
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Seed of weights and pictures [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Steps between checkpoints
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_every: u64,
    /// Replace a run that is there
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// Directory of the run
    run: PathBuf,
    /// The file
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// Content and style pictures in turn: files, or builtin:harbor, builtin:swirl, ...
    #[arg(value_name = "CONTENT STYLE", required = true)]
    pictures: Vec<PathBuf>,
    /// Weights of VGG-19: the judge, and one of the painters
    #[arg(long, value_name = "FILE")]
    vgg: PathBuf,
    /// A network as this program makes them, to be judged as `builtin`
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Directory of the paintings; those that are there already are not painted again
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Pixels on the longer side
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Steps of each painting
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// A setting of the network's own painter other than NstConfig::builtin has it, its value in JSON
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

fn main() -> Result<()> {
    if std::env::var("RAYON_NUM_THREADS").is_ok_and(|n| n == "1") {
        // That one is this one: nothing waits for another to wake up, which on a busy machine costs more than the work.
        rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    }
    match Cli::parse().command {
        Command::Material(args) => sheet(&args),
        Command::Train(args) => train(args),
        Command::Export(args) => export(&args.run, &args.out),
        Command::Compare(args) => compare(&args),
    }
}

fn sheet(args: &MaterialArgs) -> Result<()> {
    let n = material::families().len();
    let mut pictures = Vec::new();
    for family in 0..n {
        pictures.push(material::sample(family, &mut Rng::stream(args.seed, &family.to_string()), args.size)?);
    }
    for i in 0..n {
        pictures.push(material::draw(&mut Rng::stream(args.seed, &format!("step {i}")), args.size)?.image);
    }
    let rows: Vec<_> = pictures.chunks(12).map(<[_]>::to_vec).collect();
    Ok(gdl_image_io::save_image(&gdl_image_io::grid(&rows, 2)?, &args.out)?)
}

fn train(args: TrainArgs) -> Result<()> {
    let mut trainer = match (&args.resume, &args.out) {
        (Some(dir), _) => Trainer::resume(dir)?,
        (None, out) => {
            let defaults = TrainConfig::default();
            let config = TrainConfig {
                teacher: args.teacher,
                steps: args.steps.unwrap_or(defaults.steps),
                batch: args.batch.unwrap_or(defaults.batch),
                size: args.size.unwrap_or(defaults.size),
                learning_rate: args.rate.unwrap_or(defaults.learning_rate),
                seed: args.seed.unwrap_or(defaults.seed),
                ..defaults
            };
            let existing = if args.overwrite { OnExisting::Overwrite } else { OnExisting::Refuse };
            Trainer::create(config, out.as_deref().context("--out")?, existing)?
        }
    };
    let steps = trainer.config().steps;
    eprintln!("{} parameters, {} families, {steps} steps", trainer.parameters(), material::families().len());
    let mut meter: Option<ThroughputMeter> = None;
    // Running means over about 20 steps.
    let (mut loss, mut score) = (0.0, 0.0);
    while let Some(done) = trainer.step()? {
        let meter = meter.get_or_insert_with(|| ThroughputMeter::new(done.step, Some(steps)));
        meter.update(done.step);
        let keep = if loss == 0.0 { 0.0 } else { 0.95 };
        loss = keep * loss + (1.0 - keep) * done.loss;
        score = keep * score + (1.0 - keep) * done.score;
        if done.step.is_multiple_of(20) || done.step == steps {
            let rate = meter.rate().unwrap_or(0.0);
            eprintln!("{}/{steps} loss {loss:.4} score {score:.4} {rate:.2} steps/s", done.step);
        }
        if done.step.is_multiple_of(args.checkpoint_every) || done.step == steps {
            trainer.save()?;
        }
    }
    Ok(())
}

fn export(run: &Path, out: &Path) -> Result<()> {
    let weights = weights_of_run(run)?;
    weights.save_as(out, candle_core::DType::F16)?;
    let size = std::fs::metadata(out)?.len();
    eprintln!("{}: {} up to {}, {size} bytes", out.display(), weights.arch(), weights.last_tap());
    Ok(())
}

fn compare(args: &CompareArgs) -> Result<()> {
    anyhow::ensure!(args.pictures.len().is_multiple_of(2), "name a style picture after each content picture");
    let vgg = VggWeights::open(&args.vgg).context("--vgg")?;
    let mut own = serde_json::to_value(NstConfig::builtin())?;
    for setting in &args.set {
        let (key, value) = setting.split_once('=').context("--set KEY=VALUE")?;
        own[key] = serde_json::from_str(value).with_context(|| format!("--set {setting}"))?;
    }
    let own: NstConfig = serde_json::from_value(own).context("--set")?;
    let painter = |name: &str, weights, config| Painter { name: name.to_string(), weights, config };
    let painters = [
        painter("random", VggWeights::random(&NstConfig::untrained_network(), 0)?, NstConfig::untrained()),
        painter("builtin", VggWeights::open(&args.network).context("--network")?, own),
        painter("vgg19", vgg.clone(), NstConfig::default()),
    ];
    let comparison = Comparison::new(vgg, args.size, args.steps, &args.out)?;
    println!("| pair | painted by | content | Gram | Wasserstein |\n| --- | --- | ---: | ---: | ---: |");
    let mut rows = Vec::new();
    for pair in args.pictures.chunks_exact(2) {
        let pair = Pair { content: pair[0].clone(), style: pair[1].clone() };
        let (row, scores) = comparison.row(&pair, &painters)?;
        scores.iter().for_each(|score| println!("{score}"));
        rows.push(row);
    }
    save_sheet(&rows, &args.out.join("sheet.png"))
}
