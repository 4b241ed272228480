use crate::{Result, Trainer};
use gdl_train::report::{Chart, Outline, RunLog, Sample, sample_path};
use gdl_train::{RunDir, atomic_write_bytes};

/// Samples are files with this extension.
const EXTENSION: &str = "txt";

impl Trainer {
    /// The records of a run that has come to the present step. What was logged behind it, after the checkpoint, is about to
    /// be logged again.
    pub(crate) fn open_log(&self, run: &RunDir) -> Result<RunLog> {
        let config = self.config();
        let outline = Outline {
            name: "language model".into(),
            unit: "tokens".into(),
            per_step: (config.batch * config.seq) as f64,
            charts: vec![
                Chart::new("Loss, nats per token", &[("loss", "training"), ("valid_loss", "validation")]),
                Chart::new(
                    "Bits per character",
                    &[("bits_per_char", "training"), ("valid_bits_per_char", "validation")],
                ),
                Chart::new("Perplexity", &[("perplexity", "training"), ("valid_perplexity", "validation")]),
                Chart::new("Norm of the gradient", &[("grad_norm", "")]),
            ],
            columns: Vec::new(),
        };
        let (step, total) = (self.steps_done() as u64, (self.steps_done() + self.steps_left()) as u64);
        let mut log = RunLog::open(run, outline, config.report, &self.device, step)?;
        log.recall_samples(EXTENSION, |path| Some(Sample::Text(std::fs::read_to_string(path).ok()?)))?;
        log.start(total);
        Ok(log)
    }
}

/// Keeps what the model has written after that step, and shows it.
pub(crate) fn write_sample(run: &RunDir, log: &mut RunLog, step: u64, text: &str) -> Result<()> {
    let path = sample_path(run, step, EXTENSION)?;
    atomic_write_bytes(&path, text)?;
    log.sample(step, Sample::Text(text.to_string()))?;
    Ok(log.write()?)
}
