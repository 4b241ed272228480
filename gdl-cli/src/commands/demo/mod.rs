//! `gdl demo`: all three jobs on data inside the program.

mod paint;
mod translate;
mod write;

use super::Context;
use anyhow::{Context as _, Result};
use clap::Args;
use gdl_train::report::Page;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// Flags of `gdl demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Directory for the page, the pictures, the fables and the trained runs
    #[arg(long, value_name = "DIR", default_value = "gdl-demo")]
    out: PathBuf,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// What the three jobs share.
#[derive(Debug)]
struct Demo<'a> {
    out: &'a Path,
    seed: u64,
    context: &'a Context,
}

/// Runs `gdl demo`.
pub(crate) fn run(args: &DemoArgs, context: &Context) -> Result<()> {
    let say = context.verbosity;
    let began = Instant::now();
    std::fs::create_dir_all(&args.out).with_context(|| {
        format!("{}: cannot make this directory; choose another --out", args.out.display())
    })?;
    let demo = Demo { out: &args.out, seed: args.seed, context };
    let mut page = Page::default();
    write::write(&demo, &mut page).context("demo, writing")?;
    paint::paint(&demo, &mut page).context("demo, painting")?;
    translate::translate(&demo, &mut page).context("demo, translating")?;
    let lead = format!(
        "Made by `gdl demo --seed {}` in {} seconds on {} threads: every text, picture and network on this page comes from \
         data inside the program.",
        args.seed,
        began.elapsed().as_secs(),
        gdl_kernels::par::threads(),
    );
    let index = args.out.join("index.html");
    page.write(&index, "gdl: paint and write", &lead)?;
    say.say(format_args!("{}: open it in a browser", index.display()));
    Ok(())
}
