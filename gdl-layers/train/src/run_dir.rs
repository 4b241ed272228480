use crate::atomic::{atomic_write_bytes, folder_of, sync_folder};
use crate::metrics::MetricsLog;
use crate::tensor_files::{load_tensors, save_tensors};
use crate::{Checkpoint, Error, OptimizerState, Result};
use candle_core::Device;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "weights.safetensors";
/// Written by trainers that keep the best weights beside the last.
const BEST: &str = "best.safetensors";
const METRICS: &str = "metrics.jsonl";
const STATE: &str = "state";
/// The entry in the weights' metadata which names their state folder.
const STATE_KEY: &str = "training_state";
const TRAINER: &str = "trainer.json";
const PAGE: &str = "index.html";
const SPEED: &str = "speed.jsonl";
const SAMPLES: &str = "samples";
const TENSORBOARD: &str = "tensorboard";

/// What to do where a run exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExisting {
    /// Refuse.
    #[default]
    Refuse,
    /// Remove the old run's files and begin anew.
    Overwrite,
}

/// A directory that holds one training run.
///
/// ```text
/// RUN/config.json           what was asked for, written once
/// RUN/weights.safetensors   the weights of the last checkpoint, under the model's parameter names
/// RUN/best.safetensors      the best weights so far, where the trainer keeps them
/// RUN/metrics.jsonl         one line of JSON per logged step
/// RUN/state/step-N/         what only training needs: trainer.json, optimizer-NAME.safetensors, tensors-NAME.safetensors
/// RUN/index.html            the report, by a RunLog, with
/// RUN/speed.jsonl           the throughput now and then,
/// RUN/samples/              what the model made, and
/// RUN/tensorboard/          event files
/// ```
///
/// A checkpoint is replaced as a whole. The new state folder is written under a temporary name, synced and renamed; then
/// `weights.safetensors`, whose metadata name the folder that goes with them, is replaced by a rename; then the old folder is
/// removed. Wherever that is interrupted, the weights in place and the state they name belong together.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_train::{Checkpoint, OnExisting, ParamStore, RunDir};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("run");
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
/// store.vb().get((2, 2), "weight")?;
/// let run = RunDir::create(&path, &"any configuration", OnExisting::Refuse)?;
/// run.save_checkpoint(&Checkpoint::new(10, store.tensors()))?;
///
/// let run = RunDir::open(&path)?;
/// let checkpoint = run.load_checkpoint(&Device::Cpu)?;
/// assert_eq!(checkpoint.step, 10);
/// store.load(run.weights_path())?; // all that inference needs
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

/// `trainer.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trainer {
    step: u64,
    optimizers: Vec<String>,
    tensors: Vec<String>,
    state: serde_json::Value,
}

impl RunDir {
    /// Makes a new run with its configuration; folders above it are made as needed.
    ///
    /// # Errors
    /// [`Error::RunExists`] where there is a run and `on_existing` refuses, [`Error::NotEmpty`] where there is
    /// something else, [`Error::Io`] where nothing can be written.
    pub fn create(path: impl AsRef<Path>, config: &impl Serialize, on_existing: OnExisting) -> Result<Self> {
        let run = Self { path: path.as_ref().to_path_buf() };
        let json = to_json(&run.config_path(), config)?;
        if run.is_run() {
            if on_existing == OnExisting::Refuse {
                return Err(Error::RunExists { path: run.path });
            }
            run.clear()?;
        } else if run.path.exists() {
            let mut entries = fs::read_dir(&run.path).map_err(Error::io("create a run in", &run.path))?;
            if entries.next().is_some() {
                return Err(Error::NotEmpty { path: run.path });
            }
        }
        fs::create_dir_all(&run.path).map_err(Error::io("create a run in", &run.path))?;
        write_text(&run.config_path(), &json)?;
        Ok(run)
    }

    /// A run that is there already.
    ///
    /// # Errors
    /// [`Error::NotARun`] when the directory or its configuration is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let run = Self { path: path.as_ref().to_path_buf() };
        if run.is_run() { Ok(run) } else { Err(Error::NotARun { path: run.path, missing: CONFIG }) }
    }

    fn is_run(&self) -> bool {
        self.config_path().is_file()
    }

    /// Removes what a run writes, and nothing else; the configuration last, so that what is left is still a run.
    fn clear(&self) -> Result<()> {
        for file in [WEIGHTS, BEST, METRICS, SPEED, PAGE] {
            let path = self.path.join(file);
            gone(&path, fs::remove_file(&path))?;
        }
        for folder in [STATE, SAMPLES, TENSORBOARD] {
            let path = self.path.join(folder);
            gone(&path, fs::remove_dir_all(&path))?;
        }
        gone(&self.config_path(), fs::remove_file(self.config_path()))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the configuration is.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Where the weights of the last checkpoint are.
    pub fn weights_path(&self) -> PathBuf {
        self.path.join(WEIGHTS)
    }

    /// Where the best weights are, for trainers that keep them; they are no part of the checkpoint.
    pub fn best_path(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// The configuration the run was made with.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] with the path.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        read_json(&self.config_path(), "run configuration")
    }

    /// The log of the run's metrics.
    pub fn metrics(&self) -> MetricsLog {
        MetricsLog::at(self.path.join(METRICS))
    }

    /// The log of the run's throughput.
    pub(crate) fn speed(&self) -> MetricsLog {
        MetricsLog::at(self.path.join(SPEED))
    }

    /// Where the report is.
    pub fn page_path(&self) -> PathBuf {
        self.path.join(PAGE)
    }

    /// The folder of the samples.
    pub fn samples_path(&self) -> PathBuf {
        self.path.join(SAMPLES)
    }

    /// The folder of the event files for TensorBoard.
    pub fn events_path(&self) -> PathBuf {
        self.path.join(TENSORBOARD)
    }

    /// Whether a checkpoint has been saved.
    pub fn has_checkpoint(&self) -> bool {
        self.weights_path().is_file()
    }

    /// Replaces the run's checkpoint: whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; then the old checkpoint is still in place. [`Error::Setting`] when the name of an
    /// optimizer or a set cannot be part of a file's name.
    pub fn save_checkpoint(&self, checkpoint: &Checkpoint) -> Result<()> {
        for name in checkpoint.optimizers.keys().chain(checkpoint.tensors.keys()) {
            check_name(name)?;
        }
        let states = self.path.join(STATE);
        fs::create_dir_all(&states).map_err(Error::io("create", &states))?;
        let temporary = tempfile::Builder::new()
            .prefix(".tmp-")
            .tempdir_in(&states)
            .map_err(Error::io("write in", &states))?;
        write_state(temporary.path(), checkpoint)?;
        share(temporary.path())?;

        // A name of its own even when this step was saved before: the weights in place still need that folder.
        let (folder, target) = (0..)
            .map(|i| match i {
                0 => format!("step-{:08}", checkpoint.step),
                i => format!("step-{:08}-{i}", checkpoint.step),
            })
            .map(|name| (name.clone(), states.join(name)))
            .find(|(_, path)| !path.exists())
            .ok_or_else(|| Error::NotEmpty { path: states.clone() })?;
        let temporary = temporary.keep();
        if let Err(e) = fs::rename(&temporary, &target) {
            let _ = fs::remove_dir_all(&temporary);
            return Err(Error::io("write", &target)(e));
        }
        sync_folder(&states)?;
        sync_folder(&self.path)?;

        let metadata = BTreeMap::from([
            ("format".to_string(), "pt".to_string()),
            (STATE_KEY.to_string(), folder.clone()),
        ]);
        if let Err(e) = save_tensors(self.weights_path(), &checkpoint.weights, &metadata) {
            // Unless the new weights are in place all the same, and only the sync after the rename has failed.
            if !self.may_name(&folder) {
                let _ = fs::remove_dir_all(&target);
            }
            return Err(e);
        }
        // From here on the new checkpoint holds. What cannot be removed now is removed the next time.
        self.remove_states_but(&folder);
        Ok(())
    }

    /// Whether the weights in place name that state folder, or cannot be read to tell.
    fn may_name(&self, folder: &str) -> bool {
        match load_tensors(self.weights_path(), &Device::Cpu) {
            Ok((_, metadata)) => metadata.get(STATE_KEY).is_some_and(|named| named == folder),
            Err(_) => self.has_checkpoint(),
        }
    }

    fn remove_states_but(&self, keep: &str) {
        let Ok(entries) = fs::read_dir(self.path.join(STATE)) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name != keep && (name.starts_with("step-") || name.starts_with(".tmp-")) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Reads the checkpoint; the weights come to `device`, all else stays on the CPU.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] when none has been saved; [`Error::Io`] or [`Error::Format`] with the path of what is missing or broken.
    pub fn load_checkpoint(&self, device: &Device) -> Result<Checkpoint> {
        if !self.has_checkpoint() {
            return Err(Error::NoCheckpoint { path: self.path.clone() });
        }
        let (weights, metadata) = load_tensors(self.weights_path(), device)?;
        let Some(folder) = metadata.get(STATE_KEY) else {
            let message = "its metadata name no training state: it can be used, but not trained further";
            return Err(Error::format(self.weights_path(), "checkpoint", message));
        };
        check_name(folder)?;
        let folder = self.path.join(STATE).join(folder);
        let trainer: Trainer = read_json(&folder.join(TRAINER), "trainer state")?;
        let mut checkpoint =
            Checkpoint { step: trainer.step, weights, state: trainer.state, ..Checkpoint::default() };
        for name in trainer.optimizers {
            check_name(&name)?;
            let state = OptimizerState::load(optimizer_path(&folder, &name))?;
            checkpoint.optimizers.insert(name, state);
        }
        for name in trainer.tensors {
            check_name(&name)?;
            let (tensors, _) = load_tensors(tensors_path(&folder, &name), &Device::Cpu)?;
            checkpoint.tensors.insert(name, tensors);
        }
        Ok(checkpoint)
    }
}

fn optimizer_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("optimizer-{name}.safetensors"))
}

fn tensors_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("tensors-{name}.safetensors"))
}

fn write_state(folder: &Path, checkpoint: &Checkpoint) -> Result<()> {
    for (name, state) in &checkpoint.optimizers {
        state.save(optimizer_path(folder, name))?;
    }
    for (name, tensors) in &checkpoint.tensors {
        save_tensors(tensors_path(folder, name), tensors, &BTreeMap::new())?;
    }
    let trainer = Trainer {
        step: checkpoint.step,
        optimizers: checkpoint.optimizers.keys().cloned().collect(),
        tensors: checkpoint.tensors.keys().cloned().collect(),
        state: checkpoint.state.clone(),
    };
    let path = folder.join(TRAINER);
    write_text(&path, &to_json(&path, &trainer)?)
}

/// Names go into file names, and come back from files: no separators, no dots to climb by.
fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits {
        return Ok(());
    }
    let message = format!("must be letters, digits, - and _, not {name:?}");
    Err(Error::Setting { key: "name in a checkpoint", message })
}

fn to_json(path: &Path, value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|e| Error::format(path, "JSON value", e))
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    atomic_write_bytes(path, format!("{text}\n"))
}

fn read_json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T> {
    let text = fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|e| Error::format(path, what, e))
}

/// What was not there need not be removed.
fn gone(path: &Path, removed: std::io::Result<()>) -> Result<()> {
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// tempfile makes folders for their owner alone; a run's folder is as open as the one around it.
fn share(folder: &Path) -> Result<()> {
    let permissions = fs::metadata(folder_of(folder)).map_err(Error::io("read", folder))?.permissions();
    fs::set_permissions(folder, permissions).map_err(Error::io("write", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensors;
    use candle_core::Tensor;

    fn tensors(value: f32) -> Tensors {
        Tensors::from([("w".into(), Tensor::new(&[value; 4], &Device::Cpu).unwrap())])
    }

    fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint::new(step, tensors(step as f32))
            .with_tensors("pool", tensors(-(step as f32)))
            .with_state(&(step, 0.1 + 0.2))
            .unwrap()
    }

    fn whole(run: &RunDir, step: u64) {
        let c = run.load_checkpoint(&Device::Cpu).unwrap();
        assert_eq!(c.step, step);
        assert_eq!(c.weights["w"].to_vec1::<f32>().unwrap(), [step as f32; 4]);
        assert_eq!(c.tensors["pool"]["w"].to_vec1::<f32>().unwrap(), [-(step as f32); 4]);
        assert_eq!(c.state::<(u64, f64)>().unwrap(), (step, 0.1 + 0.2));
    }

    fn states(run: &RunDir) -> usize {
        fs::read_dir(run.path().join(STATE)).unwrap().count()
    }

    #[test]
    fn the_last_checkpoint_is_the_one_that_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(dir.path().join("a/b"), &1, OnExisting::Refuse).unwrap();
        let error = run.load_checkpoint(&Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(WEIGHTS), "{error}");
        for step in [5, 7, 7] {
            run.save_checkpoint(&checkpoint(step)).unwrap();
            whole(&run, step);
            assert_eq!(states(&run), 1);
        }
    }

    #[test]
    fn a_save_broken_off_at_any_point_leaves_a_whole_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(dir.path().join("run"), &1, OnExisting::Refuse).unwrap();
        run.save_checkpoint(&checkpoint(1)).unwrap();
        // Broken off while the state was written, and between its rename and that of the weights.
        fs::create_dir(run.path().join(STATE).join(".tmp-x")).unwrap();
        fs::create_dir(run.path().join(STATE).join("step-00000002")).unwrap();
        whole(&run, 1);
        run.save_checkpoint(&checkpoint(2)).unwrap();
        whole(&run, 2);
        assert_eq!(states(&run), 1);
        // The weights cannot be replaced: the old checkpoint holds.
        let before = fs::read(run.weights_path()).unwrap();
        fs::remove_file(run.weights_path()).unwrap();
        fs::create_dir(run.weights_path()).unwrap();
        assert!(run.save_checkpoint(&checkpoint(3)).is_err());
        assert_eq!(states(&run), 1);
        fs::remove_dir(run.weights_path()).unwrap();
        fs::write(run.weights_path(), before).unwrap();
        whole(&run, 2);
    }

    #[test]
    fn an_existing_run_is_kept_unless_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let run = RunDir::create(&path, &1, OnExisting::Refuse).unwrap();
        run.save_checkpoint(&checkpoint(1)).unwrap();
        let error = RunDir::create(&path, &2, OnExisting::Refuse).unwrap_err().to_string();
        assert!(error.contains("already holds a run"), "{error}");
        assert_eq!(run.config::<u32>().unwrap(), 1);
        let run = RunDir::create(&path, &2, OnExisting::Overwrite).unwrap();
        assert_eq!(run.config::<u32>().unwrap(), 2);
        assert!(!run.has_checkpoint());

        let full = dir.path().join("full");
        fs::create_dir(&full).unwrap();
        fs::write(full.join("thesis.txt"), "").unwrap();
        for on_existing in [OnExisting::Refuse, OnExisting::Overwrite] {
            let error = RunDir::create(&full, &1, on_existing).unwrap_err();
            assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
        }
    }

    #[test]
    fn places_that_do_not_do_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = RunDir::create(&path, &1, OnExisting::Refuse).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
        let error = RunDir::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("config.json is missing"), "{error}");
    }

    #[test]
    fn broken_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(dir.path().join("run"), &1, OnExisting::Refuse).unwrap();
        run.save_checkpoint(&checkpoint(1)).unwrap();
        let trainer = run.path().join(STATE).join("step-00000001").join(TRAINER);
        fs::write(&trainer, "{\"step\": 1").unwrap();
        let error = run.load_checkpoint(&Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(TRAINER), "{error}");
        fs::write(run.config_path(), "no json").unwrap();
        let error = run.config::<u32>().unwrap_err().to_string();
        assert!(error.contains(CONFIG), "{error}");
        assert!(run.save_checkpoint(&checkpoint(2).with_tensors("../up", tensors(0.0))).is_err());
    }
}
