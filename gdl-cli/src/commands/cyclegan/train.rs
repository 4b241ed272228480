//! `gdl cyclegan train`

use super::TrainingBar;
use crate::{
    commands::{Context, Kind, RunPlace, values},
    console::UsageError,
};
use anyhow::Result;
use clap::Args;
use gdl_cyclegan::{
    CycleGanConfig, DataConfig, DataSpec, DiscriminatorConfig, GeneratorConfig, Length, LrPolicy, NormKind,
    Pretrained, Trainer, TrainerConfig, Upsampling,
};
use gdl_image_io::{Preprocess, image_size, list_images};
use gdl_kernels::init::InitScheme;
use gdl_patchgan::GanLoss;
use gdl_train::OnExisting;
use std::{ops::ControlFlow, path::PathBuf};

/// Flags of `gdl cyclegan train`, under the names of pytorch-CycleGAN-and-pix2pix where it has them.
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
    /// Begin with these networks: files named like latest_net_G_A.pth, directories of such files, or runs. Their kind and
    /// width are the files'
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["generator", "ngf", "dropout", "upsampling", "norm",
        "net_d", "n_layers_d", "ndf"])]
    init_from: Vec<PathBuf>,
    /// The generators' network
    #[arg(long = "netG", id = "generator", visible_alias = "generator", value_parser = values::choice(&GENERATORS, generator),
        default_value = "resnet9")]
    generator: GeneratorConfig,
    /// Width of the generators' first layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    ngf: usize,
    /// Drop half of the values in the residual blocks, or in the inner levels of a U-Net, while training
    #[arg(long)]
    dropout: bool,
    /// How the generators' maps grow [default: transposed; book_unet has resize]
    #[arg(long, value_parser = values::named::<Upsampling>(&["transposed", "resize"]))]
    upsampling: Option<Upsampling>,
    /// The discriminators' network: basic judges patches of 70x70, n_layers those of --n_layers_D, pixel single pixels, book and
    /// book_code give 8x8 and 16x16 scores of 128x128 pixels
    #[arg(long = "netD", id = "net_d", value_parser = ["basic", "n_layers", "pixel", "book", "book_code"], default_value = "basic")]
    net_d: String,
    /// Halvings in the discriminators of --netD n_layers
    #[arg(long = "n_layers_D", id = "n_layers_d", value_name = "N", default_value_t = 3, value_parser = values::count)]
    n_layers_d: usize,
    /// Width of the discriminators' first layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    ndf: usize,
    /// Norm of all networks [default: instance; the book's networks have their own]
    #[arg(long, value_parser = values::named::<NormKind>(&["instance", "batch", "none"]))]
    norm: Option<NormKind>,
    /// How the weights start
    #[arg(long = "init_type", value_parser = ["normal", "xavier", "kaiming"], default_value = "normal")]
    init_type: String,
    /// Standard deviation of --init_type normal, gain of xavier
    #[arg(long = "init_gain", value_name = "X", default_value_t = 0.02, value_parser = values::positive)]
    init_gain: f64,
    /// The loss of validity
    #[arg(long = "gan_mode", value_parser = values::named::<GanLoss>(&["lsgan", "vanilla", "wgangp", "hinge"]),
        default_value = "lsgan")]
    gan_mode: GanLoss,
    /// Weight of the reconstruction A -> B -> A
    #[arg(long = "lambda_A", value_name = "X", default_value_t = 10.0, value_parser = values::non_negative)]
    lambda_a: f64,
    /// Weight of the reconstruction B -> A -> B
    #[arg(long = "lambda_B", value_name = "X", default_value_t = 10.0, value_parser = values::non_negative)]
    lambda_b: f64,
    /// Weight of identity, times that of reconstruction
    #[arg(long = "lambda_identity", value_name = "X", default_value_t = 0.5, value_parser = values::non_negative)]
    lambda_identity: f64,
    /// Earlier translations kept for the discriminators; 0 for none
    #[arg(long = "pool_size", value_name = "N", default_value_t = 50)]
    pool_size: usize,
    /// Side of the square training crops in pixels
    #[arg(long, visible_alias = "crop_size", value_name = "PIXELS", default_value_t = 256, value_parser = values::side)]
    size: usize,
    /// What pictures are scaled to before they are cropped [default: 286 for each 256 of --size]
    #[arg(long = "load_size", value_name = "PIXELS", value_parser = values::side)]
    load_size: Option<usize>,
    /// How pictures are brought to size
    #[arg(long, value_parser = values::named::<Preprocess>(&["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]),
        default_value = "resize_and_crop")]
    preprocess: Preprocess,
    /// Do not mirror every second picture
    #[arg(long = "no_flip")]
    no_flip: bool,
    /// Passes over the larger set [default: 200]
    #[arg(long, value_name = "N", value_parser = values::count, conflicts_with = "steps")]
    epochs: Option<usize>,
    /// Training steps, instead of --epochs
    #[arg(long, value_name = "N", value_parser = values::count)]
    steps: Option<usize>,
    /// Pictures per step
    #[arg(long, visible_alias = "batch_size", value_name = "N", default_value_t = 1, value_parser = values::count)]
    batch: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value_t = 2e-4, value_parser = values::positive)]
    lr: f64,
    /// Adam's first beta
    #[arg(long, value_name = "X", default_value_t = 0.5, value_parser = values::fraction)]
    beta1: f64,
    /// The learning rate's course: linear to 0 over the second half, a tenth every --lr_decay_iters epochs, a fifth when the
    /// generators' loss stops falling, or a cosine to 0
    #[arg(long = "lr_policy", value_parser = values::named::<LrPolicy>(&["linear", "step", "plateau", "cosine"]),
        default_value = "linear")]
    lr_policy: LrPolicy,
    /// Epochs between two falls of --lr_policy step; steps, with --steps
    #[arg(long = "lr_decay_iters", value_name = "N", default_value_t = 50, value_parser = values::count)]
    lr_decay_iters: usize,
    /// Steps between two checkpoints, from which --resume goes on
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = values::count)]
    checkpoint_every: usize,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with
    #[arg(long, conflicts_with_all = ["a", "b", "init_from", "generator", "ngf", "dropout", "upsampling", "net_d", "n_layers_d", "ndf",
        "norm", "init_type", "init_gain", "gan_mode", "lambda_a", "lambda_b", "lambda_identity", "pool_size", "size", "load_size",
        "preprocess", "no_flip", "epochs", "steps", "batch", "lr", "beta1", "lr_policy", "lr_decay_iters", "checkpoint_every",
        "seed"])]
    resume: bool,
}

/// The generators, by short names and by those of the reference.
const GENERATORS: [&str; 9] = [
    "resnet9",
    "resnet6",
    "unet256",
    "unet128",
    "resnet_9blocks",
    "resnet_6blocks",
    "unet_256",
    "unet_128",
    "book_unet",
];

fn generator(name: &str) -> GeneratorConfig {
    match name {
        "resnet6" | "resnet_6blocks" => GeneratorConfig::resnet6(),
        "unet256" | "unet_256" => GeneratorConfig::unet256(),
        "unet128" | "unet_128" => GeneratorConfig::unet128(),
        "book_unet" => GeneratorConfig::book_unet(),
        _ => GeneratorConfig::resnet9(),
    }
}

impl TrainArgs {
    fn config(&self, pretrained: Option<&Pretrained>) -> Result<TrainerConfig> {
        let (Some(a), Some(b)) = (self.a.clone(), self.b.clone()) else {
            return Err(UsageError("cyclegan train: give --a and --b, or --resume".to_string()).into());
        };
        let mut model = self.model();
        if let Some(pretrained) = pretrained {
            pretrained.configure(&mut model)?;
        }
        let data = DataConfig {
            size: self.size,
            load_size: self.load_size,
            preprocess: self.preprocess,
            flip: !self.no_flip,
            ..DataConfig::new(a, b)
        };
        let length = match (self.epochs, self.steps) {
            (_, Some(steps)) => Length::Steps(steps as u64),
            (epochs, None) => Length::Epochs(epochs.unwrap_or(200) as u64),
        };
        Ok(TrainerConfig {
            model,
            batch: self.batch,
            length,
            lr_policy: self.lr_policy,
            lr_decay_iters: self.lr_decay_iters as u64,
            checkpoint_every: self.checkpoint_every as u64,
            ..TrainerConfig::new(data)
        })
    }

    fn model(&self) -> CycleGanConfig {
        let init = match self.init_type.as_str() {
            "xavier" => InitScheme::Xavier(self.init_gain),
            "kaiming" => InitScheme::Kaiming,
            _ => InitScheme::Normal(self.init_gain),
        };
        let generator = self.generator.clone().base_channels(self.ngf).dropout(self.dropout);
        let discriminator = match self.net_d.as_str() {
            "pixel" => DiscriminatorConfig::pixel(3),
            "book" => DiscriminatorConfig::book(3),
            "book_code" => DiscriminatorConfig::book_code(3),
            "n_layers" => DiscriminatorConfig::basic(3).n_layers(self.n_layers_d),
            _ => DiscriminatorConfig::basic(3),
        };
        let mut model = CycleGanConfig {
            generator: GeneratorConfig {
                upsampling: self.upsampling.unwrap_or(generator.upsampling),
                norm: self.norm.unwrap_or(generator.norm),
                init,
                ..generator
            },
            discriminator: DiscriminatorConfig {
                base_channels: self.ndf,
                norm: self.norm.unwrap_or(discriminator.norm),
                init,
                ..discriminator
            },
            gan_loss: self.gan_mode,
            lambda_a: self.lambda_a,
            lambda_b: self.lambda_b,
            lambda_identity: self.lambda_identity,
            pool_size: self.pool_size,
            seed: self.seed,
            ..CycleGanConfig::default()
        };
        (model.optimizer.learning_rate, model.optimizer.beta1) = (self.lr, self.beta1);
        model
    }

    fn create(&self, context: &Context) -> Result<Trainer> {
        self.check_pictures()?;
        let pretrained = match self.init_from.as_slice() {
            [] => None,
            paths => Some(Pretrained::open(paths)?),
        };
        let config = self.config(pretrained.as_ref())?;
        let Some(pretrained) = pretrained else {
            return Ok(Trainer::create(&self.out, config, OnExisting::Refuse, &context.device)?);
        };
        let trainer =
            Trainer::create_from(&self.out, config, &pretrained, OnExisting::Refuse, &context.device)?;
        let nets: Vec<_> = pretrained.nets().collect();
        context.verbosity.say(format_args!("begins with {}", nets.join(", ")));
        Ok(trainer)
    }

    /// Looks into every file of the two folders, so that one that is no picture is found now and not when its turn comes.
    fn check_pictures(&self) -> Result<()> {
        for spec in [&self.a, &self.b] {
            if let Some(DataSpec::Folder(folder)) = spec {
                for path in list_images(folder)? {
                    image_size(path)?;
                }
            }
        }
        Ok(())
    }
}

/// Runs `gdl cyclegan train`.
pub(super) fn train(args: &TrainArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    let place = RunPlace::look(&args.out);
    let mut trainer = if args.resume {
        Kind::CycleGan.check(&args.out)?;
        Trainer::resume(&args.out, &context.device)?
    } else {
        args.create(context)?
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
