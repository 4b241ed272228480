//! Devices without kernels (Metal, WebAssembly) take the composed path of every operator. It is forced here, on the CPU, and
//! compared with the kernels: values and gradients.

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the composed results go, in the process that is started for them.
const RESULTS: &str = "GDL_TEST_FALLBACK_RESULTS";

fn names(case: usize, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |i| format!("{case}.{i}"))
}

/// All operators in double precision, by whatever path this process takes.
fn computed() -> Vec<Vec<Tensor>> {
    let compute = |case: &gdl_check::Case| {
        case.compute(&Device::Cpu, DType::F64, DType::F32).unwrap_or_else(|e| panic!("{}: {e}", case.name()))
    };
    gdl_check::cases().iter().map(compute).collect()
}

#[test]
fn every_operator_composed_agrees_with_its_kernel() {
    if let Some(path) = std::env::var_os(RESULTS) {
        assert!(gdl_kernels::force_reference());
        let mut all = HashMap::new();
        for (i, tensors) in computed().into_iter().enumerate() {
            all.extend(names(i, tensors.len()).zip(tensors));
        }
        candle_core::safetensors::save(&all, path).unwrap();
        return;
    }
    if gdl_kernels::force_reference() {
        return; // both sides would be composed
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("composed.safetensors");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "every_operator_composed_agrees_with_its_kernel"])
        .env("GDL_REFERENCE", "1")
        .env(RESULTS, &path)
        .status()
        .unwrap();
    assert!(status.success());
    let composed = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for ((i, case), by_kernel) in gdl_check::cases().iter().enumerate().zip(computed()) {
        let composed: Vec<Tensor> = names(i, by_kernel.len()).map(|name| composed[&name].clone()).collect();
        let deviation = case.between(&by_kernel, &composed).unwrap();
        assert!(deviation.largest <= case.bound(DType::F64).unwrap(), "{}: {deviation:?}", case.name());
    }
}

/// The kernels in single precision, as `gdl check` compares a device.
#[test]
fn single_precision_is_near_double() {
    for case in gdl_check::cases() {
        let deviation = case.deviation(&Device::Cpu, DType::F32).unwrap();
        assert!(deviation.largest <= case.bound(DType::F32).unwrap(), "{}: {deviation:?}", case.name());
    }
}

/// A folder with a kernel of its own has a composed path beside it, and stands in the list that the tests above go through.
#[test]
fn every_kernel_has_a_composed_path_and_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = Vec::new();
    for source in ["gdl-layers", "gdl-nst/src"] {
        with_kernels(&root.join(source), &mut folders);
    }
    assert!(folders.len() >= 12, "{folders:?}");
    let cases = gdl_check::cases();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(
            cases.iter().any(|case| case.operator().contains(&name)),
            "{} has a kernel that gdl-check does not know",
            folder.display()
        );
        // Composed in their own words: the linear layer's loss is that of the two it consists of.
        if name != "linear_cross_entropy" {
            assert!(folder.join("reference.rs").exists(), "{}: no reference.rs", folder.display());
        }
    }
}

/// The folders of operators that have a kernel for the CPU.
#[allow(clippy::unwrap_used)]
fn with_kernels(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() || path.ends_with("target") {
            continue;
        }
        if path.join("mod.rs").exists() && (path.join("cpu.rs").exists() || path.join("cpu/mod.rs").exists())
        {
            found.push(path.clone());
        }
        with_kernels(&path, found);
    }
}
