use super::{AskConfig, Question, Trainer};
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

    /// Writes what it makes of a few validation passages after every so many steps of [`run`](Self::run); 0 means never.
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
        self.descent.checks(&self.config.training)
    }

    fn validate(&self) -> Result<Option<EvalReport>> {
        self.validate()
    }

    fn judge(&mut self, loss: f64) -> Result<bool> {
        Ok(self.descent.judge(loss))
    }

    fn is_out_of_patience(&self) -> bool {
        self.descent.judged.is_out_of_patience(self.config.training.patience)
    }

    fn best(&self) -> Option<(usize, f64)> {
        self.descent.judged.best
    }

    fn sample(&self) -> Result<String> {
        let passages: Vec<&str> = self.shown.iter().map(Question::passage).collect();
        let asked = self.model().ask(&passages, &AskConfig::default())?;
        let mut text = String::new();
        for (row, asked) in self.shown.iter().zip(&asked) {
            text += &format!("passage   {}\n", row.passage());
            for asked in asked {
                let question = asked.questions.first().map_or("", |written| written.text.as_str());
                text += &format!("asked     {question}  {}\n", asked.answer);
            }
            text += &format!("expected  {}  {}\n\n", row.question(), row.answer_text());
        }
        Ok(text.trim_end_matches('\n').to_string() + "\n")
    }

    fn open_log(&self, run: &RunDir) -> Result<RunLog> {
        let outline = Outline {
            name: "question generator".into(),
            unit: "questions".into(),
            per_step: self.config.training.batch as f64,
            charts: vec![
                Chart::new(
                    "Loss of answers and questions, nats per word of each",
                    &[("loss", "training"), ("valid_loss", "validation")],
                ),
                Chart::new(
                    "Perplexity of questions",
                    &[("perplexity", "training"), ("valid_perplexity", "validation")],
                ),
                Chart::new("Norm of the gradient", &[("grad_norm", "")]),
            ],
            columns: Vec::new(),
        };
        self.descent.open_log(run, outline, &self.config.training)
    }

    fn save(&self, run: &RunDir) -> Result<()> {
        self.save(run)
    }

    fn save_best(&self, run: &RunDir) -> Result<()> {
        self.descent.save_best(run)
    }
}
