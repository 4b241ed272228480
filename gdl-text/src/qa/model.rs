use super::examples::Examples;
use super::trainer::{Likelihood, likelihood};
use super::{Network, Questions, RunConfig, TrainConfig};
use crate::seq2seq::examples::Sides;
use crate::text_model::{WEIGHTS, plain};
use crate::{Result, Tokenizer};
use candle_core::Device;
use gdl_train::{Tensors, tensors_from_bytes};

/// A trained question generator with its vocabulary: reads passages, marks answers in them and writes a question for each.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) config: TrainConfig,
    pub(super) sides: Sides,
    pub(super) network: Network,
    longest: usize,
}

impl Model {
    /// Makes a model of what the files of a run hold: `config.json`, `tokenizer.json` and `weights.safetensors` (or
    /// `best.safetensors`).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) and [`Error::Tokenizer`](crate::Error::Tokenizer) when one of them is none, or they are
    /// not of one model; [`Error::Train`](crate::Error::Train) when a tensor is missing, left over or wrongly shaped.
    pub fn from_bytes(config: &str, tokenizer: &str, weights: &[u8], device: &Device) -> Result<Self> {
        let config = RunConfig::from_json(config)?;
        let training = &config.qa.training;
        let sides = training.sides_of(Tokenizer::from_json(tokenizer, &training.tokenizer)?, None)?;
        let (tensors, _) = tensors_from_bytes(WEIGHTS, weights, device)?;
        Self::new(config, sides, WEIGHTS, &tensors, device)
    }

    /// Of that vocabulary and these weights; `origin` names the weights in errors.
    pub(super) fn new(
        config: RunConfig,
        sides: Sides,
        origin: &str,
        tensors: &Tensors,
        device: &Device,
    ) -> Result<Self> {
        let RunConfig { qa: config, longest_passage, .. } = config;
        let (network, _) = plain(origin, tensors, device, |vb| Network::new(&config, vb))?;
        Ok(Self::of(config, sides, network, longest_passage))
    }

    pub(super) fn of(config: TrainConfig, sides: Sides, network: Network, longest: usize) -> Self {
        Self { config, sides, network, longest }
    }

    /// How it was trained.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Words of the longest passage that it learned from.
    pub fn longest_passage(&self) -> usize {
        self.longest
    }

    /// How likely the answers and the questions are, each word of a question given the right answer and the right words before it.
    pub(super) fn likelihood(&self, questions: &Questions) -> Result<Likelihood> {
        let copy = self.config.training.model.copy;
        let (examples, _) = Examples::new(questions.rows(), &self.sides, copy, (None, None))?;
        likelihood(&self.network, &examples, &self.config.training.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Length;
    use crate::qa::run_config::KIND;
    use crate::qa::{AskConfig, Trainer};
    use gdl_train::tensors_to_bytes;

    #[test]
    fn what_the_files_of_a_run_hold_makes_the_model_that_was_trained() {
        let rows = [("the fox slept .", "who slept ?"), ("the crow ate .", "who ate ?")].repeat(4);
        let rows =
            rows.into_iter().map(|(passage, question)| (passage, question, Vec::from_iter(Some(1..2))));
        let questions = Questions::from_rows("drawn", rows).unwrap();
        let mut config = TrainConfig::book();
        (config.tagger, config.training.model.embedding, config.training.model.hidden) = (8, 8, 8);
        (config.training.length, config.training.batch) = (Length::Steps(3), 4);
        let mut trainer = Trainer::new(&questions, None, config, &Device::Cpu).unwrap();
        for _ in 0..3 {
            trainer.step().unwrap();
        }
        let config = RunConfig {
            kind: KIND.into(),
            qa: trainer.config().clone(),
            questions: questions.mark(),
            valid: None,
            longest_passage: trainer.longest_passage(),
        };
        let config = serde_json::to_string(&config).unwrap();
        let tokenizer = trainer.sides.target.tokenizer.to_json().unwrap();
        let weights = tensors_to_bytes("memory", &trainer.store().tensors(), &Default::default()).unwrap();

        let model = Model::from_bytes(&config, &tokenizer, &weights, &Device::Cpu).unwrap();
        let ask = |model: &Model| model.ask(&["the crow slept ."], &AskConfig::default()).unwrap();
        let asked = ask(&model);
        assert!(!asked[0].is_empty() && asked == ask(&trainer.model()), "{asked:?}");
        let error = Model::from_bytes("{}", &tokenizer, &weights, &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("expected the kind \"question-answer\", found \"none\""), "{error}");
    }
}
