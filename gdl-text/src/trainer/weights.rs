use super::Trainer;
use crate::{LanguageModel, OptimizerKind, Result};
use candle_core::{DType, Var};
use candle_nn::VarBuilder;
use gdl_train::{
    Adam, AdamConfig, Optimizer, ParamStore, RmsProp, RmsPropConfig, Rng, Sgd, SgdConfig, SharedRng,
    WeightAverage,
};

/// The mean of the weights, and the model of it.
#[derive(Debug)]
pub(crate) struct Average {
    pub(crate) weights: WeightAverage,
    pub(super) view: LanguageModel,
}

impl Average {
    /// From the weights as they are.
    pub(crate) fn new(trainer: &Trainer) -> Result<Self> {
        let weights = WeightAverage::new(&trainer.store)?;
        // These tensors follow the mean.
        let vb =
            VarBuilder::from_tensors(weights.tensors().into_iter().collect(), DType::F32, &trainer.device);
        let view = LanguageModel::new(&trainer.config.model, trainer.tokenizer.vocab_size(), vb)?;
        Ok(Self { weights, view })
    }
}

/// An optimizer of that kind.
pub(crate) fn optimizer(
    kind: OptimizerKind,
    learning_rate: f64,
    weight_decay: f64,
    vars: &[(String, Var)],
) -> Result<Box<dyn Optimizer>> {
    let vars = vars.to_vec();
    Ok(match kind {
        OptimizerKind::Adam => {
            Box::new(Adam::new(vars, AdamConfig { learning_rate, weight_decay, ..Default::default() })?)
        }
        OptimizerKind::RmsProp => {
            Box::new(RmsProp::new(vars, RmsPropConfig { learning_rate, weight_decay, ..Default::default() })?)
        }
        OptimizerKind::Sgd | OptimizerKind::NtAsgd => {
            Box::new(Sgd::new(vars, SgdConfig { learning_rate, weight_decay, ..Default::default() })?)
        }
    })
}

/// Draws the vectors and the scores anew, uniformly within `range` of 0; the scores' bias is 0.
pub(super) fn start_within(range: f64, store: &ParamStore, seed: u64) -> Result<()> {
    for (name, var) in store.vars() {
        let rng = SharedRng::from(Rng::stream(seed, &name));
        match name.as_str() {
            "embedding.weight" | "head.weight" => {
                var.set(&rng.rand(var.shape(), -range, range, var.dtype(), var.device())?)?;
            }
            "head.bias" => var.set(&var.as_tensor().zeros_like()?)?,
            _ => {}
        }
    }
    Ok(())
}
