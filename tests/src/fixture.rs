use crate::DEV;
use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;
use std::{collections::HashMap, path::PathBuf};

/// Tensors written by the Python script beside the file (`tests/fixtures/NAME.py` writes `NAME.safetensors`).
#[derive(Debug)]
pub struct Fixture {
    name: String,
    tensors: HashMap<String, Tensor>,
}

impl Fixture {
    /// Reads `tests/fixtures/NAME.safetensors`.
    pub fn load(name: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.safetensors"));
        let tensors =
            candle_core::safetensors::load(&path, &DEV).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { name: name.to_string(), tensors }
    }

    /// The tensor of that name.
    #[track_caller]
    pub fn get(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor {name}", self.name)).clone()
    }

    /// Whether the fixture holds a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.tensors.keys().cloned().collect();
        names.sort();
        names
    }

    /// The tensors under `prefix.` as trainable variables, by the rest of their names.
    pub fn vars(&self, prefix: &str) -> HashMap<String, candle_core::Var> {
        let dotted = format!("{prefix}.");
        self.tensors
            .iter()
            .filter_map(|(k, t)| {
                Some((k.strip_prefix(&dotted)?.to_string(), candle_core::Var::from_tensor(t).unwrap()))
            })
            .collect()
    }

    /// A builder over [`Fixture::vars`]: the layer's weights are then those variables.
    pub fn vb(vars: &HashMap<String, candle_core::Var>) -> VarBuilder<'static> {
        let tensors = vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
        VarBuilder::from_tensors(tensors, DType::F32, &DEV)
    }
}

/// A file or folder of `../shared/data`, where the checkout has one beside it.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    path.exists().then_some(path)
}
