//! `gdl text report`: how much of what a model writes it has by heart.

use super::{
    super::{Context, values},
    corpus, load,
    sampling::SamplingArgs,
};
use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use gdl_text::{Copied, GenerateConfig, TextModel};
use serde::Serialize;
use std::{
    fs,
    io::{self, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Flags of `gdl text report`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct ReportArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The text that it was trained on [default: from where it was then]
    #[arg(value_name = "CORPUS")]
    corpus: Option<String>,
    /// Look at these texts instead of writing some: a text file is one; of a .jsonl file, each line's "text" is. May be
    /// given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["samples", "length", "prompt", "batch", "seed"])]
    from: Vec<PathBuf>,
    /// Number of texts to write
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = values::count)]
    samples: usize,
    /// Number of tokens of each
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = values::count)]
    length: usize,
    /// Text to go on from [default: a line end]
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Texts written side by side
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = values::count)]
    batch: usize,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Print one JSON object per text, with the passage as a whole; those of kind "held-out" are for comparison
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// Characters of a passage in the table.
const SHOWN: usize = 70;

pub(super) fn report(args: &ReportArgs, context: &Context) -> Result<()> {
    let model = load(&args.run, args.last, context)?;
    let mark = &model.config().corpus;
    if args.corpus.is_none() && mark.is_unknown() {
        let run = args.run.display();
        bail!(
            "{run}: was imported, and does not say what it was trained on; name the text: gdl text report {run} CORPUS"
        );
    }
    let corpus = corpus(args.corpus.as_deref().unwrap_or(&mark.origin), model.config().reading.clone())?;
    let texts = match args.from.as_slice() {
        [] => write(args, &model)?,
        files => files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?.concat(),
    };
    let report = model.copies(&texts, &corpus)?;
    let mut out = io::stdout().lock();
    if args.json {
        for (kind, texts) in [("sample", &report.samples), ("held-out", &report.held_out)] {
            for (number, copied) in texts.iter().enumerate() {
                writeln!(out, "{}", serde_json::to_string(&Line { kind, number, copied })?)?;
            }
        }
        return Ok(());
    }
    writeln!(out, "sample  tokens  copied   share  longest passage that is in the training text")?;
    for (number, Copied { tokens, copied, passage }) in report.samples.iter().enumerate() {
        let share = 100.0 * *copied as f64 / (*tokens).max(1) as f64;
        let mut shown: String = passage.chars().take(SHOWN).collect();
        if shown.len() < passage.len() {
            shown.push('…');
        }
        writeln!(out, "{number:>6}  {tokens:>6}  {copied:>6}  {share:>5.1}%  {shown:?}")?;
    }
    for (what, texts) in [("samples", &report.samples), ("held-out text", &report.held_out)] {
        let lengths: Vec<usize> = texts.iter().map(|text| text.copied).collect();
        let Some(most) = lengths.iter().max() else {
            writeln!(out, "{what}: none that is as long")?;
            continue;
        };
        let (n, mean) = (lengths.len(), lengths.iter().sum::<usize>() as f64 / lengths.len() as f64);
        writeln!(out, "{what}: {n} of them, copied {mean:.1} tokens on average, {most} at most")?;
    }
    Ok(())
}

/// A row of the table as JSON.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    number: usize,
    #[serde(flatten)]
    copied: &'a Copied,
}

fn write(args: &ReportArgs, model: &TextModel) -> Result<Vec<String>> {
    let config = GenerateConfig {
        prompt: args.prompt.clone(),
        length: args.length,
        sampling: args.sampling.config(),
        seed: args.seed,
        ..GenerateConfig::default()
    };
    let mut texts = Vec::new();
    model.writer(&config)?.samples(0..args.samples, args.batch, |sample| {
        texts.push(sample.text);
        ControlFlow::Continue(())
    })?;
    Ok(texts)
}

/// The texts of a file.
fn read(file: &Path) -> Result<Vec<String>> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name} as UTF-8 text"))?;
    if file.extension().is_none_or(|extension| extension != "jsonl") {
        return Ok(vec![text]);
    }
    let mut texts = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value = serde_json::from_str::<serde_json::Value>(line).ok();
        let text = value.as_ref().and_then(|value| value.get("text")).and_then(|text| text.as_str());
        ensure!(text.is_some(), "{name}: line {} is no JSON object with a \"text\"", i + 1);
        texts.extend(text.map(str::to_string));
    }
    Ok(texts)
}
