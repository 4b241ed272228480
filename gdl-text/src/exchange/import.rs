use super::ours::Order;
use super::parts::{Parts, width};
use super::state_dict::StateDict;
use super::textgenrnn::TextgenRnn;
use super::vocabulary::{is_tokenizer, read_vocabulary};
use crate::checkpoint::tokenizer_path;
use crate::run_config::KIND;
use crate::tokenizer::{OPENING, UNKNOWN, byte_token};
use crate::{
    Cell, CorpusConfig, CorpusMark, Error, LanguageModel, Level, ModelConfig, Result, RunConfig, Tokenizer,
    TokenizerConfig, TrainConfig, Window, WordSplit,
};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_train::{OnExisting, RunDir, Tensors, save_tensors};
use std::collections::BTreeMap;
use std::path::Path;

/// What stands for the end of a line in the word vocabularies of PyTorch's example and of AWD-LSTM.
const LINE_END: &str = "<eos>";

/// What the files of an imported model do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportConfig {
    /// What a token is. Default: a character if all are, names in angle brackets aside, or else a word.
    pub level: Option<Level>,
    /// Whether texts become lower case before they are read. Default: where the tokens are words and all in lower case.
    pub lowercase: Option<bool>,
    /// What a word is. Default: what stands between spaces; with our signs for opening quotation marks among the tokens, as the
    /// tokenizer has it that makes these.
    pub words: Option<WordSplit>,
}

/// A language model of PyTorch, read from its state dict, under our names and with the unknown token as id 0; or one of textgenrnn that
/// was converted by `docs/convert/textgenrnn.py`.
///
/// # Example
/// ```no_run
/// use gdl_text::{Import, ImportConfig};
/// use gdl_train::OnExisting;
/// use std::path::Path;
///
/// let vocabulary = Path::new("vocabulary.json");
/// let import = Import::read("model.pth", Some(vocabulary), &ImportConfig::default())?;
/// import.create_run("runs/imported", OnExisting::Refuse)?;
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Import {
    origin: String,
    model: ModelConfig,
    tokenizer: Tokenizer,
    weights: Tensors,
    notes: Vec<String>,
}

impl Import {
    /// Reads a state dict (`.pth` or `.safetensors`) and the vocabulary that its ids belong to (see [`read_vocabulary`]); a converted
    /// model of textgenrnn has that inside. A `tokenizer.json` of the `tokenizers` library is taken as it is, and its ids stay.
    ///
    /// Tensors are known by the names of our own, of PyTorch's word language model, and of AWD-LSTM, and else by their shapes:
    /// an `nn.Embedding`, `nn.LSTM` or `nn.GRU`, and an `nn.Linear`. The rows of the vectors and of the scores are put in
    /// our order, in which the unknown token `<unk>` comes first; it is added where there is none.
    ///
    /// # Errors
    /// [`Error::Train`] and [`Error::Read`] when a file is missing or broken, [`Error::VocabularyFile`] when the vocabulary is
    /// none or does not fit, [`Error::Import`] when the tensors are not those of such a model, or it cannot be told what
    /// they are.
    pub fn read(weights: impl AsRef<Path>, vocabulary: Option<&Path>, config: &ImportConfig) -> Result<Self> {
        let weights = weights.as_ref();
        let dict = StateDict::read(weights)?;
        match (TextgenRnn::of(&dict)?, vocabulary) {
            (None, Some(path)) => Self::new(&dict, Vocabulary::read(path, config)?, path, None, config),
            (Some(inside), None) => {
                let tokens = Vocabulary::Tokens(inside.tokens);
                Self::new(&dict, tokens, weights, Some(inside.window), config)
            }
            (None, None) => {
                let message = "it has no vocabulary inside; name the file of its tokens";
                Err(Error::import(&dict.origin, message))
            }
            (Some(_), Some(path)) => {
                let message = format!("{} has its own inside, and takes no other", dict.origin);
                Err(Error::VocabularyFile { path: path.into(), message })
            }
        }
    }

    fn new(
        dict: &StateDict,
        vocabulary: Vocabulary,
        path: &Path,
        window: Option<Window>,
        config: &ImportConfig,
    ) -> Result<Self> {
        let origin = dict.origin.clone();
        let parts = Parts::find(dict, window.is_some())?;
        let unfit = |message: String| Error::VocabularyFile { path: path.into(), message };
        let (have, want) = (vocabulary.len(), width(&parts.embedding, 0));
        if have != want {
            return Err(unfit(format!("it has {have} tokens, and {origin} is for {want}")));
        }
        let mut notes = Vec::new();
        if parts.no_biases {
            notes.push("layers without biases, which are zeros here".to_string());
        }
        let model = parts.config(window).map_err(|message| Error::import(&origin, message))?;
        let (tokenizer, order) = match vocabulary {
            Vocabulary::Whole(tokenizer) => (*tokenizer, Order::same(have)),
            Vocabulary::Tokens(mut tokens) => {
                let tokenizer = tokenizer_config(&tokens, config).map_err(unfit)?;
                if tokenizer.level == Level::Word && !tokens.iter().any(|token| token == "\n") {
                    tokens
                        .iter_mut()
                        .filter(|token| *token == LINE_END)
                        .for_each(|token| *token = "\n".into());
                }
                let order = Order::new(&mut tokens);
                if order.adds_unknown() {
                    notes.push(format!("the vocabulary has no {UNKNOWN}: added, never to be written"));
                }
                (Tokenizer::from_tokens(&tokens, &tokenizer).map_err(|e| unfit(e.to_string()))?, order)
            }
        };
        let weights = parts.weights(&model, &order)?;
        let vb = VarBuilder::from_tensors(weights.clone().into_iter().collect(), DType::F32, &Device::Cpu);
        LanguageModel::new(&model, tokenizer.vocab_size(), vb)
            .map_err(|e| Error::import(&origin, e.to_string()))?;
        Ok(Self { origin, model, tokenizer, weights, notes })
    }

    /// What the model is made of.
    pub fn model(&self) -> &ModelConfig {
        &self.model
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What was done to the model besides renaming, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Makes a run directory of it, which writes and scores as one that was trained does; its training cannot be resumed, but a
    /// new one begun from it ([`Trainer::begin_from`](crate::Trainer::begin_from)).
    ///
    /// # Errors
    /// [`Error::Train`] when there is something already, or nothing can be written.
    pub fn create_run(&self, path: impl AsRef<Path>, on_existing: OnExisting) -> Result<RunDir> {
        let tokenizer = self.tokenizer.config().clone();
        let config = RunConfig {
            kind: KIND.into(),
            train: TrainConfig { tokenizer, model: self.model.clone(), ..TrainConfig::default() },
            vocab_size: self.tokenizer.vocab_size(),
            corpus: CorpusMark::of_import(&self.origin),
            reading: CorpusConfig::default(),
            valid: None,
        };
        let run = RunDir::create(path, &config, on_existing)?;
        self.tokenizer.save(tokenizer_path(run.path()))?;
        let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
        save_tensors(run.weights_path(), &self.weights, &metadata)?;
        Ok(run)
    }
}

impl CorpusMark {
    /// In place of the text of a model that was imported: where that came from.
    fn of_import(origin: &str) -> Self {
        Self { origin: origin.to_string(), bytes: 0, fnv1a: String::new() }
    }
}

/// What the ids of an imported model stand for.
enum Vocabulary {
    Tokens(Vec<String>),
    /// A `tokenizer.json`, whose ids stay.
    Whole(Box<Tokenizer>),
}

impl Vocabulary {
    fn read(path: &Path, config: &ImportConfig) -> Result<Self> {
        if !is_tokenizer(path)? {
            return Ok(Self::Tokens(read_vocabulary(path)?));
        }
        if *config != ImportConfig::default() {
            let message = "a tokenizer.json says itself what a token is; leave level, case and words to it";
            return Err(Error::VocabularyFile { path: path.into(), message: message.into() });
        }
        Ok(Self::Whole(Box::new(Tokenizer::load(path, &TokenizerConfig::new(Level::Custom))?)))
    }

    fn len(&self) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.len(),
            Self::Whole(tokenizer) => tokenizer.vocab_size(),
        }
    }
}

/// How texts become the tokens of an imported vocabulary.
fn tokenizer_config(
    tokens: &[String],
    config: &ImportConfig,
) -> std::result::Result<TokenizerConfig, String> {
    // `<s>`, `<pad>`: no text is read as one of these.
    let named = |token: &str| token.starts_with('<') && token.ends_with('>') && token.len() > 2;
    let longer = |token: &&String| token.chars().count() != 1 && !named(token);
    let longer = tokens.iter().find(longer);
    let level = config.level.unwrap_or(if longer.is_none() { Level::Char } else { Level::Word });
    if let (Level::Char, Some(token)) = (level, longer) {
        return Err(format!("its token {token:?} is not one character, as those of a character model are"));
    }
    let lower = |token: &String| token.to_lowercase() == *token;
    let lowercase = config.lowercase.unwrap_or(level == Level::Word && tokens.iter().all(lower));
    let tokenizer = TokenizerConfig::new(level).lowercase(lowercase).min_count(1);
    if level == Level::Char {
        let has = |byte| tokens.contains(&byte_token(byte));
        return Ok(tokenizer.byte_fallback((0..=255).all(has)));
    }
    // Our signs for opening quotation marks are in no other program's vocabulary.
    let ours = tokens.iter().any(|token| OPENING.iter().any(|(_, sign)| token.chars().eq([*sign])));
    let words = if ours { WordSplit::Punctuation } else { WordSplit::Space };
    Ok(tokenizer.words(config.words.unwrap_or(words)))
}

/// What is said of an imported model.
impl std::fmt::Display for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ModelConfig { cell, embedding, hidden, layers, tied, window, .. } = &self.model;
        let cell = match cell {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
        };
        let (vectors, tokens) = (if *tied { "tied vectors" } else { "vectors" }, self.tokenizer.vocab_size());
        let level = self.tokenizer.config().level;
        write!(f, "{cell} of {layers} x {hidden}, {vectors} of {embedding}, {tokens} tokens ({level})")?;
        match window {
            Some(window) => write!(f, ", attention over the last {}", window.length),
            None => Ok(()),
        }
    }
}
