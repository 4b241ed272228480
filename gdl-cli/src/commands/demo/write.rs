//! The demo's language model: a small recurrent network and the fables inside the program.

use super::Demo;
use crate::commands::text::TrainingBar;
use anyhow::Result;
use gdl_text::{
    Corpus, Event, GenerateConfig, Length, ModelConfig, Split, TokenizerConfig, TrainConfig, Trainer,
};
use gdl_train::{
    OnExisting, Schedule,
    plot::{PlotOptions, Series, line_chart_svg},
    report::Page,
};
use std::{fmt::Write, ops::ControlFlow};

/// From timid to wild.
const TEMPERATURES: [f64; 4] = [0.3, 0.5, 0.7, 1.0];
/// Thirty passes over the fables.
const STEPS: usize = 900;

/// Trains on the fables and writes at several temperatures.
pub(super) fn write(demo: &Demo<'_>, page: &mut Page) -> Result<()> {
    let config = TrainConfig {
        // Words, because so small a corpus teaches a network to spell only just.
        tokenizer: TokenizerConfig::new(gdl_text::Level::Word).lowercase(false).min_count(1),
        model: ModelConfig::new(gdl_text::Cell::Gru, 256, 1).embedding(128).dropout(0.4),
        batch: 20,
        seq: 35,
        length: Length::Steps(STEPS),
        learning_rate: 4e-3,
        schedule: Schedule::Warmup {
            steps: 20,
            then: Box::new(Schedule::Cosine { steps: STEPS as u64, floor: 0.05 }),
        },
        split: Split { valid: 0.05, test: 0.0, ..Split::default() },
        eval_every: STEPS / 6,
        seed: demo.seed,
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::new(&Corpus::fables()?, config, &demo.context.device)?;
    let run = trainer.create_run(demo.out.join("fables"), OnExisting::Overwrite)?;
    let mut bar = TrainingBar::new(demo.context, "write", trainer.steps_done() + trainer.steps_left());
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    let summary = trainer.run(Some(&run), |event| {
        bar.show(event);
        match event {
            Event::Step { report, .. } => training.push((report.step as f64, report.loss)),
            Event::Validation { step, report, .. } => validation.push((*step as f64, report.loss)),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    bar.progress.finish();

    page.section(
        "Writing",
        "A recurrent network has read the fables inside the program word by word, thirty times over, and learnt to say which \
         word comes next. Low temperatures keep to the likely, high ones dare more.",
    );
    let mut fables = String::new();
    for temperature in TEMPERATURES {
        // After an empty line comes a title.
        let prompt = "\n\n".to_string();
        let config = GenerateConfig { prompt, length: 260, seed: demo.seed, ..GenerateConfig::default() };
        let config = config.temperature(temperature);
        let text = trainer.generate(&config, |_| ControlFlow::Continue(()))?;
        let _ = writeln!(fables, "--- temperature {temperature} ---\n{}\n", text.trim());
        page.passage(&format!("temperature {temperature}"), &text);
    }
    gdl_train::atomic_write_bytes(demo.out.join("fables.txt"), &fables)?;
    page.chart(&line_chart_svg(
        "fables",
        &[Series::new("training", training).smooth(10), Series::new("validation", validation)],
        &PlotOptions { y_label: "loss, nats per word".into(), ..PlotOptions::default() },
    ));
    if let Some(report) = summary.validation {
        demo.context.verbosity.say(format_args!("fables: validation loss {:.3}", report.loss));
    }
    page.command("Write more:", &format!("gdl text generate {} --temperature 0.6", run.path().display()));
    Ok(())
}
