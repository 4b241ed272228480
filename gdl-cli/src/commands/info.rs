//! `gdl info`: what the program was built with, and what it finds on this machine.

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::Write;

/// Flags of `gdl info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// What there is to say.
#[derive(Debug, Serialize)]
struct Info {
    version: &'static str,
    target: String,
    /// The optional parts that were built in.
    features: Vec<&'static str>,
    threads: usize,
    /// The GPUs, or why there are none.
    cuda: String,
    metal: String,
}

/// Runs `gdl info`.
pub(crate) fn run(args: &InfoArgs) -> Result<()> {
    let features = [
        ("cuda", cfg!(feature = "cuda")),
        ("cudnn", cfg!(feature = "cudnn")),
        ("metal", cfg!(feature = "metal")),
        ("mkl", cfg!(feature = "mkl")),
        ("accelerate", cfg!(feature = "accelerate")),
    ];
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        features: features.iter().filter(|(_, built_in)| *built_in).map(|(name, _)| *name).collect(),
        threads: rayon::current_num_threads(),
        cuda: cuda(),
        metal: metal(),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&info)?)?;
        return Ok(());
    }
    let features =
        if info.features.is_empty() { "nothing optional".into() } else { info.features.join(", ") };
    writeln!(out, "gdl {} for {}, built with {features}", info.version, info.target)?;
    writeln!(out, "cpu: {} threads", info.threads)?;
    writeln!(out, "cuda: {}", info.cuda)?;
    writeln!(out, "metal: {}", info.metal)?;
    Ok(())
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> String {
    "not built in".into()
}

#[cfg(feature = "cuda")]
fn cuda() -> String {
    use candle_core::cuda_backend::cudarc::driver::{CudaContext, DriverError};
    let describe = |ordinal: usize| -> Result<String, DriverError> {
        let context = CudaContext::new(ordinal)?;
        let ((major, minor), memory) = (context.compute_capability()?, context.total_mem()? >> 30);
        Ok(format!("{} (compute capability {major}.{minor}, {memory} GiB)", context.name()?))
    };
    let found = CudaContext::device_count()
        .and_then(|count| (0..count as usize).map(describe).collect::<Result<Vec<_>, _>>());
    let kernels = gdl_check::cuda_sources().len();
    match found {
        Ok(gpus) if !gpus.is_empty() => format!("{}; {kernels} kernel sources{}", gpus.join("; "), cudnn()),
        Ok(_) => format!("no GPU here; {kernels} kernel sources"),
        Err(error) => format!("no GPU here ({:?}); {kernels} kernel sources", error.0),
    }
}

#[cfg(all(feature = "cuda", feature = "cudnn"))]
fn cudnn() -> String {
    let version = candle_core::cuda_backend::cudarc::cudnn::result::get_version();
    format!("; cuDNN {}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

#[cfg(all(feature = "cuda", not(feature = "cudnn")))]
fn cudnn() -> String {
    String::new()
}

fn metal() -> String {
    match (cfg!(feature = "metal"), candle_core::Device::new_metal(0)) {
        (false, _) => "not built in".into(),
        (true, Ok(_)) => "a device is there".into(),
        (true, Err(error)) => format!("no device here ({error})"),
    }
}
