use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::driver::CudaFunction;
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use candle_core::{CudaDevice, DType, Error, Result, bail};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// What every kernel begins with.
const PRELUDE: &str = include_str!("prelude.cuh");

/// The kernels of a `.cu` file, which are written for an element type `T` that is chosen when they are compiled.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The operator, as in error messages; no other file has it.
    pub name: &'static str,
    /// The text of the file.
    pub code: &'static str,
}

impl Source {
    /// The compiled function of this name for this element type. It is looked for once for each device: a launch must not cost
    /// more than the kernel.
    ///
    /// # Errors
    /// When the element type is none that kernels are written for, the run-time compiler is not there or does not take
    /// the text, or the device refuses the result.
    pub(super) fn function(
        &self,
        device: &CudaDevice,
        dtype: DType,
        function: &'static str,
    ) -> Result<CudaFunction> {
        type Loaded = HashMap<(DeviceId, &'static str, DType, &'static str), CudaFunction>;
        static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded.entry((device.id(), self.name, dtype, function)) {
            Entry::Occupied(entry) => Ok(entry.get().clone()),
            Entry::Vacant(entry) => {
                let context = device.cuda_stream().context().clone();
                let ptx = self.ptx(dtype, context.compute_capability().map_err(Error::wrap)?)?;
                let module = format!("gdl-{}-{}", self.name, dtype.as_str());
                let found = device.get_or_load_custom_func(function, &module, &ptx)?;
                Ok(entry.insert(found.into_cuda_function()).clone())
            }
        }
    }

    /// The text that the compiler gets.
    ///
    /// # Errors
    /// For an element type that kernels are not written for.
    pub fn text(&self, dtype: DType) -> Result<String> {
        let chosen = match dtype {
            DType::F32 => "GDL_F32",
            DType::F64 => "GDL_F64",
            DType::F16 => "GDL_F16",
            DType::BF16 => "GDL_BF16",
            other => bail!("{}: the kernels take f32, f64, f16 and bf16, not {}", self.name, other.as_str()),
        };
        Ok(format!("#define {chosen}\n{PRELUDE}\n{}", self.code))
    }

    /// The compiled text for a device of this compute capability. It needs no device.
    ///
    /// # Errors
    /// When the element type is none that kernels are written for, or the run-time compiler is not there or does not take
    /// the text.
    pub fn ptx(&self, dtype: DType, capability: (i32, i32)) -> Result<Arc<str>> {
        type Compiled = HashMap<(&'static str, DType, (i32, i32)), Arc<str>>;
        static COMPILED: LazyLock<Mutex<Compiled>> = LazyLock::new(Mutex::default);
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ptx) = compiled.get(&(self.name, dtype, capability)) {
            return Ok(ptx.clone());
        }
        let text = self.text(dtype)?;
        let arch = format!("--gpu-architecture=compute_{}{}", capability.0, capability.1);
        let kept = kept_at(&text, &arch);
        let ptx = match kept.as_ref().and_then(|path| std::fs::read_to_string(path).ok()) {
            Some(ptx) => ptx,
            None => {
                let ptx = self.compile(&text, arch)?;
                if let Some(path) = kept {
                    // A cache that cannot be written costs time at the next start, and nothing else.
                    let _ = keep(&path, &ptx);
                }
                ptx
            }
        };
        let ptx: Arc<str> = ptx.into();
        compiled.insert((self.name, dtype, capability), ptx.clone());
        Ok(ptx)
    }

    fn compile(&self, text: &str, arch: String) -> Result<String> {
        let options = CompileOptions {
            options: vec![arch],
            name: Some(format!("{}.cu", self.name)),
            ..Default::default()
        };
        match compile_ptx_with_opts(text, options) {
            Ok(ptx) => Ok(ptx.to_src()),
            Err(CompileError::CompileError { log, .. }) => {
                bail!("{}: the CUDA kernel was not compiled: {}", self.name, log.to_string_lossy())
            }
            Err(other) => bail!("{}: the CUDA kernel was not compiled: {other:?}", self.name),
        }
    }
}

/// Where the compiled form of a text is kept; nowhere where there is no cache folder.
fn kept_at(text: &str, arch: &str) -> Option<PathBuf> {
    let hash = crate::Fnv1a::of(&[env!("CARGO_PKG_VERSION"), arch, text].join("\n"));
    Some(crate::cache_dir()?.join("kernels").join(format!("{:016x}.ptx", hash)))
}

/// Whole or not at all, whoever else writes the same.
fn keep(path: &std::path::Path, ptx: &str) -> std::io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&temporary, ptx)?;
    std::fs::rename(temporary, path)
}
