use crate::report;
use crate::{EvalReport, Result, StepReport, TrainConfig, Trainer};
use gdl_train::RunDir;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// What happens while [`Trainer::run`] trains.
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

/// How a call of [`Trainer::run`] ended.
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
        mut observe: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<RunSummary> {
        let began = Instant::now();
        let (first, mut tokens) = (self.steps_done(), 0);
        let mut log = dir.map(|dir| self.open_log(dir)).transpose()?;
        let (mut last, mut validation, mut stopped, mut out_of_patience) = (None, None, false, false);
        while self.steps_left() > 0 && !stopped && !out_of_patience {
            let report = self.step()?;
            let (step, done, ends_pass) = (report.step, self.steps_done() - first, report.ends_pass);
            let seconds = began.elapsed().as_secs_f64();
            if let Some(log) = &mut log {
                log.append(step as u64, &report.values())?;
            }
            tokens += report.tokens;
            last = Some(report.clone());
            stopped |= observe(&Event::Step {
                tokens_per_second: tokens as f64 / seconds,
                seconds_left: seconds / done as f64 * self.steps_left() as f64,
                report,
            })
            .is_break();

            // Where it is only stopped, it is saved as it is: to be scored out of turn could change its course.
            let ended = self.steps_left() == 0;
            if let Some((every, config)) = &self.samples
                && (step % every == 0 || ended)
            {
                let text = config.prompt.clone() + &self.generate(config, |_| ControlFlow::Continue(()))?;
                if let (Some(dir), Some(log)) = (dir, &mut log) {
                    report::write_sample(dir, log, step as u64, &text)?;
                }
                stopped |= observe(&Event::Sample { step, text }).is_break();
            }
            let TrainConfig { eval_every, eval_each_epoch, .. } = *self.config();
            let due = (eval_every > 0 && step % eval_every == 0) || (eval_each_epoch && ends_pass);
            if (due || ended)
                && let Some(report) = self.validate()?
            {
                if let Some(log) = &mut log {
                    log.append(step as u64, &report.values())?;
                }
                let best = self.judge(report.loss)?;
                if let (true, Some(dir)) = (best, dir) {
                    self.save_best(dir)?;
                }
                out_of_patience = self.is_out_of_patience();
                validation = Some(report.clone());
                stopped |= observe(&Event::Validation { step, report, best }).is_break();
            }
            if let (true, Some(dir), Some(log)) = (due || ended || stopped, dir, &mut log) {
                self.save(dir)?;
                log.write()?;
                stopped |= observe(&Event::Saved { step, path: dir.path().into() }).is_break();
            }
        }
        if let Some(log) = &mut log {
            log.close()?;
        }
        let (steps, seconds) = (self.steps_done(), began.elapsed().as_secs_f64());
        let best = self.best();
        Ok(RunSummary { steps, stopped, out_of_patience, best, last, validation, seconds })
    }
}
