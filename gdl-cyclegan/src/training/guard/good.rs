use gdl_train::{Checkpoint, OptimizerState, Tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the sets of tensors of a state within a checkpoint begin with.
const PREFIX: &str = "good-";
const WEIGHTS: &str = "good-weights";
const OPTIMIZER: &str = "good-optimizer-";

/// A state to go back to inside a checkpoint of a later step, beside its tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::training) struct Good {
    step: u64,
    /// The kinds and numbers of the optimizers' states.
    optimizers: BTreeMap<String, (String, BTreeMap<String, f64>)>,
    state: serde_json::Value,
}

/// A state as a part of a checkpoint: what is no tensor, and sets of tensors.
pub(in crate::training) fn pack(good: &Checkpoint) -> (Good, BTreeMap<String, Tensors>) {
    let mut sets = BTreeMap::from([(WEIGHTS.to_string(), good.weights.clone())]);
    let mut optimizers = BTreeMap::new();
    for (name, state) in &good.optimizers {
        sets.insert(format!("{OPTIMIZER}{name}"), state.tensors.clone());
        optimizers.insert(name.clone(), (state.kind.clone(), state.scalars.clone()));
    }
    for (name, tensors) in &good.tensors {
        sets.insert(format!("{PREFIX}{name}"), tensors.clone());
    }
    (Good { step: good.step, optimizers, state: good.state.clone() }, sets)
}

/// The state again, out of all the sets of a checkpoint.
pub(in crate::training) fn unpack(good: Good, sets: &BTreeMap<String, Tensors>) -> Checkpoint {
    let set = |name: &str| sets.get(name).cloned().unwrap_or_default();
    let optimizers = good.optimizers.into_iter().map(|(name, (kind, scalars))| {
        let tensors = set(&format!("{OPTIMIZER}{name}"));
        (name, OptimizerState { kind, scalars, tensors })
    });
    let optimizers = optimizers.collect();
    let own = |name: &String| !name.starts_with(OPTIMIZER) && name != WEIGHTS;
    let tensors = sets
        .iter()
        .filter(|(name, _)| own(name))
        .filter_map(|(name, tensors)| Some((name.strip_prefix(PREFIX)?.to_string(), tensors.clone())));
    Checkpoint {
        step: good.step,
        weights: set(WEIGHTS),
        optimizers,
        tensors: tensors.collect(),
        state: good.state,
    }
}
