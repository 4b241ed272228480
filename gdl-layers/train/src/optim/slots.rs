use super::elementwise::{StepRule, update};
use super::state::OptimizerState;
use super::{Brake, GradientOf};
use crate::tensors::{Expected, check};
use crate::{Error, Result, Tensors};
use candle_core::{Tensor, Var};
use std::collections::{BTreeMap, BTreeSet};

const LEARNING_RATE: &str = "learning_rate";

/// Named variables with up to `K` states each and a count of their steps: what Adam, RMSprop and SGD have in common.
#[derive(Debug)]
pub(crate) struct Slots<const K: usize> {
    kind: &'static str,
    keys: [Option<&'static str>; K],
    slots: Vec<Slot<K>>,
}

#[derive(Debug)]
struct Slot<const K: usize> {
    name: String,
    var: Var,
    state: [Var; K],
    steps: u64,
}

impl<const K: usize> Slots<K> {
    /// `keys` names the states; a state without a name is not kept.
    pub(crate) fn new(
        kind: &'static str,
        vars: Vec<(String, Var)>,
        keys: [Option<&'static str>; K],
    ) -> candle_core::Result<Self> {
        let mut names = BTreeSet::new();
        let slots = vars
            .into_iter()
            .map(|(name, var)| {
                if !names.insert(name.clone()) {
                    candle_core::bail!("{kind}: the variable {name} is given twice")
                }
                let mut state = Vec::with_capacity(K);
                for key in keys {
                    let zeros = match key {
                        Some(_) => Tensor::zeros(var.shape(), var.dtype(), var.device())?,
                        None => Tensor::zeros(0, var.dtype(), var.device())?,
                    };
                    state.push(Var::from_tensor(&zeros)?);
                }
                let Ok(state) = state.try_into() else { candle_core::bail!("{kind}: {K} states expected") };
                Ok(Slot { name, var, state, steps: 0 })
            })
            .collect::<candle_core::Result<_>>()?;
        Ok(Self { kind, keys, slots })
    }

    /// One step along what `gradient` finds; `rule` is given how many steps that variable has taken, this one included.
    pub(crate) fn step<R: StepRule<K>>(
        &mut self,
        gradient: GradientOf<'_>,
        brake: Option<&Brake>,
        rule: impl Fn(u64) -> R,
    ) -> candle_core::Result<()> {
        #[cfg(feature = "cuda")]
        if self.on_cuda() && brake.is_none_or(|brake| brake.values().is_some()) {
            return self.step_at_once(gradient, brake.and_then(Brake::values), rule);
        }
        let Some(factor) = brake.map_or(Ok(Some(1.0)), Brake::factor)? else { return Ok(()) };
        for slot in &mut self.slots {
            let Some(g) = gradient(&slot.var)? else { continue };
            let g = if factor == 1.0 { g } else { (g * factor)? };
            update(&rule(slot.steps + 1), &slot.name, &slot.var, &g, slot.state.each_ref())?;
            slot.steps += 1;
        }
        Ok(())
    }

    /// Whether the kernel for all variables at once takes them.
    #[cfg(feature = "cuda")]
    fn on_cuda(&self) -> bool {
        crate::cuda::take(self.slots.iter().map(|slot| slot.var.as_tensor()))
    }

    /// As [`step`](Self::step), where [`on_cuda`](Self::on_cuda), in one launch, with a brake that the device holds, if any:
    /// nothing has changed after an error.
    #[cfg(feature = "cuda")]
    fn step_at_once<R: StepRule<K>>(
        &mut self,
        gradient: GradientOf<'_>,
        brake: Option<&Tensor>,
        rule: impl Fn(u64) -> R,
    ) -> candle_core::Result<()> {
        let mut parameters = Vec::with_capacity(self.slots.len());
        let mut moved = Vec::with_capacity(self.slots.len());
        for (i, slot) in self.slots.iter().enumerate() {
            let Some(grad) = gradient(&slot.var)? else { continue };
            super::elementwise::check(&slot.name, &slot.var, &grad)?;
            moved.push(i);
            parameters.push(super::cuda::Parameter {
                var: &slot.var,
                grad: grad.contiguous()?,
                states: slot.state.each_ref(),
                kernel: rule(slot.steps + 1).kernel(),
            });
        }
        super::cuda::step(&parameters, brake)?;
        drop(parameters);
        moved.into_iter().for_each(|i| self.slots[i].steps += 1);
        Ok(())
    }

    fn tensors(&self) -> impl Iterator<Item = (String, &Var)> {
        self.slots.iter().flat_map(|slot| {
            self.keys
                .iter()
                .zip(&slot.state)
                .filter_map(|(key, var)| Some((format!("{}.{}", (*key)?, slot.name), var)))
        })
    }

    pub(crate) fn state(&self, learning_rate: f64) -> Result<OptimizerState> {
        let tensors = self
            .tensors()
            .map(|(key, var)| Ok((key, var.copy()?.detach())))
            .collect::<candle_core::Result<Tensors>>()?;
        let mut scalars: BTreeMap<_, _> =
            self.slots.iter().map(|s| (format!("step.{}", s.name), s.steps as f64)).collect();
        scalars.insert(LEARNING_RATE.into(), learning_rate);
        Ok(OptimizerState { kind: self.kind.into(), scalars, tensors })
    }

    /// Takes over a state, after checking all of it, and returns its learning rate.
    pub(crate) fn load(&mut self, state: &OptimizerState) -> Result<f64> {
        state.check_kind(self.kind)?;
        let expected = self.tensors().map(|(key, var)| (key, Expected::of(var))).collect();
        check(&state.origin(), &state.tensors, &expected)?;
        let learning_rate = state.scalar(LEARNING_RATE)?;
        let steps = self
            .slots
            .iter()
            .map(|s| state.count(&format!("step.{}", s.name)))
            .collect::<Result<Vec<_>>>()?;
        if state.scalars.len() != steps.len() + 1 {
            return Err(Error::mismatch(state.origin(), "it counts the steps of other variables"));
        }
        for (key, var) in self.tensors() {
            if let Some(value) = state.tensors.get(&key) {
                var.set(&value.to_device(var.device())?)?;
            }
        }
        for (slot, steps) in self.slots.iter_mut().zip(steps) {
            slot.steps = steps;
        }
        Ok(learning_rate)
    }
}
