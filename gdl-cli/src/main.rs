//! `gdl`: paint and write with generative models, from one binary.
//!
//! Flags in, library calls, progress out: everything that computes lives in the library crates.

mod allocator;
mod cli;
mod commands;
mod console;
mod device;
mod interrupt;
mod progress;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_memory();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return console::usage(&error),
    };
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console::failure(&error),
    }
}
