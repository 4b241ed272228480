use super::Trainer;
use crate::{Corpus, Error, ModelConfig, Result, TextModel, TrainConfig};

impl Trainer {
    /// A new training that begins with the weights and the tokenizer of a model, on whatever text; what `config` says of these and
    /// of the model's layers gives way, all else holds.
    ///
    /// # Errors
    /// As [`with_tokenizer`](Self::with_tokenizer), and [`Error::Setting`] for a model with a [`Window`](crate::Window).
    pub fn begin_from(corpus: &Corpus, model: &TextModel, config: TrainConfig) -> Result<Self> {
        let of = &model.config().train.model;
        if of.window.is_some() {
            let message = "a model that reads a window of tokens, as textgenrnn's do, writes and scores, and is not trained here";
            return Err(Error::setting("init from", message));
        }
        let layers = ModelConfig {
            cell: of.cell,
            embedding: of.embedding,
            hidden: of.hidden,
            layers: of.layers,
            tied: of.tied,
            init_range: None,
            ..config.model
        };
        let config = TrainConfig { tokenizer: model.tokenizer().config().clone(), model: layers, ..config };
        let trainer = Self::with_tokenizer(corpus, model.tokenizer().clone(), config, model.device())?;
        trainer.store.load_tensors("the model", model.weights())?;
        Ok(trainer)
    }
}

impl TextModel {
    /// The characters of a text that this model's vocabulary does not have, each once; none where tokens are not characters.
    ///
    /// # Errors
    /// Those of reading the text.
    pub fn unseen_chars(&self, corpus: &Corpus) -> Result<Vec<char>> {
        let mut unseen = Vec::new();
        for block in corpus.blocks() {
            for c in self.tokenizer().unseen_chars(&block?) {
                if !unseen.contains(&c) {
                    unseen.push(c);
                }
            }
        }
        Ok(unseen)
    }
}
