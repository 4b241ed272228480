use crate::report;
use crate::{EvalReport, GenerateConfig, Result, StepReport, TrainConfig, Trainer};
use gdl_train::RunDir;
use gdl_train::report::RunLog;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// What happens while a trainer runs, this crate's or that of its [`seq2seq`](crate::seq2seq) module.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A step was done.
    Step {
        /// Its figures.
        report: StepReport,
        /// Tokens read per second since the run began or went on, all else that takes time included.
        tokens_per_second: f64,
        /// Seconds left at that rate.
        seconds_left: f64,
    },
    /// The validation part was scored.
    Validation {
        /// Steps done.
        step: usize,
        /// The figures.
        report: EvalReport,
        /// Whether its loss is the least so far.
        best: bool,
    },
    /// A sample was written.
    Sample {
        /// Steps done.
        step: usize,
        /// The text, its prompt first.
        text: String,
    },
    /// A checkpoint was saved.
    Saved {
        /// Steps done.
        step: usize,
        /// The run directory.
        path: PathBuf,
    },
}

/// How a call of a trainer's `run` ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunSummary {
    /// Steps done, since the first ever.
    pub steps: usize,
    /// Whether the observer stopped it before its end.
    pub stopped: bool,
    /// Whether the validation loss had not fallen for so long that it stopped of itself ([`TrainConfig::patience`]).
    ///
    /// [`TrainConfig::patience`]: crate::TrainConfig::patience
    pub out_of_patience: bool,
    /// The least validation loss of the whole training, and after how many steps.
    pub best: Option<(usize, f64)>,
    /// The last step of this call, if there was one.
    pub last: Option<StepReport>,
    /// The last validation of this call, if there was one: that at the end, unless it was stopped before.
    pub validation: Option<EvalReport>,
    /// Seconds that this call took.
    pub seconds: f64,
}

/// When a training is looked at, in steps; 0 for only at the end, or for samples not at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checks {
    pub(crate) eval_every: usize,
    /// Whether each pass over the data is followed by a validation too.
    pub(crate) eval_each_epoch: bool,
    pub(crate) sample_every: usize,
}

/// What is trained step by step, validated, and saved so that it can go on.
pub(crate) trait Training {
    fn step(&mut self) -> Result<StepReport>;
    fn steps_done(&self) -> usize;
    fn steps_left(&self) -> usize;
    fn checks(&self) -> Checks;
    /// The loss on what was kept back; none where nothing was.
    fn validate(&self) -> Result<Option<EvalReport>>;
    /// Takes a validation's loss into account: whether it is the least so far.
    fn judge(&mut self, loss: f64) -> Result<bool>;
    /// Whether the loss has not fallen for as long as the settings let it.
    fn is_out_of_patience(&self) -> bool;
    /// The least validation loss so far, and after how many steps.
    fn best(&self) -> Option<(usize, f64)>;
    /// Something that the model writes as it stands.
    fn sample(&self) -> Result<String>;
    fn open_log(&self, run: &RunDir) -> Result<RunLog>;
    fn save(&self, run: &RunDir) -> Result<()>;
    /// Keeps the weights that were scored last as the run's best.
    fn save_best(&self, run: &RunDir) -> Result<()>;
}

/// Trains to the end, or until `observe` stops it.
pub(crate) fn run(
    training: &mut impl Training,
    dir: Option<&RunDir>,
    mut observe: impl FnMut(&Event) -> ControlFlow<()>,
) -> Result<RunSummary> {
    let began = Instant::now();
    let (first, mut tokens) = (training.steps_done(), 0);
    let mut log = dir.map(|dir| training.open_log(dir)).transpose()?;
    let (mut last, mut validation, mut stopped, mut out_of_patience) = (None, None, false, false);
    while training.steps_left() > 0 && !stopped && !out_of_patience {
        let report = training.step()?;
        let (step, done, ends_pass) = (report.step, training.steps_done() - first, report.ends_pass);
        let seconds = began.elapsed().as_secs_f64();
        if let Some(log) = &mut log {
            log.append(step as u64, &report.values())?;
        }
        tokens += report.tokens;
        last = Some(report.clone());
        stopped |= observe(&Event::Step {
            tokens_per_second: tokens as f64 / seconds,
            seconds_left: seconds / done as f64 * training.steps_left() as f64,
            report,
        })
        .is_break();

        // Where it is only stopped, it is saved as it is: to be scored out of turn could change its course.
        let ended = training.steps_left() == 0;
        let Checks { eval_every, eval_each_epoch, sample_every } = training.checks();
        if sample_every > 0 && (step % sample_every == 0 || ended) {
            let text = training.sample()?;
            if let (Some(dir), Some(log)) = (dir, &mut log) {
                report::write_sample(dir, log, step as u64, &text)?;
            }
            stopped |= observe(&Event::Sample { step, text }).is_break();
        }
        let due = (eval_every > 0 && step % eval_every == 0) || (eval_each_epoch && ends_pass);
        if (due || ended)
            && let Some(report) = training.validate()?
        {
            if let Some(log) = &mut log {
                log.append(step as u64, &report.values())?;
            }
            let best = training.judge(report.loss)?;
            if let (true, Some(dir)) = (best, dir) {
                training.save_best(dir)?;
            }
            out_of_patience = training.is_out_of_patience();
            validation = Some(report.clone());
            stopped |= observe(&Event::Validation { step, report, best }).is_break();
        }
        if let (true, Some(dir), Some(log)) = (due || ended || stopped, dir, &mut log) {
            training.save(dir)?;
            log.write()?;
            stopped |= observe(&Event::Saved { step, path: dir.path().into() }).is_break();
        }
    }
    if let Some(log) = &mut log {
        log.close()?;
    }
    let (steps, seconds) = (training.steps_done(), began.elapsed().as_secs_f64());
    let best = training.best();
    Ok(RunSummary { steps, stopped, out_of_patience, best, last, validation, seconds })
}

impl Trainer {
    /// Trains to the end of the configured length, or until `observe` stops it.
    ///
    /// With a run directory ([`create_run`](Self::create_run)), every step goes into its metrics log, samples into
    /// `samples/step-N.txt`, everything onto its page (see [`RunLog`](gdl_train::report::RunLog)), and everything needed to go on
    /// is saved at each validation, at the end, and when stopped; the weights with the least validation loss stand beside it in
    /// `best.safetensors`.
    ///
    /// # Errors
    /// Those of [`step`](Self::step), [`validate`](Self::validate) and [`save`](Self::save).
    pub fn run(
        &mut self,
        dir: Option<&RunDir>,
        observe: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<RunSummary> {
        run(self, dir, observe)
    }

    /// Writes a sample after every so many steps of [`run`](Self::run), which come as [`Event::Sample`](crate::Event::Sample);
    /// 0 means never.
    pub fn sample_every(&mut self, steps: usize, config: GenerateConfig) {
        self.samples = (steps > 0).then_some((steps, config));
    }
}

impl Training for Trainer {
    fn step(&mut self) -> Result<StepReport> {
        self.step()
    }

    fn steps_done(&self) -> usize {
        self.steps_done()
    }

    fn steps_left(&self) -> usize {
        self.steps_left()
    }

    fn checks(&self) -> Checks {
        let TrainConfig { eval_every, eval_each_epoch, .. } = *self.config();
        let sample_every = self.samples.as_ref().map_or(0, |(every, _)| *every);
        Checks { eval_every, eval_each_epoch, sample_every }
    }

    fn validate(&self) -> Result<Option<EvalReport>> {
        self.validate()
    }

    fn judge(&mut self, loss: f64) -> Result<bool> {
        self.judge(loss)
    }

    fn is_out_of_patience(&self) -> bool {
        self.judged.is_out_of_patience(self.config().patience)
    }

    fn best(&self) -> Option<(usize, f64)> {
        self.best()
    }

    fn sample(&self) -> Result<String> {
        let Some((_, config)) = &self.samples else { return Ok(String::new()) };
        Ok(config.prompt.clone() + &self.generate(config, |_| ControlFlow::Continue(()))?)
    }

    fn open_log(&self, run: &RunDir) -> Result<RunLog> {
        self.open_log(run)
    }

    fn save(&self, run: &RunDir) -> Result<()> {
        self.save(run)
    }

    fn save_best(&self, run: &RunDir) -> Result<()> {
        self.judged.save_best(run, &self.scored_weights())
    }
}
