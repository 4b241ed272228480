//! `gdl cyclegan train`

use crate::{
    commands::{
        Context, Kind,
        translation::{self, CourseArgs, KeepBestArgs, NetworkArgs, Request},
        values,
    },
    console::UsageError,
};
use anyhow::Result;
use clap::Args;
use gdl_cyclegan::{CycleGan, CycleGanConfig, DataConfig, DataSpec, NETS, Pretrained, TrainerConfig};
use gdl_patchgan::GanLoss;
use std::path::PathBuf;

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
    /// Begin with these networks: files named like latest_net_G_A.pth, directories of such files, or runs. Their kind and
    /// width are the files'
    #[arg(long, value_name = "PATH", num_args = 1..,
        conflicts_with_all = ["generator", "ngf", "dropout", "upsampling", "norm", "net_d", "n_layers_d", "ndf"])]
    init_from: Vec<PathBuf>,
    #[command(flatten)]
    networks: NetworkArgs,
    /// Drop half of the values in the residual blocks, or in the inner levels of a U-Net, while training
    #[arg(long)]
    dropout: bool,
    /// The loss of validity
    #[arg(long = "gan_mode", value_name = "LOSS", default_value = "lsgan",
        value_parser = values::named::<GanLoss>(&["lsgan", "vanilla", "wgangp", "hinge"]))]
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
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    keep_best: KeepBestArgs,
    /// Directory of pictures of domain A for --keep-best, that are not trained on [default: unseen scenes of a built-in domain]
    #[arg(long, value_name = "DIR", requires = "keep_best")]
    val_a: Option<DataSpec>,
    /// Likewise of domain B
    #[arg(long, value_name = "DIR", requires = "keep_best")]
    val_b: Option<DataSpec>,
    /// Take three steps, print parameters, memory and time as a line of JSON, and write nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with
    #[arg(long, conflicts_with_all = translation::settings(),
        conflicts_with_all = ["a", "b", "val_a", "val_b", "init_from", "dropout", "gan_mode", "lambda_a", "lambda_b", "lambda_identity", "pool_size"])]
    resume: bool,
}

impl TrainArgs {
    fn config(&self, pretrained: Option<&Pretrained>, context: &Context) -> Result<TrainerConfig> {
        let (Some(a), Some(b)) = (self.a.clone(), self.b.clone()) else {
            return Err(UsageError("cyclegan train: give --a and --b, or --resume".to_string()).into());
        };
        let like = CycleGanConfig::default();
        let (generator, discriminator) =
            self.networks.networks((&like.generator, &like.discriminator), self.dropout);
        let mut model = CycleGanConfig {
            generator,
            discriminator,
            gan_loss: self.gan_mode,
            lambda_a: self.lambda_a,
            lambda_b: self.lambda_b,
            lambda_identity: self.lambda_identity,
            optimizer: self.course.optimizer(),
            pool_size: self.pool_size,
            seed: self.course.seed,
        };
        if let Some(pretrained) = pretrained {
            pretrained.configure(&mut model)?;
        }
        let data = DataConfig {
            val_a: self.val_a.clone(),
            val_b: self.val_b.clone(),
            size: self.course.size,
            load_size: self.course.load_size,
            preprocess: self.course.preprocess,
            flip: !self.course.no_flip,
            ..DataConfig::new(a, b)
        };
        let keep_best = self
            .keep_best
            .config(&[("--val-a", self.val_a.is_some()), ("--val-b", self.val_b.is_some())], context)?;
        Ok(TrainerConfig { keep_best, ..self.course.training(model, data) })
    }
}

/// Runs `gdl cyclegan train`.
pub(super) fn train(args: &TrainArgs, context: &Context) -> Result<()> {
    let request = Request {
        kind: Kind::CycleGan,
        out: &args.out,
        data: [&args.a, &args.b, &args.val_a, &args.val_b].into_iter().flatten().collect(),
        init_from: &args.init_from,
        nets: &NETS,
        resume: args.resume,
        dry_run: args.dry_run,
    };
    translation::train::<CycleGan>(&request, |nets| args.config(nets, context), context)
}
