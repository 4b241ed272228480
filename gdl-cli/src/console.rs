//! What the program says when something is wrong: one line, and the exit code.

use crate::interrupt::{self, Interrupted};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// The exit code of a wrong command line.
const USAGE: u8 = 2;

/// A mistake on the command line that only shows once the flags are read together.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Prints what `clap` found: help and version as they are, an error as one line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe (`gdl --help | head -1`) is no failure.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    if matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | clap::error::ErrorKind::MissingSubcommand
    ) {
        let _ = error.print();
        return ExitCode::from(USAGE);
    }
    // clap separates the message, its tip and the usage by empty lines; the message can be a list over several lines.
    let parts: Vec<&str> = text
        .split("\n\n")
        .filter(|p| !p.trim_start().starts_with("Usage:") && !p.starts_with("For more"))
        .collect();
    let line = one_line(&parts.join("; "));
    say(&format!("{}; see `{} --help`", line.trim_start_matches("error: "), command_path()));
    ExitCode::from(USAGE)
}

/// Prints an error and what caused it, on one line.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    if let Some(io) = error.downcast_ref::<io::Error>()
        && io.kind() == io::ErrorKind::BrokenPipe
    {
        // The reader has had enough; a pipe that closes is how `head` ends.
        return ExitCode::SUCCESS;
    }
    let mut line = String::new();
    for cause in error.chain() {
        // A library's message often repeats its source: say each thing once.
        let text = one_line(first_paragraph(&cause.to_string()));
        if !text.is_empty() && !line.contains(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
    }
    say(&line);
    if error.downcast_ref::<UsageError>().is_some() {
        ExitCode::from(USAGE)
    } else if error.downcast_ref::<Interrupted>().is_some() {
        ExitCode::from(interrupt::EXIT_CODE)
    } else {
        ExitCode::FAILURE
    }
}

/// candle appends a backtrace to its messages when `RUST_BACKTRACE` is set; it is no part of the message.
fn first_paragraph(text: &str) -> &str {
    let end = text.lines().take_while(|l| !is_backtrace(l)).map(|l| l.len() + 1).sum::<usize>();
    &text[..end.min(text.len())]
}

fn is_backtrace(line: &str) -> bool {
    let line = line.trim_start();
    line.split_once(": ").is_some_and(|(n, rest)| {
        !n.is_empty()
            && n.chars().all(|c| c.is_ascii_digit())
            && (rest.contains("::") || rest.starts_with('<'))
    }) || line.starts_with("at ./")
        || line.starts_with("at /")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn say(line: &str) {
    // Nothing is left to do when even the error stream is closed.
    let _ = writeln!(io::stderr(), "gdl: {line}");
}

/// `gdl`, followed by the subcommands that were named, for pointing at the right help.
fn command_path() -> String {
    use clap::CommandFactory;
    let mut command = crate::cli::Cli::command();
    let mut path = vec!["gdl".to_string()];
    for arg in std::env::args().skip(1) {
        let Some(sub) = command.find_subcommand(&arg) else { continue };
        path.push(arg);
        command = sub.clone();
    }
    path.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_no_part_of_the_message() {
        let text = "conv2d: 3 channels, got 4\n   0: candle_core::error::Error::bt\n   1: main\n      at ./src/x.rs:3";
        assert_eq!(one_line(first_paragraph(text)), "conv2d: 3 channels, got 4");
        assert_eq!(first_paragraph("plain"), "plain");
    }
}
