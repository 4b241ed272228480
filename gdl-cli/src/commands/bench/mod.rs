//! `gdl bench`: how long one step of each training loop takes, and how much memory.

pub(crate) mod memory;
mod paint;
mod write;

use super::{Context, values};
use crate::console::UsageError;
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::time::Instant;

/// One step of a job, made ready.
type Step = Box<dyn FnMut() -> Result<()>>;

/// A job: its name, what it does, and how it is made ready for a device.
struct Job {
    name: &'static str,
    about: &'static str,
    prepare: fn(&Device) -> Result<Step>,
}

/// All jobs, under the names they have in the PyTorch script that does the same work.
const JOBS: &[Job] = &[
    Job {
        name: "cyclegan-step-resnet9-256",
        about: "a CycleGAN training step, resnet_9blocks and 70x70 PatchGAN, 256x256, batch 1",
        prepare: |device| paint::cyclegan_step(gdl_cyclegan::GeneratorConfig::resnet9(), 256, device),
    },
    Job {
        name: "cyclegan-step-resnet6-128",
        about: "the same with resnet_6blocks at 128x128",
        prepare: |device| paint::cyclegan_step(gdl_cyclegan::GeneratorConfig::resnet6(), 128, device),
    },
    Job {
        name: "cyclegan-step-unet-256",
        about: "the same with unet_256 at 256x256",
        prepare: |device| paint::cyclegan_step(gdl_cyclegan::GeneratorConfig::unet256(), 256, device),
    },
    Job {
        name: "translate-resnet9-256",
        about: "one picture of 256x256 through resnet_9blocks",
        prepare: |device| paint::translate(256, device),
    },
    Job {
        name: "translate-resnet9-512",
        about: "one picture of 512x512 through resnet_9blocks",
        prepare: |device| paint::translate(512, device),
    },
    Job {
        name: "nst-step-vgg19-256",
        about: "a step of style transfer, VGG-19 up to relu5_1, Adam, 256x256",
        prepare: |device| paint::nst_step(256, device),
    },
    Job {
        name: "nst-step-vgg19-512",
        about: "the same at 512x512",
        prepare: |device| paint::nst_step(512, device),
    },
    Job {
        name: "char-lstm-step-h128x2",
        about: "a training step of a character model, 2 x 128 LSTM, batch 50, 50 steps, 65 characters",
        prepare: |device| write::step(gdl_text::Cell::Lstm, 128, (50, 50), 65, device),
    },
    Job {
        name: "char-lstm-step-h512x2",
        about: "the same with 2 x 512 LSTM",
        prepare: |device| write::step(gdl_text::Cell::Lstm, 512, (50, 50), 65, device),
    },
    Job {
        name: "char-gru-step-h512x2",
        about: "the same with 2 x 512 GRU",
        prepare: |device| write::step(gdl_text::Cell::Gru, 512, (50, 50), 65, device),
    },
    Job {
        name: "word-lstm-step-h650x2-v10k",
        about: "a training step of a word model, 2 x 650 LSTM, batch 20, 35 steps, 10,000 words",
        prepare: |device| write::step(gdl_text::Cell::Lstm, 650, (20, 35), 10_000, device),
    },
    Job {
        name: "char-lstm-generate-h512x2-1k",
        about: "1,000 characters written by a 2 x 512 LSTM at temperature 0.8",
        prepare: |device| write::generate(512, 1000, device),
    },
];

/// Flags of `gdl bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to time; --list names the jobs
    #[arg(value_name = "JOB", required_unless_present = "list")]
    job: Option<String>,
    /// Name the jobs and stop
    #[arg(long, conflicts_with = "job")]
    list: bool,
    /// Timed steps
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = values::count)]
    runs: usize,
    /// Steps before those, which fill the caches
    #[arg(long, value_name = "N", default_value_t = 2)]
    warmup: usize,
    /// Print the result as one line of JSON
    #[arg(long)]
    json: bool,
}

/// What came of a job, under the keys of the PyTorch script.
#[derive(Debug, Serialize)]
struct Report {
    job: &'static str,
    median_ms: f64,
    min_ms: f64,
    runs: usize,
    /// The largest resident memory of the whole process, in MiB; none where the system does not say.
    peak_rss_mb: Option<u64>,
}

/// Runs `gdl bench`.
pub(crate) fn run(args: &BenchArgs, context: &Context) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let Some(name) = &args.job else {
        for job in JOBS {
            writeln!(out, "{:30} {}", job.name, job.about)?;
        }
        return Ok(());
    };
    let Some(job) = JOBS.iter().find(|job| job.name == name) else {
        return Err(UsageError(format!("there is no job {name}; `gdl bench --list` names them all")).into());
    };
    let report = measure(job, args, &context.device)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    let Report { job, median_ms, min_ms, runs, peak_rss_mb } = report;
    let memory = peak_rss_mb.map(|mb| format!(", {mb} MiB at most")).unwrap_or_default();
    writeln!(out, "{job}: median {median_ms:.2} ms, best {min_ms:.2} ms of {runs} runs{memory}")?;
    Ok(())
}

fn measure(job: &Job, args: &BenchArgs, device: &Device) -> Result<Report> {
    let mut step = (job.prepare)(device)?;
    for _ in 0..args.warmup {
        step()?;
    }
    let mut times = Vec::with_capacity(args.runs);
    for _ in 0..args.runs {
        device.synchronize()?;
        let start = Instant::now();
        step()?;
        device.synchronize()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let rounded = |ms: f64| (ms * 100.0).round() / 100.0;
    Ok(Report {
        job: job.name,
        median_ms: rounded(times[times.len() / 2]),
        min_ms: rounded(times[0]),
        runs: args.runs,
        peak_rss_mb: memory::peak_rss_mb(),
    })
}
