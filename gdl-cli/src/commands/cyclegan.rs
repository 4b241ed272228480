//! `gdl cyclegan`: unpaired translation between two sets of pictures.

use super::{Context, Kind, RunPlace, values};
use crate::{console::UsageError, progress::Progress};
use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use gdl_cyclegan::{
    CycleGanConfig, DataConfig, DataSpec, Direction, Event, GeneratorConfig, Length, StepLosses, Trainer,
    TrainerConfig, Translator,
};
use gdl_image_io::{
    EXTENSIONS, LoadOptions, check_writable, image_size, images_at, list_images, load_image, save_image,
};
use gdl_patchgan::PatchGanConfig;
use gdl_train::{OnExisting, ThroughputMeter};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// What to do with a CycleGAN.
#[derive(Debug, Subcommand)]
pub(crate) enum CycleGanCommand {
    /// Train on two unpaired sets of pictures
    Train(TrainArgs),
    /// Translate pictures with a trained run
    Translate(TranslateArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GeneratorName {
    Resnet9,
    Resnet6,
    Unet256,
    Unet128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DirectionName {
    Ab,
    Ba,
}

/// Flags of `gdl cyclegan train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// Directory of pictures of domain A, or builtin:A
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    a: Option<DataSpec>,
    /// Directory of pictures of domain B, or builtin:B
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    b: Option<DataSpec>,
    /// The run's directory: weights, samples, metrics, and what --resume needs
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// The generators' network
    #[arg(long, value_enum, default_value_t = GeneratorName::Resnet9)]
    generator: GeneratorName,
    /// Width of the generators' first layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    ngf: usize,
    /// Width of the discriminators' first layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    ndf: usize,
    /// Side of the square training crops in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256, value_parser = values::side)]
    size: usize,
    /// Passes over the larger set, the learning rate falling linearly to 0 over the second half [default: 200]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Training steps, instead of --epochs
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count)]
    batch: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value_t = 2e-4, value_parser = values::positive)]
    lr: f64,
    /// Steps between two checkpoints, from which --resume goes on
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = values::count)]
    checkpoint_every: usize,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with
    #[arg(long, conflicts_with_all = ["a", "b", "generator", "ngf", "ndf", "size", "epochs", "steps", "batch", "lr",
        "checkpoint_every", "seed"])]
    resume: bool,
}

/// Flags of `gdl cyclegan translate`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TranslateArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures, or directories of pictures
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Directory for the results; file names are kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// From A to B, or from B to A
    #[arg(long, value_enum, default_value_t = DirectionName::Ab)]
    direction: DirectionName,
}

impl TrainArgs {
    fn config(&self) -> Result<TrainerConfig> {
        let (Some(a), Some(b)) = (self.a.clone(), self.b.clone()) else {
            return Err(UsageError("cyclegan train: give --a and --b, or --resume".to_string()).into());
        };
        let generator = match self.generator {
            GeneratorName::Resnet9 => GeneratorConfig::resnet9(),
            GeneratorName::Resnet6 => GeneratorConfig::resnet6(),
            GeneratorName::Unet256 => GeneratorConfig::unet256(),
            GeneratorName::Unet128 => GeneratorConfig::unet128(),
        };
        let mut model = CycleGanConfig {
            generator: generator.base_channels(self.ngf),
            discriminator: PatchGanConfig::new(3).base_channels(self.ndf),
            seed: self.seed,
            ..CycleGanConfig::default()
        };
        model.optimizer.learning_rate = self.lr;
        let data = DataConfig { size: self.size, ..DataConfig::new(a, b) };
        let length = match (self.epochs, self.steps) {
            (_, Some(steps)) => Length::Steps(steps as u64),
            (epochs, None) => Length::Epochs(epochs.unwrap_or(200) as u64),
        };
        Ok(TrainerConfig {
            model,
            batch: self.batch,
            length,
            checkpoint_every: self.checkpoint_every as u64,
            ..TrainerConfig::new(data)
        })
    }
}

/// Runs `gdl cyclegan …`.
pub(crate) fn run(command: &CycleGanCommand, context: &Context) -> Result<()> {
    match command {
        CycleGanCommand::Train(args) => train(args, context),
        CycleGanCommand::Translate(args) => translate(args, context),
    }
}

fn train(args: &TrainArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    let place = RunPlace::look(&args.out);
    let mut trainer = if args.resume {
        Kind::CycleGan.check(&args.out)?;
        Trainer::resume(&args.out, &context.device)?
    } else {
        check_pictures(args)?;
        Trainer::create(&args.out, args.config()?, OnExisting::Refuse, &context.device)?
    };
    if trainer.step() >= trainer.total_steps() {
        say.say(format_args!("{}: all {} steps are done", args.out.display(), trainer.step()));
        return Ok(());
    }
    say.detail(format_args!("{:#?}", trainer.config()));
    let mut bar = TrainingBar::new(context, "train", &trainer);
    let trained = trainer.run(|event| {
        bar.show(event);
        ControlFlow::Continue(())
    });
    bar.progress.finish();
    place.unless_saved(trained)?;
    let out = args.out.display();
    say.say(format_args!(
        "{out}: trained for {} steps; gdl cyclegan translate {out} PICTURE --out DIR",
        trainer.step()
    ));
    Ok(())
}

/// Looks into every file of the two folders, so that one that is no picture is found now and not when its turn comes.
fn check_pictures(args: &TrainArgs) -> Result<()> {
    for spec in [&args.a, &args.b] {
        if let Some(DataSpec::Folder(folder)) = spec {
            for path in list_images(folder)? {
                image_size(path)?;
            }
        }
    }
    Ok(())
}

/// The bar of a training, with its losses and its rate.
#[derive(Debug)]
pub(super) struct TrainingBar {
    pub(super) progress: Progress,
    meter: ThroughputMeter,
    batch: usize,
}

impl TrainingBar {
    pub(super) fn new(context: &Context, name: &str, trainer: &Trainer) -> Self {
        Self {
            progress: Progress::new(context.verbosity, name, trainer.total_steps()),
            meter: ThroughputMeter::new(trainer.step(), Some(trainer.total_steps())),
            batch: trainer.config().batch,
        }
    }

    /// Shows what has happened.
    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Step(step) => {
                self.meter.update(step.step);
                let rate = self.meter.rate().unwrap_or(0.0) * self.batch as f64;
                self.progress.at(step.step, format!("{}  {rate:.2} pictures/s", describe(&step.losses)));
            }
            Event::Samples(path) => self.progress.println(format!("samples: {}", path.display())),
            _ => {}
        }
    }
}

/// The three criteria and the discriminators' loss on one line.
fn describe(losses: &StepLosses) -> String {
    format!(
        "validity {:.3} reconstruction {:.3} identity {:.3} discriminators {:.3}",
        losses.validity(),
        losses.reconstruction(),
        losses.identity(),
        losses.discriminator()
    )
}

fn translate(args: &TranslateArgs, context: &Context) -> Result<()> {
    let direction = match args.direction {
        DirectionName::Ab => Direction::AtoB,
        DirectionName::Ba => Direction::BtoA,
    };
    Kind::CycleGan.check(&args.run)?;
    let jobs = plan(&args.inputs, &args.out)?;
    let translator = Translator::load(&args.run, direction, &context.device)?;
    std::fs::create_dir_all(&args.out).with_context(|| {
        format!("{}: cannot make this directory; choose another --out", args.out.display())
    })?;
    let mut progress = Progress::new(context.verbosity, "translate", jobs.len() as u64);
    for output in jobs.keys() {
        check_writable(output)?;
    }
    for (done, (output, input)) in jobs.iter().enumerate() {
        let picture = load_image(input, &LoadOptions::default())?;
        save_image(&translator.translate(&picture)?, output)?;
        progress.at(done as u64 + 1, output.display().to_string());
    }
    progress.finish();
    context.verbosity.say(format_args!("{}: {} pictures", args.out.display(), jobs.len()));
    Ok(())
}

/// Which input goes to which output. Everything that can be known before the first translation is checked here.
fn plan(inputs: &[PathBuf], out: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut jobs = BTreeMap::<PathBuf, PathBuf>::new();
    for input in inputs {
        for path in images_at(input)? {
            // To its end: reading costs little beside translating, and a damaged file is better found now than after hours.
            load_image(&path, &LoadOptions::default())?;
            let name = path.file_name().with_context(|| format!("{}: has no file name", path.display()))?;
            let output = out.join(name);
            ensure!(
                has_written_extension(&output),
                "{}: its translation would have this name, whose extension is none of {}; rename it",
                path.display(),
                EXTENSIONS.join(", ")
            );
            ensure!(
                !same_file(&path, &output),
                "{}: would be overwritten by its translation; choose another --out",
                path.display()
            );
            if let Some(other) = jobs.insert(output, path.clone()) {
                anyhow::bail!(
                    "{} and {} have the same name and would become one file; translate them into different directories",
                    other.display(),
                    path.display()
                );
            }
        }
    }
    Ok(jobs)
}

/// Whether the name ends as those of the formats do that can be written.
fn has_written_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
