//! `gdl text generate`.

use super::{
    super::{Context, values},
    interactive::interactive,
    load,
    sampling::SamplingArgs,
};
use anyhow::Result;
use clap::{Args, ValueEnum};
use gdl_text::{
    BeamConfig, GenerateConfig, Prompt, TextModel, Writer,
    sampling::{LengthPenalty, SamplingConfig},
};
use serde::Serialize;
use std::{
    io::{self, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Flags of `gdl text generate`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct GenerateArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Text to go on from [default: a line end]
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Number of tokens to write, at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = values::count)]
    length: usize,
    /// End before this text, however tokens cut it; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    stop: Vec<String>,
    /// Write what matches this regular expression as a whole, from its first character to its last
    #[arg(long, value_name = "REGEX")]
    pattern: Option<String>,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Keep what the model has made of the prompt in this file: written if there is none; otherwise read, so that only what
    /// --prompt adds to the prompt saved there is read anew
    #[arg(long, value_name = "FILE", help_heading = "Several texts, and other ways to write")]
    state: Option<PathBuf>,
    /// Write so many texts, each from a seed of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count,
        help_heading = "Several texts, and other ways to write")]
    samples: usize,
    /// Write so many of them side by side
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = values::count,
        help_heading = "Several texts, and other ways to write")]
    batch: usize,
    /// Look for the likeliest text by beam search, with so many beams, instead of drawing
    #[arg(long, value_name = "N", value_parser = values::count, help_heading = "Several texts, and other ways to write",
        conflicts_with_all = ["samples", "temperature", "top_k", "top_p", "min_p", "typical", "seed"])]
    beams: Option<usize>,
    /// Write the N likeliest texts that the beams find
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "beams",
        help_heading = "Several texts, and other ways to write")]
    n_best: usize,
    /// Divide a beam's log-probability for its length: 0 is off, more favours longer texts
    #[arg(long, value_name = "ALPHA", default_value_t = 0.0, value_parser = values::finite, requires = "beams",
        help_heading = "Several texts, and other ways to write")]
    length_penalty: f64,
    /// By ((5 + length) / 6)^ALPHA as Wu et al. 2016, or by length^ALPHA
    #[arg(long, value_enum, default_value_t = LengthForm::Wu, requires = "beams",
        help_heading = "Several texts, and other ways to write")]
    length_form: LengthForm,
    /// Groups of beams that look for texts of their own; must divide --beams
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "beams",
        help_heading = "Several texts, and other ways to write")]
    groups: usize,
    /// What a token loses for each beam of the groups before that takes it at the same place
    #[arg(long, value_name = "X", default_value_t = 0.5, value_parser = values::non_negative, requires = "beams",
        help_heading = "Several texts, and other ways to write")]
    diversity: f64,
    /// Choose token by token: the likeliest are listed on the error stream, and each line of the standard input is the number of
    /// one, a text to go on with (behind = if it is a number), nothing to draw, or :q to end
    #[arg(long, conflicts_with_all = ["samples", "beams", "stop", "json"],
        help_heading = "Several texts, and other ways to write")]
    interactive: bool,
    /// List so many
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = values::count, requires = "interactive",
        help_heading = "Several texts, and other ways to write")]
    candidates: usize,
    /// Print one JSON object per text, with its log-probability
    #[arg(long, help_heading = "Several texts, and other ways to write")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LengthForm {
    Wu,
    Power,
}

impl GenerateArgs {
    fn config(&self) -> GenerateConfig {
        let sampling = match self.beams {
            // What beams do not look at must not be refused for their sake.
            Some(_) => SamplingConfig { temperature: 1.0, ..self.sampling.config() },
            None => self.sampling.config(),
        };
        GenerateConfig {
            prompt: self.prompt.clone(),
            length: self.length,
            sampling,
            stop: self.stop.clone(),
            pattern: self.pattern.clone(),
            seed: self.seed,
        }
    }

    fn beam_config(&self, beams: usize) -> BeamConfig {
        let length_penalty = match self.length_form {
            LengthForm::Wu => LengthPenalty::Wu(self.length_penalty),
            LengthForm::Power => LengthPenalty::Power(self.length_penalty),
        };
        let (groups, diversity) = (self.groups, self.diversity);
        BeamConfig { beams, n_best: self.n_best, length_penalty, groups, diversity }
    }
}

pub(super) fn generate(args: &GenerateArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let config = args.config();
    let writer = match &args.state {
        None => model.writer(&config)?,
        Some(file) => {
            let prompt = saved_prompt(&model, &args.prompt, file, context)?;
            model.writer_after(prompt, &config)?
        }
    };
    if args.interactive {
        interactive(&writer, args.candidates, context)
    } else if let Some(beams) = args.beams {
        search(&writer, args, &args.beam_config(beams))
    } else if args.samples > 1 || args.json {
        sample(&writer, args)
    } else {
        stream(&writer)
    }
}

/// The prompt, by its saved state as far as there is one; saved if there is none.
fn saved_prompt(model: &TextModel, prompt: &str, file: &Path, context: &Context) -> Result<Prompt> {
    if file.try_exists()? {
        let saved = model.load_prompt(file)?;
        if prompt.is_empty() {
            return Ok(saved);
        }
        let known = saved.tokens().len();
        let prompt = model.read(prompt, Some(&saved))?;
        let new = prompt.tokens().len() - known;
        context.verbosity.detail(format_args!("{}: {known} tokens known, {new} read", file.display()));
        return Ok(prompt);
    }
    let prompt = model.read(prompt, None)?;
    model.save_prompt(&prompt, file)?;
    Ok(prompt)
}

/// One text, as it comes.
fn stream(writer: &Writer<'_>) -> Result<()> {
    let mut out = io::stdout().lock();
    // The prompt is written once the first piece is there: not before an error.
    let (mut started, mut failed) = (false, Ok(()));
    writer.generate(|piece| {
        let head = if started { "" } else { writer.prompt().text() };
        started = true;
        failed = write!(out, "{head}{piece}").and_then(|()| out.flush());
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    failed?;
    let head = if started { "" } else { writer.prompt().text() };
    writeln!(out, "{head}")?;
    Ok(())
}

/// A text as JSON, its prompt beside it.
#[derive(Serialize)]
struct Line<'a, T> {
    prompt: &'a str,
    #[serde(flatten)]
    text: T,
}

/// Many texts, side by side.
fn sample(writer: &Writer<'_>, args: &GenerateArgs) -> Result<()> {
    let mut out = io::stdout().lock();
    let (prompt, mut failed) = (writer.prompt().text(), Ok(()));
    writer.samples(0..args.samples, args.batch, |sample| {
        failed = if args.json {
            print_json(&mut out, prompt, &sample)
        } else {
            let (n, tokens, log_prob) = (sample.sample, sample.tokens, sample.log_prob);
            let head = format!("--- sample {n}: {tokens} tokens, log-probability {log_prob:.2} ---");
            writeln!(out, "{head}\n{prompt}{}", sample.text).map_err(Into::into)
        };
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    failed
}

/// The likeliest texts, the best first.
fn search(writer: &Writer<'_>, args: &GenerateArgs, config: &BeamConfig) -> Result<()> {
    let mut out = io::stdout().lock();
    let prompt = writer.prompt().text();
    for (i, found) in writer.beams(config)?.into_iter().enumerate() {
        if args.json {
            print_json(&mut out, prompt, &found)?;
            continue;
        }
        if args.n_best > 1 {
            let (n, tokens, log_prob, score) = (i + 1, found.tokens, found.log_prob, found.score);
            writeln!(out, "--- {n}: {tokens} tokens, log-probability {log_prob:.4}, score {score:.4} ---")?;
        }
        writeln!(out, "{prompt}{}", found.text)?;
    }
    Ok(())
}

fn print_json(out: &mut impl Write, prompt: &str, text: &impl Serialize) -> Result<()> {
    writeln!(out, "{}", serde_json::to_string(&Line { prompt, text })?)?;
    Ok(())
}
