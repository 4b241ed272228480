//! `gdl`: paint and write with generative models, from one binary.
//!
//! Flags in, library calls, progress out: everything that computes lives in the library crates.

mod cli;
mod commands;
mod console;
mod device;
mod progress;

use clap::Parser;
use std::process::ExitCode;

/// Keeps large blocks instead of returning them to the system: without it the page faults of fresh tensors cost more
/// than some of the arithmetic.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return console::usage(&error),
    };
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console::failure(&error),
    }
}
