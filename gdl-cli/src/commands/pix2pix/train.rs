//! `gdl pix2pix train`

use super::eval::DirectionName;
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
use gdl_cyclegan::{
    AlignedConfig, DataSpec, PIX2PIX_NETS, Pix2Pix, Pix2PixConfig, Pix2PixTrainerConfig, Pretrained,
};
use gdl_patchgan::GanLoss;
use std::path::PathBuf;

/// Flags of `gdl pix2pix train`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct TrainArgs {
    /// Directory of files that each hold two pictures side by side, A on the left and B on the right; or builtin:A
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pairs: Option<DataSpec>,
    /// What is translated into what
    #[arg(long, value_enum, default_value_t = DirectionName::AtoB)]
    direction: DirectionName,
    /// The run's directory: weights, samples, metrics, and what --resume needs
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Begin with these networks: files named like latest_net_G.pth, directories of such files, or runs. Their kind and width
    /// are the files'
    #[arg(long, value_name = "PATH", num_args = 1..,
        conflicts_with_all = ["generator", "ngf", "upsampling", "norm", "net_d", "n_layers_d", "ndf"])]
    init_from: Vec<PathBuf>,
    #[command(flatten)]
    networks: NetworkArgs,
    /// Drop nothing while training, where half of the values are dropped otherwise
    #[arg(long = "no_dropout")]
    no_dropout: bool,
    /// The loss of validity
    #[arg(long = "gan_mode", value_name = "LOSS", default_value = "vanilla",
        value_parser = values::named::<GanLoss>(&["lsgan", "vanilla", "wgangp", "hinge"]))]
    gan_mode: GanLoss,
    /// Weight of the L1 distance from the truth
    #[arg(long = "lambda_L1", id = "lambda_l1", value_name = "X", default_value_t = 100.0, value_parser = values::non_negative)]
    lambda_l1: f64,
    /// Earlier translations kept for the discriminator; 0 for none
    #[arg(long = "pool_size", value_name = "N", default_value_t = 0)]
    pool_size: usize,
    #[command(flatten)]
    course: CourseArgs,
    #[command(flatten)]
    keep_best: KeepBestArgs,
    /// Directory of pairs for --keep-best, that are not trained on [default: unseen scenes of a built-in domain]
    #[arg(long, value_name = "DIR", requires = "keep_best")]
    val_pairs: Option<DataSpec>,
    /// Take three steps, print parameters, memory and time as a line of JSON, and write nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Go on from the last checkpoint of the run in --out, with the settings that it was begun with
    #[arg(long, conflicts_with_all = translation::settings(),
        conflicts_with_all = ["pairs", "val_pairs", "direction", "init_from", "no_dropout", "gan_mode", "lambda_l1", "pool_size"])]
    resume: bool,
}

impl TrainArgs {
    fn config(&self, pretrained: Option<&Pretrained>, context: &Context) -> Result<Pix2PixTrainerConfig> {
        let Some(pairs) = self.pairs.clone() else {
            return Err(UsageError("pix2pix train: give --pairs, or --resume".to_string()).into());
        };
        let like = Pix2PixConfig::default();
        let dropout = !self.no_dropout;
        let (mut generator, discriminator) =
            self.networks.networks((&like.generator, &like.discriminator), dropout);
        let mut model = Pix2PixConfig {
            gan_loss: self.gan_mode,
            lambda_l1: self.lambda_l1,
            optimizer: self.course.optimizer(),
            pool_size: self.pool_size,
            seed: self.course.seed,
            ..like
        };
        // The book's U-Net has none.
        generator.dropout &= generator.kind != gdl_cyclegan::GeneratorKind::BookUnet;
        (model.generator, model.discriminator) = (generator, discriminator);
        if let Some(pretrained) = pretrained {
            pretrained.configure_pix2pix(&mut model)?;
            // A U-Net's dropout leaves no trace in its file.
            if matches!(model.generator.kind, gdl_cyclegan::GeneratorKind::Unet { .. }) {
                model.generator.dropout = dropout;
            }
        }
        let data = AlignedConfig {
            val_pairs: self.val_pairs.clone(),
            direction: self.direction.into(),
            size: self.course.size,
            load_size: self.course.load_size,
            preprocess: self.course.preprocess,
            flip: !self.course.no_flip,
            ..AlignedConfig::new(pairs)
        };
        let keep_best = self.keep_best.config(&[("--val-pairs", self.val_pairs.is_some())], context)?;
        Ok(Pix2PixTrainerConfig { keep_best, ..self.course.training(model, data) })
    }
}

/// Runs `gdl pix2pix train`.
pub(super) fn train(args: &TrainArgs, context: &Context) -> Result<()> {
    let request = Request {
        kind: Kind::Pix2Pix,
        out: &args.out,
        data: [&args.pairs, &args.val_pairs].into_iter().flatten().collect(),
        init_from: &args.init_from,
        nets: &PIX2PIX_NETS,
        resume: args.resume,
        dry_run: args.dry_run,
    };
    translation::train::<Pix2Pix>(&request, |nets| args.config(nets, context), context)
}
