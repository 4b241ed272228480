//! `gdl seq2seq run`.

use super::{load, maps, writing::WritingArgs};
use crate::{
    commands::{Context, values},
    console::UsageError,
};
use anyhow::Result;
use clap::Args;
use gdl_text::seq2seq::{Model, WriteConfig, Written, lines};
use gdl_text::{AttentionMap, Error};
use std::{
    fs::File,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::PathBuf,
};

/// Lines that are read before anything is written, where nobody waits for an answer to each.
const CHUNK: usize = 1024;

/// Flags of `gdl seq2seq run`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct RunArgs {
    /// A run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A file with a text in each line, or - for standard input; an empty line gives an empty line
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// Write the N likeliest texts that the beams find for each source, those of one source in lines behind each other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count, requires = "beam")]
    n_best: usize,
    /// Write where the model looked: to a page to hover over (.html) or a picture (.png; one for each text)
    #[arg(long, value_name = "OUT.html|OUT.png")]
    attention_map: Option<PathBuf>,
    /// Take the weights of the last checkpoint instead of those with the least validation loss
    #[arg(long)]
    last: bool,
    /// Print one JSON object per text: source, text, tokens, log-probability and score
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    writing: WritingArgs,
}

/// What is peculiar about sources, counted.
#[derive(Debug, Default)]
struct Peculiar {
    longer: usize,
    all_unknown: usize,
    empty: usize,
}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<()> {
    if let Some(path) = &args.attention_map
        && !path.extension().is_some_and(|end| end == "html" || end == "png")
    {
        let message = format!("--attention-map {}: must end in .html or .png", path.display());
        return Err(UsageError(message).into());
    }
    let model = load(&args.run, args.last, context)?;
    let config = WriteConfig { attention: args.attention_map.is_some(), ..args.writing.config(args.n_best) };
    let (mut maps, mut peculiar) = (Vec::new(), Peculiar::default());
    in_chunks(&args.file, |sources| {
        for source in sources {
            peculiar.look_at(&model, source)?;
        }
        let written = model.write(sources, &config)?;
        print(args, sources, &written)?;
        maps.extend(written.into_iter().flatten().filter_map(|written| written.attention));
        Ok(())
    })?;
    peculiar.say(&model, context);
    match &args.attention_map {
        Some(path) => keep_maps(&maps, path, context),
        None => Ok(()),
    }
}

/// Reads the lines of a file, or of standard input, and gives them on: one by one to somebody who waits for an answer to each, else many at a
/// time.
pub(in crate::commands) fn in_chunks(
    name: &str,
    mut each: impl FnMut(&[String]) -> Result<()>,
) -> Result<()> {
    let terminal = name == "-" && io::stdin().is_terminal();
    let mut input: Box<dyn BufRead> = match name {
        "-" => Box::new(io::stdin().lock()),
        path => {
            let file = File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
            Box::new(io::BufReader::new(file))
        }
    };
    let mut before = 0;
    loop {
        let chunk = chunk(&mut input, if terminal { 1 } else { CHUNK }, name)?;
        if chunk.is_empty() {
            return Ok(());
        }
        let texts = lines(name, chunk.as_slice()).map_err(|e| shifted(e, before))?;
        before += texts.len() as u64;
        each(&texts)?;
    }
}

/// At most so many lines, with their ends.
fn chunk(input: &mut dyn BufRead, most: usize, origin: &str) -> Result<Vec<u8>> {
    /// A line is not longer than this: what is, is no line of text.
    const LONGEST: u64 = 1 << 20;
    let mut chunk = Vec::new();
    for _ in 0..most {
        let before = chunk.len();
        let mut line = Read::take(&mut *input, LONGEST);
        line.read_until(b'\n', &mut chunk).map_err(|source| Error::Read { path: origin.into(), source })?;
        let read = chunk.len() - before;
        if read as u64 == LONGEST && chunk.last() != Some(&b'\n') {
            anyhow::bail!("{origin}: a line is longer than 1 MiB; a text in each line is expected");
        }
        if read == 0 {
            break;
        }
    }
    Ok(chunk)
}

/// A line's number in the file instead of in its chunk.
fn shifted(error: Error, before: u64) -> Error {
    match error {
        Error::Table { origin, line, message } => Error::Table { origin, line: line + before, message },
        error => error,
    }
}

fn print(args: &RunArgs, sources: &[String], written: &[Vec<Written>]) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (source, written) in sources.iter().zip(written) {
        for written in written {
            if args.json {
                let line = serde_json::json!({ "source": source, "written": written });
                writeln!(out, "{line}")?;
            } else {
                writeln!(out, "{}", written.text)?;
            }
        }
    }
    Ok(out.flush()?)
}

fn keep_maps(maps: &[AttentionMap], path: &std::path::Path, context: &Context) -> Result<()> {
    if maps.is_empty() {
        context.verbosity.say("there was nothing to read, and so there is no map");
        return Ok(());
    }
    let kept = maps::keep(maps, path)?;
    context.verbosity.say(format_args!("{}: where the model looked, {kept} text(s)", path.display()));
    Ok(())
}

impl Peculiar {
    fn look_at(&mut self, model: &Model, source: &str) -> Result<()> {
        let report = model.inspect(source)?;
        self.longer += usize::from(report.longer);
        self.empty += usize::from(report.tokens == 0);
        self.all_unknown += usize::from(report.tokens > 0 && report.unknown == report.tokens);
        Ok(())
    }

    fn say(&self, model: &Model, context: &Context) {
        let say = context.verbosity;
        if self.longer > 0 {
            let longest = model.longest_source();
            say.say(format_args!(
                "{} source(s) have more than the {longest} tokens of the longest that the model learned from: expect less of them",
                self.longer
            ));
        }
        if self.all_unknown > 0 {
            say.say(format_args!("{} source(s) have no token that the model knows", self.all_unknown));
        }
        if self.empty > 0 {
            say.say(format_args!("{} source(s) are empty, and so is what is written for them", self.empty));
        }
    }
}
