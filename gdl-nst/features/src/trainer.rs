use crate::TrainConfig;
use crate::classify::Questions;
use crate::distil::Teacher;
use crate::learner::{Learner, fold};
use crate::material::{self, Picture};
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use gdl_kernels::read_one;
use gdl_kernels::rng::Rng;
use gdl_train::{
    Adam, AdamConfig, Brake, Checkpoint, Gradients, MetricsLog, OnExisting, Optimizer, ParamStore, RunDir,
    Schedule,
};
use gdl_vgg::{Preprocess, VggWeights};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Where the parameters of what is thrown away afterwards are.
const AIDS: &str = "aids";

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The step just done, from 1.
    pub step: u64,
    /// What was minimised.
    pub loss: f64,
    /// With a teacher the loss of the kernels; without, the part of the textures that were told rightly.
    pub score: f64,
}

/// The training of a network, kept in a run directory.
///
/// The pictures and positions of a step come from the seed and the step's number alone, so a run that is broken off and resumed
/// goes on as if it had not been.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    run: RunDir,
    log: MetricsLog,
    store: ParamStore,
    adam: Adam,
    schedule: Schedule,
    learner: Learner,
    preprocess: Preprocess,
    lesson: Lesson,
    step: u64,
}

#[derive(Debug)]
enum Lesson {
    Distil(Teacher),
    Classify(Questions),
}

impl Trainer {
    /// A new run.
    ///
    /// # Errors
    /// A setting out of range, a teacher that cannot be read, a directory that holds something already.
    pub fn create(config: TrainConfig, dir: &Path, on_existing: OnExisting) -> Result<Self> {
        config.check()?;
        let mut config = config;
        if let Some(teacher) = &mut config.teacher {
            *teacher = std::path::absolute(&teacher)?;
        }
        Self::build(config, |config| Ok(RunDir::create(dir, config, on_existing)?))
    }

    /// A run that goes on from its last checkpoint.
    ///
    /// # Errors
    /// When the directory holds no run with a checkpoint.
    pub fn resume(dir: &Path) -> Result<Self> {
        let run = RunDir::open(dir)?;
        let config: TrainConfig = run.config()?;
        config.check()?;
        let mut trainer = Self::build(config, |_| Ok(run))?;
        let checkpoint = trainer.run.load_checkpoint(&Device::Cpu)?;
        trainer.store.load_tensors(&dir.display().to_string(), &checkpoint.weights)?;
        checkpoint.restore_optimizer("adam", &mut trainer.adam)?;
        trainer.step = checkpoint.step;
        trainer.log.truncate_after(checkpoint.step)?;
        Ok(trainer)
    }

    fn build(config: TrainConfig, run: impl FnOnce(&TrainConfig) -> Result<RunDir>) -> Result<Self> {
        let store = ParamStore::new(DType::F32, &Device::Cpu, config.seed);
        let learner = Learner::new(&config.network(), &store.vb())?;
        let aids = store.vb().pp(AIDS);
        let lesson = match &config.teacher {
            Some(file) => {
                let weights = VggWeights::open(file).context("--teacher")?;
                Lesson::Distil(Teacher::new(&config, &weights, &aids)?)
            }
            None => Lesson::Classify(Questions::new(&config, &aids)?),
        };
        let run = run(&config)?;
        let adam = Adam::new(store.trainable(), AdamConfig::default())?;
        let warm = 50.min(config.steps / 4);
        let fall = Schedule::Cosine { steps: config.steps - warm, floor: 0.01 };
        let schedule = Schedule::Warmup { steps: warm, then: Box::new(fall) };
        let (log, preprocess) = (run.metrics(), Preprocess::torchvision());
        Ok(Self { config, run, log, store, adam, schedule, learner, preprocess, lesson, step: 0 })
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Weights of the network alone.
    pub fn parameters(&self) -> usize {
        self.store.subset("features").iter().map(|(_, v)| v.elem_count()).sum()
    }

    /// Takes one step; None when all are done.
    ///
    /// # Errors
    /// When the loss is not finite, or something cannot be computed.
    pub fn step(&mut self) -> Result<Option<Step>> {
        let config = &self.config;
        if self.step >= config.steps {
            return Ok(None);
        }
        let mut rng = Rng::stream(config.seed, &format!("step {}", self.step));
        let pictures: Vec<Picture> = (0..config.batch)
            .map(|_| material::draw(&mut rng, config.size))
            .collect::<candle_core::Result<_>>()?;
        let images: Vec<_> = pictures.iter().map(|p| p.image.clone()).collect();
        let images = Tensor::stack(&images, 0)?;
        let x = self.preprocess.apply(&images)?;
        // Towards the end as it will be used: by statistics that no longer depend on the pictures of the step.
        let by_batch = self.step < config.steps * 3 / 5;
        let (loss, score) = match &self.lesson {
            Lesson::Distil(teacher) => {
                let features = self.learner.features(&x, teacher.taps(), by_batch)?;
                teacher.loss(&images, &features, config.positions, &mut rng)?
            }
            Lesson::Classify(questions) => {
                let features = self.learner.features(&x, questions.taps(), by_batch)?;
                questions.loss(&pictures, &features)?
            }
        };
        let mut gradients = Gradients::default();
        gradients.backward(&loss)?;
        self.adam.set_learning_rate(config.learning_rate * self.schedule.factor(self.step));
        self.adam.step_taking_braked(&mut gradients, &Brake::where_finite(&loss)?)?;
        let value = read_one(&loss)?;
        ensure!(value.is_finite(), "step {}: the loss is {value}: try a lower learning rate", self.step + 1);
        self.step += 1;
        self.log.append(self.step, &[("loss", value), ("score", score)])?;
        Ok(Some(Step { step: self.step, loss: value, score }))
    }

    /// Replaces the run's checkpoint.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<()> {
        let checkpoint =
            Checkpoint::new(self.step, self.store.tensors()).with_optimizer("adam", &self.adam)?;
        Ok(self.run.save_checkpoint(&checkpoint)?)
    }

    /// The network as it stands, without what only its training needed.
    ///
    /// # Errors
    /// When its weights are not finite.
    pub fn weights(&self) -> Result<VggWeights> {
        weights_of(&self.config, &self.store.tensors())
    }
}

/// The network of a run's last checkpoint.
///
/// # Errors
/// When the directory holds no run with a checkpoint.
pub fn weights_of_run(dir: &Path) -> Result<VggWeights> {
    let run = RunDir::open(dir)?;
    let checkpoint = run.load_checkpoint(&Device::Cpu)?;
    weights_of(&run.config()?, &checkpoint.weights)
}

fn weights_of(config: &TrainConfig, tensors: &BTreeMap<String, Tensor>) -> Result<VggWeights> {
    let widths: Vec<_> = config.widths.iter().map(ToString::to_string).collect();
    let mut metadata: HashMap<_, _> = Preprocess::torchvision().to_metadata();
    metadata.insert("architecture".into(), config.arch.to_string());
    metadata.insert("widths".into(), widths.join(","));
    Ok(VggWeights::from_tensors("the trained network", fold(&config.network(), tensors)?, &metadata)?)
}
