//! Flags of the networks, under the names of pytorch-CycleGAN-and-pix2pix where it has them.

use crate::commands::values;
use clap::Args;
use gdl_cyclegan::{DiscriminatorConfig, GeneratorConfig, NormKind, Upsampling};
use gdl_kernels::init::InitScheme;

/// The flags' names, for those that exclude them.
pub(super) const FLAGS: [&str; 9] =
    ["generator", "ngf", "upsampling", "net_d", "n_layers_d", "ndf", "norm", "init_type", "init_gain"];

/// What the networks look like.
#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    /// The generators' network [default: resnet9 for cyclegan, unet256 for pix2pix]
    #[arg(long = "netG", id = "generator", value_name = "NAME", visible_alias = "generator",
        value_parser = values::choice(&GENERATORS, generator))]
    generator: Option<GeneratorConfig>,
    /// Width of the generators' first layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    ngf: usize,
    /// How the generators' maps grow [default: transposed; book_unet has resize]
    #[arg(long, value_name = "HOW", value_parser = values::named::<Upsampling>(&["transposed", "resize"]))]
    upsampling: Option<Upsampling>,
    /// The discriminators' network: basic judges patches of 70x70, n_layers those of --n_layers_D, pixel single pixels, book and
    /// book_code give 8x8 and 16x16 scores of 128x128 pixels
    #[arg(long = "netD", id = "net_d", value_name = "NAME", default_value = "basic",
        value_parser = ["basic", "n_layers", "pixel", "book", "book_code"])]
    net_d: String,
    /// Halvings in the discriminators of --netD n_layers
    #[arg(long = "n_layers_D", id = "n_layers_d", value_name = "N", default_value_t = 3, value_parser = values::count)]
    n_layers_d: usize,
    /// Width of the discriminators' first layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count)]
    ndf: usize,
    /// Norm of all networks [default: instance for cyclegan, batch for pix2pix; the book's networks have their own]
    #[arg(long, value_name = "NORM", value_parser = values::named::<NormKind>(&["instance", "batch", "none"]))]
    norm: Option<NormKind>,
    /// How the weights start
    #[arg(long = "init_type", value_name = "HOW", value_parser = ["normal", "xavier", "kaiming", "orthogonal"], default_value = "normal")]
    init_type: String,
    /// Standard deviation of --init_type normal, gain of xavier and orthogonal
    #[arg(long = "init_gain", value_name = "X", default_value_t = 0.02, value_parser = values::positive)]
    init_gain: f64,
}

/// The generators, by short names and by those of the reference.
const GENERATORS: [&str; 10] = [
    "resnet9",
    "resnet6",
    "unet256",
    "unet128",
    "unet64",
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
        "unet64" => GeneratorConfig::unet64(),
        "book_unet" => GeneratorConfig::book_unet(),
        _ => GeneratorConfig::resnet9(),
    }
}

impl NetworkArgs {
    /// The networks asked for; what was not asked for is as in `like`.
    pub(crate) fn networks(
        &self,
        like: (&GeneratorConfig, &DiscriminatorConfig),
        dropout: bool,
    ) -> (GeneratorConfig, DiscriminatorConfig) {
        let init = match self.init_type.as_str() {
            "xavier" => InitScheme::Xavier(self.init_gain),
            "kaiming" => InitScheme::Kaiming,
            "orthogonal" => InitScheme::Orthogonal(self.init_gain),
            _ => InitScheme::Normal(self.init_gain),
        };
        // The book's networks come with a norm that no other has.
        let norm = |own: NormKind, like: NormKind| {
            self.norm.unwrap_or(if own == NormKind::Keras { own } else { like })
        };
        let generator = self.generator.as_ref().unwrap_or(like.0);
        let generator = GeneratorConfig {
            base_channels: self.ngf,
            dropout,
            upsampling: self.upsampling.unwrap_or(generator.upsampling),
            norm: norm(generator.norm, like.0.norm),
            init,
            ..generator.clone()
        };
        let channels = like.1.in_channels;
        let discriminator = match self.net_d.as_str() {
            "pixel" => DiscriminatorConfig::pixel(channels),
            "book" => DiscriminatorConfig::book(channels),
            "book_code" => DiscriminatorConfig::book_code(channels),
            _ => DiscriminatorConfig::basic(channels),
        };
        let n_layers = match self.net_d.as_str() {
            "n_layers" => self.n_layers_d,
            _ => discriminator.n_layers,
        };
        let discriminator = DiscriminatorConfig {
            base_channels: self.ndf,
            n_layers,
            norm: norm(discriminator.norm, like.1.norm),
            init,
            ..discriminator
        };
        (generator, discriminator)
    }
}
