use super::Step;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use gdl_kernels::rng::{Rng, SharedRng};
use gdl_text::{Cell, Corpus, GenerateConfig, LanguageModel, ModelConfig, TrainConfig, Trainer};
use gdl_train::{Adam, AdamConfig, Clipping, Optimizer, ParamStore};
use std::ops::ControlFlow::Continue;

/// Characters of the text that the writing model knows.
const CHARACTERS: u32 = 65;

/// A training step on random tokens: loss, gradients, clipping to 5, Adam; the state is carried on.
pub(super) fn step(
    cell: Cell,
    hidden: usize,
    (batch, seq): (usize, usize),
    vocabulary: usize,
    device: &Device,
) -> Result<Step> {
    let store = ParamStore::new(DType::F32, device, 0);
    let model = LanguageModel::new(&ModelConfig::new(cell, hidden, 2), vocabulary, store.vb())?;
    let vars = store.trainable();
    let mut adam = Adam::new(vars.clone(), AdamConfig { learning_rate: 2e-3, ..AdamConfig::default() })?;
    let rng = SharedRng::seed(1);
    let tokens = || -> Result<Tensor> {
        let drawn = rng.rand((batch, seq), 0.0, vocabulary as f64, DType::F64, &Device::Cpu)?;
        Ok(drawn.to_dtype(DType::U32)?.clamp(0u32, vocabulary as u32 - 1)?.to_device(device)?)
    };
    let (inputs, targets) = (tokens()?, tokens()?);
    let mut state = None;
    Ok(Box::new(move || {
        let (loss, after) = model.loss(&inputs, &targets, state.as_ref(), true)?;
        state = Some(after.detach());
        let grads = loss.backward()?;
        // Nobody asks for the norm here, and a GPU goes on meanwhile.
        adam.step_braked(&grads, Clipping::new([], &vars, &grads, 5.0)?.brake())?;
        Ok(())
    }))
}

/// Writing with an untrained model of two LSTM layers.
pub(super) fn generate(hidden: usize, length: usize, device: &Device) -> Result<Step> {
    let mut rng = Rng::seed(1);
    let text = (0..20_000).filter_map(|i| {
        // Every character at least once.
        let code = if i < CHARACTERS { i } else { rng.below(CHARACTERS as usize) as u32 };
        char::from_u32('0' as u32 + code)
    });
    let corpus = Corpus::from_text("random characters", text.collect::<String>())?;
    let config = TrainConfig { model: ModelConfig::new(Cell::Lstm, hidden, 2), ..TrainConfig::default() };
    let trainer = Trainer::new(&corpus, config, device)?;
    let config = GenerateConfig { length, ..GenerateConfig::default() }.temperature(0.8);
    Ok(Box::new(move || {
        trainer.generate(&config, |_| Continue(()))?;
        Ok(())
    }))
}
