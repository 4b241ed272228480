use crate::judge::Judge;
use crate::measure::{join, means, spread, sum};
use crate::method::{ConfigOf, Losses, Method};
use crate::round_trip::to_picture;
use crate::{AlignedData, Generator, ImagePool, Pix2PixConfig, Result, Translator, Vital};
use candle_core::{DType, Device, Tensor};
use candle_nn::ModuleT;
use gdl_kernels::recomputed;
use gdl_kernels::rng::{Rng, SharedRng};
use gdl_train::report::Chart;
use gdl_train::{Adam, Brake, Gradients, Optimizer, ParamStore};
use serde::{Deserialize, Serialize};

/// A generator that learns from pairs, the discriminator that judges it, and what trains them.
///
/// The discriminator sees the picture together with its translation. The names are the reference's: `net_G` and `net_D`.
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_cyclegan::{DiscriminatorConfig, GeneratorConfig, NormKind, Pix2Pix, Pix2PixConfig};
///
/// let config = Pix2PixConfig {
///     generator: GeneratorConfig::unet(3).base_channels(2).norm(NormKind::Batch),
///     discriminator: DiscriminatorConfig::basic(6).base_channels(2).n_layers(1),
///     ..Pix2PixConfig::default()
/// };
/// let mut model = Pix2Pix::new(&config, DType::F32, &Device::Cpu)?;
/// let a = Tensor::zeros((1, 3, 16, 16), DType::F32, &Device::Cpu)?; // in [-1, 1]
/// let b = Tensor::ones((1, 3, 16, 16), DType::F32, &Device::Cpu)?; // what `a` should become
/// let losses = model.train_step(&a, &b)?;
/// assert!(losses.l1 > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Isola et al. 2017; `models/pix2pix_model.py` of the reference: the same losses, the same order of updates.
#[derive(Debug)]
pub struct Pix2Pix {
    config: Pix2PixConfig,
    stores: [ParamStore; 2],
    generator: Generator,
    judge: Judge,
    optimizer_g: Adam,
    optimizer_d: Adam,
    pool: ImagePool,
    noise: SharedRng,
    /// What the generator's pictures of the last step have told.
    painted: Vital,
}

/// The names of the two networks, as the reference names their files.
pub const PIX2PIX_NETS: [&str; 2] = ["net_G", "net_D"];

/// The losses of one step of [`Pix2Pix`], by the names of the book and the reference.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pix2PixLosses {
    /// How far the discriminator is from taking the translation for real (`G_GAN`).
    pub validity: f64,
    /// L1 distance of the translation from its truth, times `lambda_l1` (`G_L1`).
    pub l1: f64,
    /// The discriminator's loss on real pairs.
    pub d_real: f64,
    /// The discriminator's loss on translated pairs, with the gradient penalty where there is one.
    pub d_fake: f64,
}

impl Losses for Pix2PixLosses {
    fn named(&self) -> Vec<(&'static str, f64)> {
        vec![("validity", self.validity), ("l1", self.l1), ("d_real", self.d_real), ("d_fake", self.d_fake)]
    }

    fn generator(&self) -> f64 {
        self.validity + self.l1
    }

    fn summary(&self) -> String {
        format!(
            "validity {:.3} L1 {:.3} discriminator {:.3}",
            self.validity,
            self.l1,
            (self.d_real + self.d_fake) / 2.0
        )
    }
}

impl Pix2Pix {
    /// Builds the networks, with weights drawn from the seed.
    ///
    /// # Errors
    /// When a setting is out of its range.
    pub fn new(config: &Pix2PixConfig, dtype: DType, device: &Device) -> Result<Self> {
        config.validate()?;
        let seed = config.seed;
        let stores = PIX2PIX_NETS.map(|net| ParamStore::new(dtype, device, Rng::stream(seed, net).bits()));
        let noise = SharedRng::from(Rng::stream(seed, "noise"));
        let generator = Generator::new(&config.generator, Some(noise.clone()), stores[0].vb())?;
        let judge = Judge::new(&config.discriminator, config.gan_loss, &stores[1])?;
        let optimizer = |store: &ParamStore| Adam::new(store.trainable(), config.optimizer.clone());
        let (optimizer_g, optimizer_d) = (optimizer(&stores[0])?, optimizer(&stores[1])?);
        let pool = ImagePool::new(config.pool_size, Rng::stream(seed, "pool"));
        let (config, painted) = (config.clone(), Vital::Painted { fake: 0.0, real: 0.0 });
        Ok(Self { config, stores, generator, judge, optimizer_g, optimizer_d, pool, noise, painted })
    }

    /// The configuration the model was built from.
    pub fn config(&self) -> &Pix2PixConfig {
        &self.config
    }

    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// One step: the discriminator on a real pair and a translated one, then the generator against the discriminator, which
    /// stands still.
    ///
    /// # Shape
    /// `a` (N, in_channels, H, W), and `b` (N, out_channels, H, W), what it should become, both in [-1, 1]; H and W multiples of
    /// the generator's [`multiple`](crate::GeneratorConfig::multiple).
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn train_step(&mut self, a: &Tensor, b: &Tensor) -> candle_core::Result<Pix2PixLosses> {
        self.train_step_on(&[(a.clone(), b.clone())])
    }

    /// One step along the mean of the gradients of several batches: what a batch of them all would give, where nothing is
    /// computed over a batch (batch norm) and nothing drawn (dropout, the pool's choice).
    ///
    /// They need the memory of one. As the generator learns from the discriminator of after its step, and so comes last,
    /// with more batches than one its translations are computed twice, instead of everything in them being kept.
    ///
    /// Where a loss of the discriminator is not finite, nothing is stepped; where one of the generator is not, it is not stepped.
    /// A GPU is waited for once, when all is on its way.
    ///
    /// # Errors
    /// As of [`train_step`](Self::train_step), and when there are no batches.
    pub fn train_step_on(&mut self, batches: &[(Tensor, Tensor)]) -> candle_core::Result<Pix2PixLosses> {
        let share = 1.0 / batches.len() as f64;
        let pool = self.pool.clone();
        let mut grads = Gradients::default();
        let (mut fakes, mut told) = (Vec::new(), Vec::new());
        for (a, b) in batches {
            let fake = self.fake(a, batches.len() > 1)?;
            let fake_pair = self.pool.query(&Tensor::cat(&[a, &fake.detach()], 1)?)?;
            let real_pair = Tensor::cat(&[a, b], 1)?;
            let mut d_fake = self.judge.as_fake(&fake_pair)?;
            let d_real = self.judge.as_real(&real_pair)?;
            if let Some(penalty) = self.judge.penalty(&real_pair, &fake_pair, &self.noise)? {
                // Twice, because half of the sum is minimised.
                d_fake = (d_fake + (penalty * 2.0)?)?;
            }
            grads.backward(&((&d_fake + &d_real)? * (0.5 * share))?)?;
            told.push([d_real.detach(), d_fake.detach(), spread(&fake.detach())?, spread(b)?]);
            fakes.push(fake);
        }
        let of_discriminator = sum(told.iter().flat_map(|told| &told[..2]))?;
        self.optimizer_d.step_taking_braked(&mut grads, &Brake::where_finite(&of_discriminator)?)?;
        drop(grads);

        let mut grads = Gradients::default();
        let mut painted = Vec::new();
        for ((a, b), fake) in batches.iter().zip(fakes) {
            let validity = self.judge.validity(&Tensor::cat(&[a, &fake], 1)?)?;
            let l1 = ((&fake - b)?.abs()?.mean_all()? * self.config.lambda_l1)?;
            grads.backward(&((&validity + &l1)? * share)?)?;
            painted.push([validity.detach(), l1.detach()]);
        }
        let all = sum(painted.as_flattened().iter().chain([&of_discriminator]))?;
        self.optimizer_g.step_taking_braked(&mut grads, &Brake::where_finite(&all)?)?;

        let told: Vec<[Tensor; 6]> = told.into_iter().zip(painted).map(|(d, g)| join(d, g)).collect();
        let [d_real, d_fake, fake, real, validity, l1] = means(&told)?;
        self.painted = Vital::Painted { fake, real };
        let losses = Pix2PixLosses { d_real, d_fake, validity, l1 };
        if losses.not_finite().is_some() {
            // Such pictures would be shown to the discriminator again.
            self.pool = pool;
        }
        Ok(losses)
    }

    /// A translation to learn from; `twice` keeps nothing of it but the result until the generator's turn comes.
    fn fake(&self, a: &Tensor, twice: bool) -> candle_core::Result<Tensor> {
        if !twice {
            return self.generator.forward_t(a, true);
        }
        let generator = self.generator.clone();
        recomputed(a, Some(&self.noise), move |a| generator.forward_t(a, true))
    }

    /// The generator as it translates when it is trained.
    fn translator(&self) -> Result<Translator> {
        Translator::copy(&self.config.generator, &self.stores[0])
    }
}

impl Method for Pix2Pix {
    type Config = Pix2PixConfig;
    type Data = AlignedData;
    type Losses = Pix2PixLosses;

    const NAME: &str = "pix2pix";

    fn outline(_: &Pix2PixConfig) -> (Vec<Chart>, Vec<&'static str>) {
        let charts = vec![
            Chart::new("L1 distance from the truth", &[("l1", "")]),
            Chart::new("Validity of the translations", &[("validity", "")]),
            Chart::new("Discriminator", &[("d_real", "real"), ("d_fake", "translated")]),
        ];
        (charts, vec!["picture", "translation", "truth"])
    }

    fn build(config: &Pix2PixConfig, dtype: DType, device: &Device) -> Result<Self> {
        Self::new(config, dtype, device)
    }

    fn validate(config: &ConfigOf<Self>) -> Result<()> {
        config.model.validate()?;
        config.check_course()?;
        config.check_size(config.data.size, &config.model.generator, &config.model.discriminator)
    }

    fn base_rate(config: &Pix2PixConfig) -> f64 {
        config.optimizer.learning_rate
    }

    fn seed(config: &Pix2PixConfig) -> u64 {
        config.seed
    }

    fn train_step(&mut self, batches: &[(Tensor, Tensor)]) -> candle_core::Result<Pix2PixLosses> {
        self.train_step_on(batches)
    }

    fn vitals(&self, losses: &Pix2PixLosses) -> Vec<(&'static str, Vital)> {
        let judged = Vital::judged(self.config.gan_loss, (losses.d_real + losses.d_fake) / 2.0);
        PIX2PIX_NETS.into_iter().zip([self.painted, judged]).collect()
    }

    fn recompute_blocks(&mut self, on: bool) {
        self.generator.recompute_blocks(on);
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.optimizer_g.set_learning_rate(learning_rate);
        self.optimizer_d.set_learning_rate(learning_rate);
    }

    fn stores(&self) -> Vec<(&'static str, &ParamStore)> {
        PIX2PIX_NETS.into_iter().zip(&self.stores).collect()
    }

    fn optimizers(&self) -> Vec<(&'static str, &Adam)> {
        vec![("G", &self.optimizer_g), ("D", &self.optimizer_d)]
    }

    fn optimizers_mut(&mut self) -> Vec<(&'static str, &mut Adam)> {
        vec![("G", &mut self.optimizer_g), ("D", &mut self.optimizer_d)]
    }

    fn pools(&self) -> Vec<(&'static str, &ImagePool)> {
        vec![("pool", &self.pool)]
    }

    fn pools_mut(&mut self) -> Vec<(&'static str, &mut ImagePool)> {
        vec![("pool", &mut self.pool)]
    }

    fn noise(&self) -> &SharedRng {
        &self.noise
    }

    fn translators(&self) -> Result<Vec<Translator>> {
        Ok(vec![self.translator()?])
    }

    /// Rows of picture, translation and truth.
    fn sheet(&self, pairs: &[(Tensor, Tensor)]) -> Result<Tensor> {
        let device = self.stores[0].device();
        // As a trained one translates: batch norm by the picture's own statistics.
        let translator = self.translator()?;
        let rows = pairs
            .iter()
            .map(|(a, b)| {
                let x = a.unsqueeze(0)?.to_device(device)?;
                let fake = translator.generator().translate(&x)?.squeeze(0)?;
                Ok(vec![to_picture(a)?, to_picture(&fake)?, to_picture(b)?])
            })
            .collect::<candle_core::Result<Vec<_>>>()?;
        Ok(gdl_image_io::grid(&rows, 2)?)
    }
}
