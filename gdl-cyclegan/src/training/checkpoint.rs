use super::best::MeanLoss;
use super::guard::{Good, Guard, pack, unpack, unsound};
use super::{Course, Failure, Training};
use crate::method::Method;
use crate::{Error, Result};
use gdl_kernels::rng::RngState;
use gdl_train::{Checkpoint, ParamStore, Tensors};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a checkpoint holds beside weights, moments and images. The place in the data follows from the step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    noise: RngState,
    pools: Vec<RngState>,
    #[serde(default)]
    course: Course,
    #[serde(default)]
    guard: Guard,
    /// The state to go back to, where it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    good: Option<Good>,
    #[serde(default)]
    losses: MeanLoss,
}

impl<M: Method> Training<M> {
    /// Writes a checkpoint; false when there is no run directory.
    ///
    /// # Errors
    /// When it cannot be written, and [`Error::Failed`] when a weight or a moment is not finite; then the last one is still in
    /// place.
    pub fn save(&self) -> Result<bool> {
        let Some((run, _)) = &self.run else { return Ok(false) };
        let good = self.good.as_ref().filter(|good| self.step < self.total_steps() && good.step != self.step);
        let (good, sets) = good.map(pack).unzip();
        let mut checkpoint = self.capture_with(good)?;
        if let Some(symptom) = unsound(&checkpoint)? {
            return Err(self.failed(Failure { step: self.step, symptom }));
        }
        checkpoint.tensors.extend(sets.unwrap_or_default());
        run.save_checkpoint(&checkpoint)?;
        Ok(true)
    }

    /// Everything that the training goes on from. The weights share the networks' storage.
    pub(super) fn capture(&self) -> Result<Checkpoint> {
        self.capture_with(None)
    }

    fn capture_with(&self, good: Option<Good>) -> Result<Checkpoint> {
        let model = &self.model;
        let pools: Vec<_> = model.pools().into_iter().map(|(name, pool)| (name, pool.state())).collect();
        let state = State {
            noise: model.noise().state(),
            pools: pools.iter().map(|(_, (_, rng))| rng.clone()).collect(),
            course: self.course.clone(),
            guard: self.guard.clone(),
            good,
            losses: self.scorer.as_ref().map(|scorer| scorer.losses).unwrap_or_default(),
        };
        let mut checkpoint = Checkpoint::new(self.step, self.weights()).with_state(&state)?;
        for (name, optimizer) in model.optimizers() {
            checkpoint = checkpoint.with_optimizer(name, optimizer)?;
        }
        for (name, (images, _)) in pools {
            let named = images.into_iter().enumerate().map(|(i, image)| (format!("{i:06}"), image));
            checkpoint = checkpoint.with_tensors(name, named.collect());
        }
        Ok(checkpoint)
    }

    /// The weights of all networks, with the network's name before their own.
    pub(super) fn weights(&self) -> Tensors {
        let named = |(net, store): (&str, &ParamStore)| {
            let net = net.to_string();
            store.tensors().into_iter().map(move |(key, tensor)| (format!("{net}.{key}"), tensor))
        };
        self.model.stores().into_iter().flat_map(named).collect()
    }

    pub(super) fn restore(&mut self, checkpoint: &Checkpoint, path: &Path) -> Result<()> {
        let nets = self.model.stores();
        let known: Vec<_> = nets.iter().map(|(net, _)| *net).collect();
        load_nets(path, &checkpoint.weights, &nets, &known)?;
        for (name, optimizer) in self.model.optimizers_mut() {
            checkpoint.restore_optimizer(name, optimizer)?;
        }
        let state: State = checkpoint.state()?;
        self.model.noise().set_state(&state.noise)?;
        let pools = self.model.pools_mut();
        if pools.len() != state.pools.len() {
            let message = format!("it tells of {} pools, not {}", state.pools.len(), pools.len());
            return Err(Error::Checkpoint { path: path.to_path_buf(), message });
        }
        for ((name, pool), rng) in pools.into_iter().zip(&state.pools) {
            let images = checkpoint.tensors.get(name).into_iter().flat_map(|images| images.values());
            let images: Vec<_> =
                images.map(|image| image.to_device(&self.device)).collect::<candle_core::Result<_>>()?;
            pool.set_state(images, rng)?;
        }
        self.course = state.course;
        self.guard = state.guard;
        self.good = state.good.map(|good| unpack(good, &checkpoint.tensors));
        if let Some(scorer) = &mut self.scorer {
            scorer.losses = state.losses;
        }
        self.step = checkpoint.step;
        Ok(())
    }
}

/// Gives networks their weights out of the tensors of a run, whose networks are the `known`: no tensor may belong to none.
pub(crate) fn load_nets(
    path: &Path,
    weights: &Tensors,
    nets: &[(&'static str, &ParamStore)],
    known: &[&str],
) -> Result<()> {
    let is_known =
        |key: &str| known.iter().any(|net| key.strip_prefix(net).is_some_and(|rest| rest.starts_with('.')));
    if let Some(key) = weights.keys().find(|key| !is_known(key)) {
        let message = format!("the tensor {key} belongs to no network (expected {})", known.join(", "));
        return Err(Error::Checkpoint { path: path.to_path_buf(), message });
    }
    for (net, store) in nets {
        let part = weights
            .iter()
            .filter_map(|(key, tensor)| {
                let key = key.strip_prefix(net)?.strip_prefix('.')?;
                Some((key.to_string(), tensor.clone()))
            })
            .collect();
        store.load_tensors(&format!("{} ({net})", path.display()), &part)?;
    }
    Ok(())
}
