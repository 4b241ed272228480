//! `--device` and `--threads`.

use anyhow::{Context, Result};
use candle_core::{DType, Device};
use clap::ValueEnum;
#[cfg(feature = "cuda")]
use gdl_kernels::cuda::open as cuda;
use std::str::FromStr;

/// Where tensors live, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceName {
    Cpu,
    Cuda(usize),
    Metal,
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "metal" => Ok(Self::Metal),
            Some(("cuda", n)) => {
                n.parse().map(Self::Cuda).map_err(|_| format!("{n:?} is not the number of a GPU"))
            }
            _ => Err("expected cpu, cuda, cuda:N or metal".to_string()),
        }
    }
}

impl DeviceName {
    /// Opens the device.
    pub(crate) fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(n) => {
                anyhow::ensure!(
                    cfg!(feature = "cuda"),
                    "--device cuda: this gdl was built without CUDA; build it with `--features cuda` or use --device cpu"
                );
                cuda(n).with_context(|| {
                    format!("--device cuda:{n}: no such GPU; see `nvidia-smi`, or use --device cpu")
                })
            }
            Self::Metal => {
                anyhow::ensure!(
                    cfg!(feature = "metal"),
                    "--device metal: this gdl was built without Metal; build it with `--features metal` or use --device cpu"
                );
                Device::new_metal(0).context("--device metal: no Metal device here; use --device cpu")
            }
        }
    }
}

/// What a device is called on the command line.
pub(crate) fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> candle_core::Result<Device> {
    Device::new_cuda(ordinal)
}

/// How products are rounded on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    F32,
    Tf32,
    Bf16,
    F16,
}

impl Precision {
    /// Sets it for the whole process.
    pub(crate) fn set(self, device: &Device) -> Result<()> {
        let half = match self {
            Self::F32 => return Ok(()),
            Self::Tf32 => None,
            Self::Bf16 => Some(DType::BF16),
            Self::F16 => Some(DType::F16),
        };
        anyhow::ensure!(
            device.is_cuda() || (device.is_metal() && half.is_some()),
            "--precision: the CPU computes in f32 here; it needs --device cuda, bf16 and f16 at least --device metal"
        );
        gdl_kernels::set_compute_dtype(half);
        #[cfg(feature = "cuda")]
        candle_core::cuda::set_gemm_reduced_precision_f32(self == Self::Tf32);
        Ok(())
    }
}

/// How often candle's own pool looks for work before it sleeps. By default so often that it takes a core from the kernels
/// here after each of its operations.
const SPIN_LIMIT: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

/// Sets the number of threads that all kernels use; 0 leaves the choice to the machine.
///
/// To be called first thing in the program: candle reads its number from the environment when it first computes.
pub(crate) fn set_threads(threads: usize) -> Result<()> {
    if std::env::var_os(SPIN_LIMIT).is_none() {
        // SAFETY: the program has started no thread yet, so nothing can read the environment meanwhile.
        unsafe { std::env::set_var(SPIN_LIMIT, "100") };
    }
    if threads == 0 {
        return Ok(());
    }
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, threads.to_string()) };
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("--threads: the thread pool")
}
