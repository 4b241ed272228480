//! The jobs of `gdl bench`, each in a process of its own, in turns with a script that does the same in PyTorch.

use anyhow::{Context as _, Result, bail};
use candle_core::Device;
use serde::Deserialize;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The jobs that are compared, and the ratios to PyTorch on a GPU that they must and should have.
const JOBS: &[(&str, f64, f64)] = &[
    ("cyclegan-step-resnet9-256", 1.1, 0.7),
    ("cyclegan-step-unet-256", 1.1, 0.7),
    ("nst-step-vgg19-512", 1.1, 0.7),
    ("char-lstm-step-h512x2", 1.2, 0.8),
    ("word-lstm-step-h650x2-v10k", 1.2, 0.8),
    ("translate-resnet9-512", 1.0, 0.6),
];

/// What either of the two prints.
#[derive(Deserialize)]
struct Report {
    median_ms: f64,
}

/// Prints a table of medians and ratios.
pub(super) fn run(
    peer: Option<&Path>,
    rounds: usize,
    until: Instant,
    device: &Device,
    out: &mut impl Write,
) -> Result<()> {
    let name = crate::device::name(device);
    let torch = if name == "metal" { "mps" } else { name };
    writeln!(out)?;
    writeln!(
        out,
        "{:30} {:>10} {:>10} {:>7} {:>6} {:>5}",
        "job", "gdl ms", "peer ms", "ratio", "must", "aim"
    )?;
    let program = std::env::current_exe().context("finding this program")?;
    for &(job, must, aim) in JOBS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            if Instant::now() >= until {
                break;
            }
            ours.push(report(
                Command::new(&program)
                    .args(["bench", job, "--json", "--runs", "10", "--warmup", "5", "--device", name]),
            )?);
            if let Some(script) = peer {
                let mut python = Command::new("python3");
                python.arg(script).args([job, "--runs", "10", "--warmup", "5", "--device", torch]);
                theirs.push(report(&mut python)?);
            }
        }
        let Some(own) = median(&mut ours) else {
            writeln!(out, "{job:30} not begun: the time was up (--within)")?;
            continue;
        };
        match median(&mut theirs) {
            Some(other) => {
                let ratio = own / other;
                let verdict = if ratio <= must { "" } else { "  SLOW" };
                writeln!(out, "{job:30} {own:10.2} {other:10.2} {ratio:7.2} {must:6} {aim:5}{verdict}")?;
            }
            None => writeln!(out, "{job:30} {own:10.2} {:>10} {:>7} {must:6} {aim:5}", "-", "-")?,
        }
        out.flush()?;
    }
    Ok(())
}

/// The median that a command prints in its last line.
fn report(command: &mut Command) -> Result<f64> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("running {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed: {}", said.lines().last().unwrap_or("it said nothing"))
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_default();
    let report: Report = serde_json::from_str(line).with_context(|| format!("{name} printed {line:?}"))?;
    Ok(report.median_ms)
}

fn median(times: &mut [f64]) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}
