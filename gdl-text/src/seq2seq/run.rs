use super::{Trainer, WriteConfig};
use crate::run::{self, Checks, Training};
use crate::{EvalReport, Event, Result, RunSummary, StepReport};
use gdl_train::RunDir;
use gdl_train::report::{Chart, Outline, RunLog};
use std::ops::ControlFlow;

impl Trainer {
    /// Trains to the end of the configured length, or until `observe` stops it.
    ///
    /// With a run directory ([`create_run`](Self::create_run)), it keeps there what the trainer of a language model
    /// ([`Trainer::run`](crate::Trainer::run)) keeps.
    ///
    /// # Errors
    /// Those of [`step`](Self::step), [`validate`](Self::validate) and [`save`](Self::save).
    pub fn run(
        &mut self,
        dir: Option<&RunDir>,
        observe: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<RunSummary> {
        run::run(self, dir, observe)
    }

    /// Writes what it makes of a few validation pairs after every so many steps of [`run`](Self::run); 0 means never.
    pub fn sample_every(&mut self, steps: usize) {
        self.descent.sample_every = steps;
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
        self.descent.checks(&self.config)
    }

    fn validate(&self) -> Result<Option<EvalReport>> {
        self.validate()
    }

    fn judge(&mut self, loss: f64) -> Result<bool> {
        Ok(self.descent.judge(loss))
    }

    fn is_out_of_patience(&self) -> bool {
        self.descent.judged.is_out_of_patience(self.config.patience)
    }

    fn best(&self) -> Option<(usize, f64)> {
        self.descent.judged.best
    }

    fn sample(&self) -> Result<String> {
        let sources: Vec<&str> = self.shown.iter().map(|(source, _)| source.as_str()).collect();
        if sources.is_empty() {
            return Ok(String::new());
        }
        let written = self.model().write(&sources, &WriteConfig::default())?;
        let lines = self.shown.iter().zip(&written).map(|((source, target), written)| {
            let written = written.first().map_or("", |written| written.text.as_str());
            format!("source   {source}\nwritten  {written}\ntarget   {target}\n")
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    fn open_log(&self, run: &RunDir) -> Result<RunLog> {
        let outline = Outline {
            name: "sequence to sequence".into(),
            unit: "pairs".into(),
            per_step: self.config.batch as f64,
            charts: vec![
                Chart::new("Loss, nats per token", &[("loss", "training"), ("valid_loss", "validation")]),
                Chart::new("Perplexity", &[("perplexity", "training"), ("valid_perplexity", "validation")]),
                Chart::new("Norm of the gradient", &[("grad_norm", "")]),
            ],
            columns: Vec::new(),
        };
        self.descent.open_log(run, outline, &self.config)
    }

    fn save(&self, run: &RunDir) -> Result<()> {
        self.save(run)
    }

    fn save_best(&self, run: &RunDir) -> Result<()> {
        self.descent.save_best(run)
    }
}
