mod best;
mod checkpoint;
mod course;
mod event;
mod guard;
mod report;

pub use best::Scored;
pub(crate) use checkpoint::load_nets;
pub use event::{Event, Step};
pub use guard::{Failure, GuardConfig, OnFailure, Rollback, Symptom, Vital};

use crate::ahead::Ahead;
use crate::method::{ConfigOf, Losses, Method, Pairs};
use crate::{CycleGan, KeepBest, Length, LrPolicy, Pix2Pix, Pretrained, Result, RoundTrip};
use best::Scorer;
use candle_core::{DType, Device, Tensor};
use course::Course;
use gdl_train::report::RunLog;
use gdl_train::{Checkpoint, OnExisting, RunDir, Schedule};
use guard::Guard;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Trains a [`CycleGan`].
pub type Trainer = Training<CycleGan>;

/// Trains a [`Pix2Pix`].
pub type Pix2PixTrainer = Training<Pix2Pix>;

/// Trains by one of the [`Method`]s, with or without a run directory to keep it in.
///
/// A run directory is that of [`RunDir`]; the weights have the reference's names behind the network's (`net_G_A.model.1.weight`),
/// and `samples/step-N.png` are sheets as of [`Method::sheet`]. A [`RunLog`] keeps the metrics and shows them with the
/// samples on `index.html`. Stopped after N steps and resumed for M, a training gives exactly what N+M steps at once give, on
/// the same machine and device. Pictures are read and augmented by a thread of their own while the step before is computed.
///
/// A step is one of the optimizers: it takes [`accumulate`](crate::TrainingConfig::accumulate) batches, and all that counts steps
/// counts these. A training in which a number is no longer finite or a network collapses goes back to its last good state, or
/// stops, as [`GuardConfig`] says.
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
pub struct Training<M: Method> {
    config: ConfigOf<M>,
    model: M,
    data: Arc<M::Data>,
    ahead: Ahead,
    schedule: Schedule,
    course: Course,
    guard: Guard,
    /// The last good state, to go back to.
    good: Option<Checkpoint>,
    scorer: Option<Scorer>,
    device: Device,
    step: u64,
    run: Option<(RunDir, RunLog)>,
}

impl<M: Method> Training<M> {
    /// A training that is kept in memory alone.
    ///
    /// # Errors
    /// When a setting is out of its range, or the data cannot be found.
    pub fn new(config: ConfigOf<M>, device: &Device) -> Result<Self> {
        M::validate(&config)?;
        let data = Arc::new(M::Data::open(&config.data, M::seed(&config.model))?);
        let mut model = M::build(&config.model, DType::F32, device)?;
        model.recompute_blocks(config.checkpoint_blocks);
        let schedule = config.schedule();
        let (course, guard) = (Course::default(), Guard::default());
        let scorer = Scorer::new::<M>(&config, device)?;
        let (ahead, device) = (Ahead::default(), device.clone());
        Ok(Self {
            config,
            model,
            data,
            ahead,
            schedule,
            course,
            guard,
            good: None,
            scorer,
            device,
            step: 0,
            run: None,
        })
    }

    /// A training kept in a new run directory.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and where the directory holds something already or cannot be made.
    pub fn create(
        dir: impl AsRef<Path>,
        config: ConfigOf<M>,
        on_existing: OnExisting,
        device: &Device,
    ) -> Result<Self> {
        Self::create_with(dir.as_ref(), config, on_existing, device, |_| Ok(()))
    }

    fn create_with(
        dir: &Path,
        mut config: ConfigOf<M>,
        on_existing: OnExisting,
        device: &Device,
        begin: impl FnOnce(&M) -> Result<()>,
    ) -> Result<Self> {
        M::Data::absolute(&mut config.data)?;
        config.keep_best.as_mut().map_or(Ok(()), KeepBest::absolute)?;
        let mut trainer = Self::new(config, device)?;
        begin(&trainer.model)?;
        let run = RunDir::create(dir, &trainer.config, on_existing)?;
        let log = trainer.open_log(&run)?;
        trainer.run = Some((run, log));
        Ok(trainer)
    }

    /// A training kept in a new run directory that begins with given networks. The configuration must have been
    /// [configured](Pretrained::configure) for them.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), and when the weights do not fit; then no directory is made.
    pub fn create_from(
        dir: impl AsRef<Path>,
        config: ConfigOf<M>,
        pretrained: &Pretrained,
        on_existing: OnExisting,
        device: &Device,
    ) -> Result<Self> {
        Self::create_with(dir.as_ref(), config, on_existing, device, |model| {
            pretrained.load_into(model.stores())
        })
    }

    /// Goes on from the last checkpoint of a run directory.
    ///
    /// # Errors
    /// When the directory is no run, its data are no longer there, or the checkpoint is broken or does not fit.
    pub fn resume(dir: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let run = RunDir::open(dir)?;
        let mut trainer = Self::new(run.config()?, device)?;
        trainer.restore(&run.load_checkpoint(device)?, &run.weights_path())?;
        if let Some(scorer) = &mut trainer.scorer {
            scorer.recall(&run)?;
        }
        let log = trainer.open_log(&run)?;
        trainer.run = Some((run, log));
        Ok(trainer)
    }

    /// The configuration.
    pub fn config(&self) -> &ConfigOf<M> {
        &self.config
    }

    /// The networks.
    pub fn model(&self) -> &M {
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
            Length::Epochs(epochs) => {
                (epochs * self.data.epoch_len()).div_ceil(self.config.pictures_per_step())
            }
        }
    }

    /// Takes the next step, and writes nothing.
    ///
    /// # Errors
    /// When a picture cannot be read, and [`Error::Failed`](crate::Error::Failed) when a loss is no number any more. Then nothing can be learnt any more
    /// either: it is [`run`](Self::run) that goes back to a good state.
    pub fn train_step(&mut self) -> Result<Step<M::Losses>> {
        let pictures = self.config.pictures_per_step();
        let epoch = self.step * pictures / self.data.epoch_len();
        let place = match self.config.length {
            Length::Steps(_) => self.step,
            Length::Epochs(_) => epoch,
        };
        let factor = self.schedule.factor(place) * self.course.plateau.current() * self.guard.factor();
        let learning_rate = M::base_rate(&self.config.model) * factor;
        self.model.set_learning_rate(learning_rate);
        let batches = self.batches()?;
        let losses = self.model.train_step(&batches)?;
        let step = self.step + 1;
        if let Some(failure) = self.diagnose(step, &losses)? {
            return Err(self.failed(failure));
        }
        self.step = step;
        if self.config.lr_policy == LrPolicy::Plateau {
            let next = step * pictures / self.data.epoch_len();
            self.course.observe(losses.generator(), next > epoch);
        }
        if let Some(scorer) = &mut self.scorer {
            scorer.observe(losses.generator());
        }
        Ok(Step { step, total: self.total_steps(), epoch, learning_rate, losses })
    }

    /// The batches of the next step.
    fn batches(&mut self) -> Result<Vec<(Tensor, Tensor)>> {
        let each = self.config.accumulate as u64;
        let end = self.total_steps() * each;
        (self.step * each..(self.step + 1) * each)
            .map(|number| self.ahead.batch(&self.data, number..end, self.config.batch, &self.device))
            .collect()
    }

    /// Trains to the end, or until `observer` breaks; either way what has been done is in a checkpoint then.
    ///
    /// With a run directory each step is logged, and samples, checkpoints and the best weights are written as the configuration
    /// says. When something fails, it goes back to the last good state as [`GuardConfig`] says; the log then goes on from there.
    ///
    /// # Errors
    /// When a picture cannot be read or the directory cannot be written, and [`Error::Failed`](crate::Error::Failed) when going back is not wanted or
    /// has been to no avail; then the last checkpoint is as it was.
    pub fn run(&mut self, observer: impl FnMut(&Event<M::Losses>) -> ControlFlow<()>) -> Result<()> {
        let total = self.total_steps();
        if let Some((_, log)) = &mut self.run {
            log.start(total);
        }
        let ended = self.run_to(total, observer);
        let closed = self.run.as_mut().map_or(Ok(()), |(_, log)| log.close());
        ended?;
        Ok(closed?)
    }

    fn run_to(
        &mut self,
        total: u64,
        mut observer: impl FnMut(&Event<M::Losses>) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut saved = None;
        if self.good.is_none() && self.step < total {
            self.keep_good()?;
        }
        while self.step < total {
            let step = match self.guarded_step()? {
                Ok(step) => step,
                Err(rollback) => {
                    saved = None;
                    match observer(&Event::RolledBack(rollback)) {
                        ControlFlow::Continue(()) => continue,
                        ControlFlow::Break(()) => break,
                    }
                }
            };
            let scored = self.score()?;
            if let Some((_, log)) = &mut self.run {
                let mut values = step.losses.named();
                values.extend([("learning_rate", step.learning_rate), ("epoch", step.epoch as f64)]);
                if self.guard.rollbacks() > 0 {
                    values.push(("rollbacks", f64::from(self.guard.rollbacks())));
                }
                values.extend(scored.map(|scored| (scored.metric.logged(), scored.score)));
                log.append(step.step, &values)?;
            }
            let mut go_on = observer(&Event::Step(step)).is_continue();
            if let Some(scored) = scored {
                go_on &= observer(&Event::Scored(scored)).is_continue();
            }
            let mut news = false;
            let due = |every: u64| every > 0 && step.step.is_multiple_of(every);
            let last_samples = self.config.sample_every > 0 && step.step == total;
            if (due(self.config.sample_every) || last_samples)
                && let Some(path) = self.write_samples()?
            {
                news = true;
                go_on &= observer(&Event::Samples(path)).is_continue();
            }
            if due(self.config.checkpoint_every) && self.save()? {
                (saved, news) = (Some(step.step), true);
                go_on &= observer(&Event::Checkpoint(step.step)).is_continue();
            }
            if !go_on {
                break;
            }
            if let Some((_, log)) = self.run.as_mut().filter(|_| news) {
                log.write()?;
            }
        }
        if saved != Some(self.step) && self.save()? {
            let _ = observer(&Event::Checkpoint(self.step));
        }
        Ok(())
    }
}

impl Trainer {
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
}
