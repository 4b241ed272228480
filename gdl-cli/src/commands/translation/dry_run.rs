//! `--dry-run`: what a training would take.

use crate::commands::{Context, bench::memory::peak_rss_mb};
use anyhow::Result;
use gdl_cyclegan::{Losses, Method, Training};
use serde::Serialize;
use std::{collections::BTreeMap, time::Instant};

/// Steps that are timed, after one that is not.
const TIMED: u32 = 2;

/// One line of JSON on the standard output.
#[derive(Debug, Serialize)]
struct Report {
    /// Numbers that are learnt, by network.
    parameters: BTreeMap<&'static str, usize>,
    total_parameters: usize,
    /// Steps of the whole training.
    steps: u64,
    seconds_per_step: f64,
    /// Of the whole training at that pace.
    hours: f64,
    /// The most memory that the process has held, in MiB; null where the system does not tell.
    peak_rss_mb: Option<u64>,
}

/// Takes a few steps in memory and tells what the training takes. Nothing is written.
pub(crate) fn dry_run<M: Method>(mut training: Training<M>, context: &Context) -> Result<()> {
    let nets = training.model().stores();
    let parameters: BTreeMap<_, _> = nets.iter().map(|(net, store)| (*net, store.num_parameters())).collect();
    // What a training holds to go back to counts as well.
    training.keep_good()?;
    let first = training.train_step()?;
    let since = Instant::now();
    for _ in 0..TIMED {
        training.train_step()?;
    }
    let seconds_per_step = since.elapsed().as_secs_f64() / f64::from(TIMED);
    let report = Report {
        total_parameters: parameters.values().sum(),
        parameters,
        steps: first.total,
        seconds_per_step,
        hours: seconds_per_step * first.total as f64 / 3600.0,
        peak_rss_mb: peak_rss_mb(),
    };
    context.verbosity.detail(format_args!("{:#?}", training.config()));
    context.verbosity.say(format_args!("first step: {}", first.losses.summary()));
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
