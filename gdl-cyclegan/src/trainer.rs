use crate::{
    CycleGan, DataSpec, Error, ImagePool, Length, LrPolicy, NETS, Pretrained, Result, RoundTrip, StepLosses,
    TrainerConfig, UnalignedData,
};
use candle_core::{DType, Device, Tensor};
use gdl_image_io::save_image;
use gdl_kernels::rng::RngState;
use gdl_train::{Checkpoint, MetricsLog, OnExisting, Plateau, RunDir, Schedule, Tensors};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its number, counted from 1.
    pub step: u64,
    /// How many there are to be.
    pub total: u64,
    /// The epoch it belongs to, counted from 0.
    pub epoch: u64,
    /// The learning rate it was taken with.
    pub learning_rate: f64,
    /// The losses before it.
    pub losses: StepLosses,
}

/// What [`Trainer::run`] tells as it goes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A step has been taken.
    Step(Step),
    /// A sheet of samples has been written.
    Samples(PathBuf),
    /// A checkpoint has been written, after so many steps.
    Checkpoint(u64),
}

/// Trains a [`CycleGan`], with or without a run directory to keep it in.
///
/// A run directory is that of [`RunDir`]; the weights have the reference's names behind the network's (`net_G_A.model.1.weight`),
/// and `samples/step-N.png` are sheets as of [`RoundTrip::sheet`]. Stopped after N steps and resumed for M, a training
/// gives exactly what N+M steps at once give, on the same machine and device.
///
/// # Example
/// ```
/// use candle_core::Device;
/// use gdl_cyclegan::{Event, Length, Trainer, TrainerConfig};
/// use std::ops::ControlFlow;
/// # use gdl_cyclegan::{DiscriminatorConfig, GeneratorConfig};
///
/// let mut config = TrainerConfig::demo();
/// config.length = Length::Steps(2);
/// # config.data.size = 16;
/// # config.data.builtin_count = 2;
/// # config.model.generator = GeneratorConfig::resnet(0).base_channels(2);
/// # config.model.discriminator = DiscriminatorConfig::basic(3).base_channels(2).n_layers(1);
/// let mut trainer = Trainer::new(config, &Device::Cpu)?;
/// trainer.run(|event| {
///     if let Event::Step(step) = event {
///         println!("{}/{}: reconstruction {:.3}", step.step, step.total, step.losses.reconstruction());
///     }
///     ControlFlow::Continue(())
/// })?;
/// let sheet = gdl_cyclegan::RoundTrip::sheet(&trainer.samples(2)?)?;
/// # assert_eq!(sheet.dim(0)?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    config: TrainerConfig,
    model: CycleGan,
    data: UnalignedData,
    schedule: Schedule,
    course: Course,
    device: Device,
    step: u64,
    run: Option<(RunDir, MetricsLog)>,
}

/// What a checkpoint holds beside weights, moments and images. The place in the data follows from the step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    noise: RngState,
    pools: [RngState; 2],
    #[serde(default)]
    course: Course,
}

/// The learning rate's dependence on the losses, for [`LrPolicy::Plateau`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Course {
    plateau: Plateau,
    /// The generators' losses of the epoch so far, and how many.
    sum: f64,
    count: u64,
}

impl Course {
    /// Takes the loss of a step, and with an epoch's last step the mean of them all.
    fn observe(&mut self, loss: f64, epoch_ends: bool) {
        self.sum += loss;
        self.count += 1;
        if epoch_ends {
            self.plateau.observe(self.sum / self.count as f64);
            (self.sum, self.count) = (0.0, 0);
        }
    }
}

const POOLS: [&str; 2] = ["pool_B", "pool_A"];

impl Trainer {
    /// A training that is kept in memory alone.
    ///
    /// # Errors
    /// When a setting is out of its range, or the data cannot be found.
    pub fn new(config: TrainerConfig, device: &Device) -> Result<Self> {
        config.validate()?;
        let data = UnalignedData::open(&config.data, config.model.seed)?;
        let model = CycleGan::new(&config.model, DType::F32, device)?;
        let schedule = config.schedule();
        let course = Course::default();
        Ok(Self { config, model, data, schedule, course, device: device.clone(), step: 0, run: None })
    }

    /// A training kept in a new run directory.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and where the directory holds something already or cannot be made.
    pub fn create(
        dir: impl AsRef<Path>,
        config: TrainerConfig,
        on_existing: OnExisting,
        device: &Device,
    ) -> Result<Self> {
        Self::create_with(dir.as_ref(), config, on_existing, device, |_| Ok(()))
    }

    fn create_with(
        dir: &Path,
        mut config: TrainerConfig,
        on_existing: OnExisting,
        device: &Device,
        begin: impl FnOnce(&CycleGan) -> Result<()>,
    ) -> Result<Self> {
        // Resumed from another directory, the run must find the same pictures.
        for spec in [&mut config.data.a, &mut config.data.b] {
            if let DataSpec::Folder(path) = spec {
                *path = std::path::absolute(&*path).map_err(|source| Error::Io {
                    action: "find",
                    path: path.clone(),
                    source,
                })?;
            }
        }
        let mut trainer = Self::new(config, device)?;
        begin(&trainer.model)?;
        let run = RunDir::create(dir, &trainer.config, on_existing)?;
        let metrics = run.metrics();
        trainer.run = Some((run, metrics));
        Ok(trainer)
    }

    /// A training kept in a new run directory that begins with given networks. The configuration must have been
    /// [configured](Pretrained::configure) for them.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), and when the weights do not fit; then no directory is made.
    pub fn create_from(
        dir: impl AsRef<Path>,
        config: TrainerConfig,
        pretrained: &Pretrained,
        on_existing: OnExisting,
        device: &Device,
    ) -> Result<Self> {
        Self::create_with(dir.as_ref(), config, on_existing, device, |model| pretrained.load_into(model))
    }

    /// Goes on from the last checkpoint of a run directory.
    ///
    /// # Errors
    /// When the directory is no run, its data are no longer there, or the checkpoint is broken or does not fit.
    pub fn resume(dir: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let run = RunDir::open(dir)?;
        let mut trainer = Self::new(run.config()?, device)?;
        trainer.restore(&run.load_checkpoint(device)?, &run.weights_path())?;
        let mut metrics = run.metrics();
        metrics.truncate_after(trainer.step)?;
        trainer.run = Some((run, metrics));
        Ok(trainer)
    }

    /// The configuration.
    pub fn config(&self) -> &TrainerConfig {
        &self.config
    }

    /// The networks.
    pub fn model(&self) -> &CycleGan {
        &self.model
    }

    /// Steps taken so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Steps there are to be.
    pub fn total_steps(&self) -> u64 {
        match self.config.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => (epochs * self.data.epoch_len()).div_ceil(self.config.batch as u64),
        }
    }

    /// Takes the next step, and writes nothing.
    ///
    /// # Errors
    /// When a picture cannot be read, and [`Error::NotFinite`] when a loss is no number any more.
    pub fn train_step(&mut self) -> Result<Step> {
        let first = self.step * self.config.batch as u64;
        let epoch = first / self.data.epoch_len();
        let place = match self.config.length {
            Length::Steps(_) => self.step,
            Length::Epochs(_) => epoch,
        };
        let factor = self.schedule.factor(place) * self.course.plateau.current();
        let learning_rate = self.config.model.optimizer.learning_rate * factor;
        self.model.set_learning_rate(learning_rate);
        let (a, b) = self.data.batch(first, self.config.batch)?;
        let losses = self.model.train_step(&a.to_device(&self.device)?, &b.to_device(&self.device)?)?;
        let step = self.step + 1;
        for (loss, value) in losses.named() {
            if !value.is_finite() {
                return Err(Error::NotFinite { step, loss, value });
            }
        }
        self.step = step;
        if self.config.lr_policy == LrPolicy::Plateau {
            let next = step * self.config.batch as u64 / self.data.epoch_len();
            self.course.observe(losses.generator(), next > epoch);
        }
        Ok(Step { step, total: self.total_steps(), epoch, learning_rate, losses })
    }

    /// Trains to the end, or until `observer` breaks; either way what has been done is in a checkpoint then.
    ///
    /// With a run directory each step is logged, and samples and checkpoints are written as the configuration says.
    ///
    /// # Errors
    /// Those of [`train_step`](Self::train_step), and when the directory cannot be written.
    pub fn run(&mut self, mut observer: impl FnMut(&Event) -> ControlFlow<()>) -> Result<()> {
        let total = self.total_steps();
        let mut saved = None;
        while self.step < total {
            let step = self.train_step()?;
            if let Some((_, metrics)) = &mut self.run {
                let mut values = step.losses.named().to_vec();
                values.extend([("learning_rate", step.learning_rate), ("epoch", step.epoch as f64)]);
                metrics.append(step.step, &values)?;
            }
            let mut go_on = observer(&Event::Step(step)).is_continue();
            let due = |every: u64| every > 0 && step.step.is_multiple_of(every);
            let last_samples = self.config.sample_every > 0 && step.step == total;
            if (due(self.config.sample_every) || last_samples)
                && let Some(path) = self.write_samples()?
            {
                go_on &= observer(&Event::Samples(path)).is_continue();
            }
            if due(self.config.checkpoint_every) && self.save()? {
                saved = Some(step.step);
                go_on &= observer(&Event::Checkpoint(step.step)).is_continue();
            }
            if !go_on {
                break;
            }
        }
        if saved != Some(self.step) && self.save()? {
            let _ = observer(&Event::Checkpoint(self.step));
        }
        Ok(())
    }

    /// Round trips of `count` pairs of pictures: of scenes not trained on for the built-in domains, else of the first samples.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub fn samples(&self, count: usize) -> Result<Vec<RoundTrip>> {
        self.data
            .shown(count)?
            .into_iter()
            .map(|(a, b)| {
                let batch = |x: &Tensor| x.unsqueeze(0)?.to_device(&self.device);
                Ok(self.model.round_trip(&batch(&a)?, &batch(&b)?)?)
            })
            .collect()
    }

    fn write_samples(&self) -> Result<Option<PathBuf>> {
        let Some((run, _)) = &self.run else { return Ok(None) };
        let folder = run.path().join("samples");
        std::fs::create_dir_all(&folder).map_err(|source| Error::Io {
            action: "create",
            path: folder.clone(),
            source,
        })?;
        let path = folder.join(format!("step-{:08}.png", self.step));
        save_image(&RoundTrip::sheet(&self.samples(4)?)?, &path)?;
        Ok(Some(path))
    }

    /// Writes a checkpoint; false when there is no run directory.
    ///
    /// # Errors
    /// When it cannot be written; then the last one is still in place.
    pub fn save(&self) -> Result<bool> {
        let Some((run, _)) = &self.run else { return Ok(false) };
        let model = &self.model;
        let weights = model.stores().flat_map(|(net, store)| {
            store.tensors().into_iter().map(move |(key, tensor)| (format!("{net}.{key}"), tensor))
        });
        let states = model.pools.each_ref().map(ImagePool::state);
        let state = State {
            noise: model.noise.state(),
            pools: states.each_ref().map(|(_, rng)| rng.clone()),
            course: self.course.clone(),
        };
        let mut checkpoint = Checkpoint::new(self.step, weights.collect())
            .with_optimizer("G", &model.optimizer_g)?
            .with_optimizer("D", &model.optimizer_d)?
            .with_state(&state)?;
        for (name, (images, _)) in POOLS.into_iter().zip(states) {
            let named = images.into_iter().enumerate().map(|(i, image)| (format!("{i:06}"), image));
            checkpoint = checkpoint.with_tensors(name, named.collect());
        }
        run.save_checkpoint(&checkpoint)?;
        Ok(true)
    }

    fn restore(&mut self, checkpoint: &Checkpoint, path: &Path) -> Result<()> {
        load_nets(path, &checkpoint.weights, self.model.stores(), true)?;
        checkpoint.restore_optimizer("G", &mut self.model.optimizer_g)?;
        checkpoint.restore_optimizer("D", &mut self.model.optimizer_d)?;
        let state: State = checkpoint.state()?;
        self.model.noise.set_state(&state.noise)?;
        for ((pool, name), rng) in self.model.pools.iter_mut().zip(POOLS).zip(&state.pools) {
            let images = checkpoint.tensors.get(name).into_iter().flat_map(|images| images.values());
            let images: Vec<_> =
                images.map(|image| image.to_device(&self.device)).collect::<candle_core::Result<_>>()?;
            pool.set_state(images, rng)?;
        }
        self.course = state.course;
        self.step = checkpoint.step;
        Ok(())
    }
}

/// Gives networks their weights out of one file's tensors. With `all`, none may be left over.
pub(crate) fn load_nets<'a>(
    path: &Path,
    weights: &Tensors,
    nets: impl Iterator<Item = (&'static str, &'a gdl_train::ParamStore)>,
    all: bool,
) -> Result<()> {
    let net_of = |key: &str| NETS.into_iter().find(|net| key.starts_with(&format!("{net}.")));
    if all && let Some(key) = weights.keys().find(|key| net_of(key).is_none()) {
        let message = format!("the tensor {key} belongs to no network (expected {})", NETS.join(", "));
        return Err(Error::Checkpoint { path: path.to_path_buf(), message });
    }
    for (net, store) in nets {
        let part = weights
            .iter()
            .filter_map(|(key, tensor)| {
                let key = key.strip_prefix(net)?.strip_prefix('.')?;
                Some((key.to_string(), tensor.clone()))
            })
            .collect();
        store.load_tensors(&format!("{} ({net})", path.display()), &part)?;
    }
    Ok(())
}
