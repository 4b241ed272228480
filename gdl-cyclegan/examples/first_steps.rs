//! Writes what a run began with, for the same training elsewhere: `first_steps RUN DIR STEPS`.
//!
//! `DIR/weights.safetensors` has the networks' first weights (`net_G_A.model.1.weight`), `DIR/batches.safetensors` the pictures of the
//! first steps (`a.000000`, `b.000000`, …; (N, 3, H, W) in [-1, 1]). `tests/peers/first_steps.py` trains PyTorch with them.

use candle_core::Device;
use gdl_cyclegan::{ConfigOf, CycleGan, Method, Pairs, Pix2Pix, Training};
use gdl_train::{RunDir, Tensors, save_tensors};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [run, dir, steps] = args.as_slice() else {
        return Err("usage: first_steps RUN DIR STEPS".into());
    };
    let run = RunDir::open(run)?;
    let (dir, steps) = (Path::new(dir), steps.parse()?);
    match run.config::<ConfigOf<CycleGan>>() {
        Ok(config) => write::<CycleGan>(config, dir, steps),
        Err(_) => write::<Pix2Pix>(run.config()?, dir, steps),
    }
}

fn write<M: Method>(config: ConfigOf<M>, dir: &Path, steps: u64) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let data = M::Data::open(&config.data, M::seed(&config.model))?;
    let batch = config.batch;
    let training = Training::<M>::new(config, &Device::Cpu)?;
    let mut weights = Tensors::new();
    for (net, store) in training.model().stores() {
        weights.extend(store.tensors().into_iter().map(|(key, tensor)| (format!("{net}.{key}"), tensor)));
    }
    save_tensors(dir.join("weights.safetensors"), &weights, &BTreeMap::new())?;
    let mut batches = Tensors::new();
    for step in 0..steps {
        let (a, b) = data.batch(step * batch as u64, batch)?;
        batches.insert(format!("a.{step:06}"), a);
        batches.insert(format!("b.{step:06}"), b);
    }
    save_tensors(dir.join("batches.safetensors"), &batches, &BTreeMap::new())?;
    println!("{}: {} tensors, {steps} batches", dir.display(), weights.len());
    Ok(())
}
