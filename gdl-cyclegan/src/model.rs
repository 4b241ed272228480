use crate::judge::Judge;
use crate::measure::{join, means, spread, sum};
use crate::method::{ConfigOf, Losses, Method};
use crate::{
    CycleGanConfig, Generator, ImagePool, Result, RoundTrip, StepLosses, Translator, UnalignedData, Vital,
};
use candle_core::{DType, Device, Tensor};
use candle_nn::ModuleT;
use gdl_kernels::rng::{Rng, SharedRng};
use gdl_train::report::Chart;
use gdl_train::{Adam, Brake, Gradients, Optimizer, ParamStore};

/// Two generators, two discriminators, and what trains them.
///
/// The names are the reference's: `G_A` translates A into B and `D_A` judges its translations; `G_B` and `D_B` the other way.
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use gdl_cyclegan::{CycleGan, CycleGanConfig, DiscriminatorConfig, GeneratorConfig};
///
/// let config = CycleGanConfig {
///     generator: GeneratorConfig::resnet(1).base_channels(4),
///     discriminator: DiscriminatorConfig::basic(3).base_channels(4).n_layers(1),
///     ..CycleGanConfig::default()
/// };
/// let mut model = CycleGan::new(&config, DType::F32, &Device::Cpu)?;
/// let a = Tensor::zeros((1, 3, 16, 16), DType::F32, &Device::Cpu)?; // in [-1, 1]
/// let b = Tensor::ones((1, 3, 16, 16), DType::F32, &Device::Cpu)?;
/// let losses = model.train_step(&a, &b)?;
/// assert!(losses.reconstruction() > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Zhu et al. 2017; `models/cycle_gan_model.py` of the reference: the same losses, the same order of updates.
#[derive(Debug)]
pub struct CycleGan {
    config: CycleGanConfig,
    stores: [ParamStore; 4],
    g_a: Generator,
    g_b: Generator,
    d_a: Judge,
    d_b: Judge,
    optimizer_g: Adam,
    optimizer_d: Adam,
    /// Translations into B and into A.
    pools: [ImagePool; 2],
    /// What dropout and the gradient penalty draw from.
    noise: SharedRng,
    /// What the generators' pictures of the last step have told.
    painted: [Vital; 2],
}

/// The names of the four networks, as the reference names their files.
pub const NETS: [&str; 4] = ["net_G_A", "net_G_B", "net_D_A", "net_D_B"];

/// The generators' losses in one direction.
struct Direction {
    fake: Tensor,
    validity: Tensor,
    reconstruction: Tensor,
    identity: Option<Tensor>,
}

impl Direction {
    fn total(&self) -> candle_core::Result<Tensor> {
        let sum = (&self.validity + &self.reconstruction)?;
        match &self.identity {
            Some(identity) => sum + identity,
            None => Ok(sum),
        }
    }

    /// The values without the graph that led to them, whose memory is free from then on.
    fn forget(self) -> Self {
        Self {
            fake: self.fake.detach(),
            validity: self.validity.detach(),
            reconstruction: self.reconstruction.detach(),
            identity: self.identity.map(|t| t.detach()),
        }
    }
}

impl CycleGan {
    /// Builds the networks, with weights drawn from the seed.
    ///
    /// # Errors
    /// When a setting is out of its range.
    pub fn new(config: &CycleGanConfig, dtype: DType, device: &Device) -> Result<Self> {
        config.validate()?;
        let seed = config.seed;
        // Networks of one kind have the same keys: each needs a seed of its own.
        let stores = NETS.map(|net| ParamStore::new(dtype, device, Rng::stream(seed, net).bits()));
        let noise = SharedRng::from(Rng::stream(seed, "noise"));
        let generator =
            |store: &ParamStore| Generator::new(&config.generator, Some(noise.clone()), store.vb());
        let (g_a, g_b) = (generator(&stores[0])?, generator(&stores[1])?);
        let judge = |store: &ParamStore| Judge::new(&config.discriminator, config.gan_loss, store);
        let (d_a, d_b) = (judge(&stores[2])?, judge(&stores[3])?);
        let optimizer = |nets: [usize; 2]| {
            let vars = nets.iter().flat_map(|&i| {
                let named = move |(name, var)| (format!("{}.{name}", NETS[i]), var);
                stores[i].trainable().into_iter().map(named)
            });
            Adam::new(vars.collect(), config.optimizer.clone())
        };
        let (optimizer_g, optimizer_d) = (optimizer([0, 1])?, optimizer([2, 3])?);
        let pool = |name: &str| ImagePool::new(config.pool_size, Rng::stream(seed, name));
        let pools = [pool("pool of B"), pool("pool of A")];
        let config = config.clone();
        let painted = [Vital::Painted { fake: 0.0, real: 0.0 }; 2];
        Ok(Self { config, stores, g_a, g_b, d_a, d_b, optimizer_g, optimizer_d, pools, noise, painted })
    }

    /// The configuration the model was built from.
    pub fn config(&self) -> &CycleGanConfig {
        &self.config
    }

    /// The generator that translates A into B.
    pub fn g_a(&self) -> &Generator {
        &self.g_a
    }

    /// The generator that translates B into A.
    pub fn g_b(&self) -> &Generator {
        &self.g_b
    }

    /// How many numbers the four networks hold together.
    pub fn num_parameters(&self) -> usize {
        self.stores.iter().map(ParamStore::num_parameters).sum()
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.optimizer_g.learning_rate()
    }

    /// One step: the generators against discriminators that stand still, then the discriminators on real pictures and on
    /// translations from the pool.
    ///
    /// # Shape
    /// `a` and `b` (N, 3, H, W) in [-1, 1], H and W multiples of the generator's
    /// [`multiple`](crate::GeneratorConfig::multiple).
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn train_step(&mut self, a: &Tensor, b: &Tensor) -> candle_core::Result<StepLosses> {
        self.train_step_on(&[(a.clone(), b.clone())])
    }

    /// One step along the mean of the gradients of several batches, which need the memory of one: what a batch of them all
    /// would give, where nothing is computed over a batch (batch norm) and nothing drawn (dropout, the pools' choice).
    ///
    /// Where a loss of the generators is not finite, nothing is stepped; where one of the discriminators is not, they are not
    /// stepped. A GPU is waited for once, when all is on its way.
    ///
    /// # Errors
    /// As of [`train_step`](Self::train_step), and when there are no batches.
    pub fn train_step_on(&mut self, batches: &[(Tensor, Tensor)]) -> candle_core::Result<StepLosses> {
        let share = 1.0 / batches.len() as f64;
        let mut grads = Gradients::default();
        let (mut fakes, mut told) = (Vec::new(), Vec::new());
        for (a, b) in batches {
            // The two directions share no tensor but the weights: apart, they need half the memory.
            let a_to_b = self.direction(a, true)?;
            grads.backward(&(a_to_b.total()? * share)?)?;
            let a_to_b = a_to_b.forget();
            let b_to_a = self.direction(b, false)?;
            grads.backward(&(b_to_a.total()? * share)?)?;
            let b_to_a = b_to_a.forget();
            told.push(tell(&a_to_b, &b_to_a, a, b)?);
            fakes.push((a_to_b.fake, b_to_a.fake));
        }
        let of_generators = sum(told.iter().flat_map(|told| &told[..LOSSES]))?;
        self.optimizer_g.step_taking_braked(&mut grads, &Brake::where_finite(&of_generators)?)?;
        drop(grads);

        let pools = self.pools.clone();
        let mut grads = Gradients::default();
        let mut judged = Vec::new();
        for ((a, b), (fake_b, fake_a)) in batches.iter().zip(&fakes) {
            let fake_b = self.pools[0].query(fake_b)?;
            let d_a = self.d_a.loss(b, &fake_b, &self.noise)?;
            grads.backward(&(&d_a * share)?)?;
            let fake_a = self.pools[1].query(fake_a)?;
            let d_b = self.d_b.loss(a, &fake_a, &self.noise)?;
            grads.backward(&(&d_b * share)?)?;
            judged.push([d_a.detach(), d_b.detach()]);
        }
        let all = sum(judged.as_flattened().iter().chain([&of_generators]))?;
        self.optimizer_d.step_taking_braked(&mut grads, &Brake::where_finite(&all)?)?;

        let told: Vec<[Tensor; 12]> = told.into_iter().zip(judged).map(|(g, d)| join(g, d)).collect();
        let [va, vb, ra, rb, ia, ib, fake_b, real_b, fake_a, real_a, d_a, d_b] = means(&told)?;
        self.painted =
            [Vital::Painted { fake: fake_b, real: real_b }, Vital::Painted { fake: fake_a, real: real_a }];
        let losses = StepLosses {
            validity_a: va,
            validity_b: vb,
            reconstruction_a: ra,
            reconstruction_b: rb,
            identity_a: ia,
            identity_b: ib,
            d_a,
            d_b,
        };
        if losses.not_finite().is_some() {
            // Such pictures would be shown to the discriminators again.
            self.pools = pools;
        }
        Ok(losses)
    }

    /// What the generators minimise, as far as it comes from the pictures `x` of one domain.
    fn direction(&self, x: &Tensor, from_a: bool) -> candle_core::Result<Direction> {
        let (there, back, judge, lambda) = match from_a {
            true => (&self.g_a, &self.g_b, &self.d_a, self.config.lambda_a),
            false => (&self.g_b, &self.g_a, &self.d_b, self.config.lambda_b),
        };
        let fake = there.forward_t(x, true)?;
        let validity = judge.validity(&fake)?;
        let reconstruction = (l1(&back.forward_t(&fake, true)?, x)? * lambda)?;
        let identity = match lambda * self.config.lambda_identity {
            0.0 => None,
            weight => Some((l1(&back.forward_t(x, true)?, x)? * weight)?),
        };
        Ok(Direction { fake, validity, reconstruction, identity })
    }

    /// Both ways around from a pair of single pictures.
    pub(crate) fn trip(&self, a: &Tensor, b: &Tensor) -> candle_core::Result<RoundTrip> {
        let batch = |x: &Tensor| x.unsqueeze(0)?.to_device(self.stores[0].device());
        self.round_trip(&batch(a)?, &batch(b)?)
    }

    /// Both ways around from pictures of both domains, without dropout.
    ///
    /// # Shape
    /// Any sizes; in [-1, 1].
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn round_trip(&self, a: &Tensor, b: &Tensor) -> candle_core::Result<RoundTrip> {
        let (a, b) = (a.detach(), b.detach());
        let (fake_b, fake_a) = (self.g_a.translate(&a)?.detach(), self.g_b.translate(&b)?.detach());
        let reconstructed_a = self.g_b.translate(&fake_b)?.detach();
        let reconstructed_b = self.g_a.translate(&fake_a)?.detach();
        let identity = |g: &Generator, x: &Tensor| match self.config.lambda_identity > 0.0 {
            true => Ok::<_, candle_core::Error>(Some(g.translate(x)?.detach())),
            false => Ok(None),
        };
        let (identity_a, identity_b) = (identity(&self.g_b, &a)?, identity(&self.g_a, &b)?);
        Ok(RoundTrip { a, fake_b, reconstructed_a, identity_a, b, fake_a, reconstructed_b, identity_b })
    }
}

impl Method for CycleGan {
    type Config = CycleGanConfig;
    type Data = UnalignedData;
    type Losses = StepLosses;

    const NAME: &str = "CycleGAN";

    fn outline(config: &CycleGanConfig) -> (Vec<Chart>, Vec<&'static str>) {
        let identity = config.lambda_identity > 0.0;
        let both = |title: &str, metrics: [&'static str; 2]| {
            Chart::new(title, &[(metrics[0], "A"), (metrics[1], "B")])
        };
        let mut charts = vec![
            both("Validity of the translations", ["validity_a", "validity_b"]),
            both("Discriminators of the translations", ["d_a", "d_b"]),
            both("Reconstruction", ["reconstruction_a", "reconstruction_b"]),
            both("Identity", ["identity_a", "identity_b"]),
        ];
        charts.truncate(if identity { 4 } else { 3 });
        (charts, RoundTrip::columns(identity))
    }

    fn build(config: &CycleGanConfig, dtype: DType, device: &Device) -> Result<Self> {
        Self::new(config, dtype, device)
    }

    fn validate(config: &ConfigOf<Self>) -> Result<()> {
        config.model.validate()?;
        config.check_course()?;
        config.check_size(config.data.size, &config.model.generator, &config.model.discriminator)
    }

    fn base_rate(config: &CycleGanConfig) -> f64 {
        config.optimizer.learning_rate
    }

    fn seed(config: &CycleGanConfig) -> u64 {
        config.seed
    }

    fn train_step(&mut self, batches: &[(Tensor, Tensor)]) -> candle_core::Result<StepLosses> {
        self.train_step_on(batches)
    }

    fn vitals(&self, losses: &StepLosses) -> Vec<(&'static str, Vital)> {
        let judged = |loss: f64| Vital::judged(self.config.gan_loss, loss);
        let [into_b, into_a] = self.painted;
        NETS.into_iter().zip([into_b, into_a, judged(losses.d_a), judged(losses.d_b)]).collect()
    }

    fn recompute_blocks(&mut self, on: bool) {
        self.g_a.recompute_blocks(on);
        self.g_b.recompute_blocks(on);
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.optimizer_g.set_learning_rate(learning_rate);
        self.optimizer_d.set_learning_rate(learning_rate);
    }

    /// In the order of [`NETS`].
    fn stores(&self) -> Vec<(&'static str, &ParamStore)> {
        NETS.into_iter().zip(&self.stores).collect()
    }

    fn optimizers(&self) -> Vec<(&'static str, &Adam)> {
        vec![("G", &self.optimizer_g), ("D", &self.optimizer_d)]
    }

    fn optimizers_mut(&mut self) -> Vec<(&'static str, &mut Adam)> {
        vec![("G", &mut self.optimizer_g), ("D", &mut self.optimizer_d)]
    }

    fn pools(&self) -> Vec<(&'static str, &ImagePool)> {
        POOLS.into_iter().zip(&self.pools).collect()
    }

    fn pools_mut(&mut self) -> Vec<(&'static str, &mut ImagePool)> {
        POOLS.into_iter().zip(&mut self.pools).collect()
    }

    fn noise(&self) -> &SharedRng {
        &self.noise
    }

    fn translators(&self) -> Result<Vec<Translator>> {
        self.stores[..2].iter().map(|store| Translator::copy(&self.config.generator, store)).collect()
    }

    /// Round trips, as of [`RoundTrip::sheet`].
    fn sheet(&self, pairs: &[(Tensor, Tensor)]) -> Result<Tensor> {
        let trips: Vec<_> = pairs.iter().map(|(a, b)| self.trip(a, b)).collect::<candle_core::Result<_>>()?;
        Ok(RoundTrip::sheet(&trips)?)
    }
}

/// The pools' names in a checkpoint.
const POOLS: [&str; 2] = ["pool_B", "pool_A"];

/// How many of what [`tell`] gives are losses; they come first.
const LOSSES: usize = 6;

/// The generators' losses of one batch, and how much its translations and pictures vary.
fn tell(a_to_b: &Direction, b_to_a: &Direction, a: &Tensor, b: &Tensor) -> candle_core::Result<[Tensor; 10]> {
    let zero = a_to_b.validity.zeros_like()?;
    let identity = |d: &Direction| d.identity.clone().unwrap_or_else(|| zero.clone());
    Ok([
        a_to_b.validity.clone(),
        b_to_a.validity.clone(),
        a_to_b.reconstruction.clone(),
        b_to_a.reconstruction.clone(),
        identity(a_to_b),
        identity(b_to_a),
        spread(&a_to_b.fake)?,
        spread(b)?,
        spread(&b_to_a.fake)?,
        spread(a)?,
    ])
}

fn l1(x: &Tensor, y: &Tensor) -> candle_core::Result<Tensor> {
    (x - y)?.abs()?.mean_all()
}
