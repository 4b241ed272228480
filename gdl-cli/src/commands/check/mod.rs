//! `gdl check`: what a device computes, beside the CPU in double precision; and how fast, beside PyTorch.

mod peer;

use super::{Context, values};
use crate::console::UsageError;
use anyhow::{Result, bail};
use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use gdl_check::Case;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `gdl check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Element types to check [default: f32 on the CPU, else f32 and bf16]
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    dtype: Vec<Number>,
    /// Only operators whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Time the training steps and translations too
    #[arg(long)]
    bench: bool,
    /// With --bench: a script that does the same jobs in PyTorch, run with `python3` for the ratio of medians
    #[arg(long, value_name = "SCRIPT", requires = "bench")]
    peer: Option<PathBuf>,
    /// With --bench: rounds, in each of which both do every job once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count, requires = "bench")]
    rounds: usize,
    /// With --bench: begin no job after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 420, requires = "bench")]
    within: u64,
    /// Compile all CUDA kernels for a compute capability such as 9.0, and stop; needs no GPU
    #[arg(long, value_name = "X.Y", conflicts_with_all = ["dtype", "only", "bench"], value_parser = capability)]
    compile: Option<(i32, i32)>,
}

/// An element type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Number {
    F64,
    F32,
    F16,
    Bf16,
}

impl From<Number> for DType {
    fn from(number: Number) -> Self {
        match number {
            Number::F64 => Self::F64,
            Number::F32 => Self::F32,
            Number::F16 => Self::F16,
            Number::Bf16 => Self::BF16,
        }
    }
}

fn capability(text: &str) -> Result<(i32, i32), String> {
    let parsed =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.ok_or_else(|| "expected two numbers, as 9.0".into())
}

/// Runs `gdl check`.
pub(crate) fn run(args: &CheckArgs, context: &Context) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(capability) = args.compile {
        return compile(capability, &mut out);
    }
    let started = std::time::Instant::now();
    let dtypes: Vec<DType> = match (args.dtype.is_empty(), &context.device) {
        (false, _) => args.dtype.iter().map(|&number| number.into()).collect(),
        (true, Device::Cpu) => vec![DType::F32],
        (true, _) => vec![DType::F32, DType::BF16],
    };
    let cases: Vec<Case> = gdl_check::cases()
        .into_iter()
        .filter(|case| args.only.as_ref().is_none_or(|part| case.name().contains(part)))
        .collect();
    if cases.is_empty() {
        let part = args.only.as_deref().unwrap_or_default();
        return Err(UsageError(format!("--only: no operator is called {part}")).into());
    }
    let failed = compare(&cases, &dtypes, &context.device, &mut out)?;
    if args.bench {
        let until = started + Duration::from_secs(args.within);
        peer::run(args.peer.as_deref(), args.rounds, until, &context.device, &mut out)?;
    }
    if failed > 0 {
        bail!("{failed} comparisons are too far from the CPU; see the lines above")
    }
    Ok(())
}

/// One line for each operator; returns how many comparisons failed.
fn compare(cases: &[Case], dtypes: &[DType], device: &Device, out: &mut impl Write) -> Result<usize> {
    let heads: String = dtypes.iter().map(|dtype| format!(" {:>12}", dtype.as_str())).collect();
    writeln!(out, "{:84}{heads}", "operator")?;
    let (mut done, mut failed) = (0, 0);
    for case in cases {
        write!(out, "{:84}", case.name())?;
        let mut notes = Vec::new();
        for &dtype in dtypes {
            let Some(bound) = case.bound(dtype) else {
                write!(out, " {:>12}", "-")?;
                continue;
            };
            done += 1;
            let (shown, note) = match case.deviation(device, dtype) {
                Ok(found) if found.largest <= bound => (format!("{:.1e}", found.largest), None),
                Ok(found) => {
                    let note = format!("{}, at most {bound:.0e}", found.place);
                    (format!("{:.1e} FAR", found.largest), Some(note))
                }
                Err(error) => ("ERROR".into(), Some(error.to_string())),
            };
            write!(out, " {shown:>12}")?;
            if let Some(note) = note {
                failed += 1;
                notes.push(format!("  {}: {note}", dtype.as_str()));
            }
        }
        writeln!(out, "{}", notes.concat())?;
        out.flush()?;
    }
    writeln!(out, "{} of {done} comparisons within their bounds", done - failed)?;
    Ok(failed)
}

#[cfg(feature = "cuda")]
fn compile(capability: (i32, i32), out: &mut impl Write) -> Result<()> {
    let sources = gdl_check::cuda_sources();
    for source in &sources {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            let kernels = source.ptx(dtype, capability)?.matches(".entry").count();
            writeln!(out, "{:24} {:5} {kernels} kernels", source.name, dtype.as_str())?;
        }
    }
    writeln!(
        out,
        "{} sources compiled for compute capability {}.{}",
        sources.len(),
        capability.0,
        capability.1
    )?;
    Ok(())
}

#[cfg(not(feature = "cuda"))]
fn compile(_: (i32, i32), _: &mut impl Write) -> Result<()> {
    bail!("--compile: this gdl was built without CUDA; build it with `--features cuda`")
}
