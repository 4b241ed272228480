use super::codec::{BOS, Codec, EOS, PAD};
use super::descent::{Descent, dropout_rng};
use super::examples::{Examples, Sides};
use super::pairs::held_back;
use super::{Model, Pairs, PairsMark, TrainConfig};
use crate::eval::bits_per_char;
use crate::{Error, EvalReport, Level, Result, StepReport, Tokenizer};
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use gdl_kernels::read_one;
use gdl_seq2seq::{LossConfig, Seq2Seq, Seq2SeqConfig};
use gdl_train::ParamStore;

/// Pairs shown as samples.
const SHOWN: usize = 8;

/// Trains a [`Model`] on pairs, teacher-forced.
///
/// # Example
/// ```
/// use candle_core::Device;
/// use gdl_text::seq2seq::{Pairs, TrainConfig, Trainer};
/// use gdl_text::{Length, Level};
///
/// let rows = ["ab", "ba", "aab", "abb", "bab", "bba"].repeat(8);
/// let pairs = Pairs::from_rows("upper case", rows.iter().map(|s| (s.to_string(), s.to_uppercase())).collect())?;
/// let mut config = TrainConfig { length: Length::Steps(200), batch: 8, learning_rate: 0.02, ..TrainConfig::new(Level::Char) };
/// (config.model.hidden, config.model.layers, config.model.dropout, config.init_range) = (32, 1, 0.0, None);
/// let mut trainer = Trainer::new(&pairs, None, config, &Device::Cpu)?;
/// while trainer.steps_left() > 0 {
///     trainer.step()?;
/// }
/// let written = trainer.model().write(&["bab"], &Default::default())?;
/// assert_eq!(written[0][0].text, "BAB");
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(crate) config: TrainConfig,
    pub(crate) sides: Sides,
    pub(crate) mark: PairsMark,
    pub(crate) valid_mark: Option<PairsMark>,
    pub(super) descent: Descent,
    model: Seq2Seq,
    /// The same weights without a graph, for validation and samples.
    view: Seq2Seq,
    train: Examples,
    valid: Option<Examples>,
    /// Validation pairs as they are, some of them, to show what is made of them.
    pub(super) shown: Vec<(String, String)>,
    left_out: usize,
}

/// The tokenizers of both sides, made from what is trained on.
fn sides(rows: &[(String, String)], origin: &str, config: &TrainConfig) -> Result<Sides> {
    let train = |texts: &mut (dyn Iterator<Item = &String> + Send)| {
        // Line by line, as lines they are: a target is no part of its source.
        let text = texts.fold(String::new(), |all, text| all + text + "\n");
        let tokenizer = match config.tokenizer.level {
            // No line end is ever read or written.
            Level::Char => Tokenizer::train(&text.replace('\n', ""), &config.tokenizer),
            _ => Tokenizer::train(&text, &config.tokenizer),
        };
        tokenizer.map_err(|e| match e {
            Error::Vocabulary { have, hint, .. } => Error::Vocabulary { origin: origin.into(), have, hint },
            e => e,
        })
    };
    if config.shared {
        let tokenizer = train(&mut rows.iter().flat_map(|(source, target)| [source, target]))?;
        let codec = Codec { tokenizer };
        return Ok(Sides { source: codec.clone(), target: codec });
    }
    let source = Codec { tokenizer: train(&mut rows.iter().map(|(source, _)| source))? };
    let target = Codec { tokenizer: train(&mut rows.iter().map(|(_, target)| target))? };
    Ok(Sides { source, target })
}

/// The model's sizes and special tokens for these tokenizers.
pub(crate) fn fitted(model: &Seq2SeqConfig, sides: &Sides) -> Seq2SeqConfig {
    Seq2SeqConfig {
        source_vocab: sides.source.size(),
        target_vocab: sides.target.size(),
        pad: PAD,
        unk: sides.target.unk(),
        bos: BOS,
        eos: EOS,
        ..model.clone()
    }
}

impl Trainer {
    /// Makes the vocabularies of the pairs to train on, and draws the weights. Without pairs for validation, some at the end of `pairs` are
    /// kept back for that ([`TrainConfig::valid_rows`]).
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, [`Error::Vocabulary`] for pairs that give too little, [`Error::Tensor`] when the
    /// model's settings exclude each other.
    pub fn new(pairs: &Pairs, valid: Option<&Pairs>, config: TrainConfig, device: &Device) -> Result<Self> {
        config.check()?;
        let (train, _) = Self::parts(pairs, valid, &config)?;
        let sides = sides(train, pairs.origin(), &config)?;
        Self::with_sides(pairs, valid, sides, config, device)
    }

    /// What is trained and validated on.
    #[expect(clippy::type_complexity, reason = "two slices of pairs")]
    fn parts<'a>(
        pairs: &'a Pairs,
        valid: Option<&'a Pairs>,
        config: &TrainConfig,
    ) -> Result<(&'a [(String, String)], &'a [(String, String)])> {
        match valid {
            Some(valid) => Ok((pairs.rows(), valid.rows())),
            None => held_back(pairs.origin(), pairs.rows(), config.valid_rows),
        }
    }

    pub(crate) fn with_sides(
        pairs: &Pairs,
        valid: Option<&Pairs>,
        sides: Sides,
        mut config: TrainConfig,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        config.model = fitted(&config.model, &sides);
        let copy = config.model.copy;
        if copy {
            sides.target.check_copying(&sides.source)?;
        }
        let (train, valid_rows) = Self::parts(pairs, valid, &config)?;
        let mut train = Examples::new(train, &sides, copy)?;
        let left_out = train.keep(config.max_source, config.max_target);
        train.some(pairs.origin(), left_out)?;
        let mut valid_examples = Examples::new(valid_rows, &sides, copy)?;
        valid_examples.keep(None, None);

        let store = ParamStore::new(DType::F32, device, config.seed);
        let rng = dropout_rng(config.seed);
        let model = Seq2Seq::new(&config.model, store.vb())?.with_rng(rng.clone());
        let frozen = VarBuilder::from_tensors(store.tensors().into_iter().collect(), DType::F32, device);
        let view = Seq2Seq::new(&config.model, frozen)?;
        Ok(Self {
            mark: pairs.mark(),
            valid_mark: valid.map(Pairs::mark),
            shown: valid_rows.iter().take(SHOWN).cloned().collect(),
            valid: (valid_examples.len() > 0).then_some(valid_examples),
            descent: Descent::new(&config, train.len(), store, rng, device)?,
            config,
            sides,
            model,
            view,
            train,
            left_out,
        })
    }

    /// One step: loss, gradient, clipping, optimizer.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the loss is not finite; then nothing has changed. [`Error::Train`] when a gradient is
    /// not.
    pub fn step(&mut self) -> Result<StepReport> {
        let Self { descent, config, model, train, .. } = self;
        let rows = descent.rows(train, config);
        let batch = train.batch(&rows, &config.model, &descent.device)?;
        let own = descent.own(config);
        let targets = match own > 0.0 {
            true => model.scheduled_sampling(&batch.sources, &batch.targets, own, &descent.rng)?,
            false => batch.targets,
        };
        let decoded = model.forward_t(&batch.sources, &targets, true)?;
        let loss = model.loss(&decoded, &batch.sources, &targets, &config.loss)?;
        descent.down(&loss, &loss, batch.tokens, train, config)
    }

    /// The loss on the validation pairs, each target token given the right ones before it; none when there are none.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn validate(&self) -> Result<Option<EvalReport>> {
        self.valid.as_ref().map(|valid| likelihood(&self.view, valid, &self.descent.device)).transpose()
    }

    /// The model as it stands. It shares its weights with the training, and goes on changing with it.
    pub fn model(&self) -> Model {
        let longest = self.longest_source();
        Model::of(self.config.clone(), self.sides.clone(), self.view.clone(), longest, &self.descent.device)
    }

    /// The settings, with the model's vocabularies.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The weights.
    pub fn store(&self) -> &ParamStore {
        &self.descent.store
    }

    /// Pairs that are trained on, those that are validated on, and those left out for their length.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.train.len(), self.valid.as_ref().map_or(0, Examples::len), self.left_out)
    }

    /// Steps done.
    pub fn steps_done(&self) -> usize {
        self.descent.step
    }

    /// Steps still to do.
    pub fn steps_left(&self) -> usize {
        self.descent.steps_left()
    }

    /// Steps in one pass over the pairs.
    pub fn steps_per_epoch(&self) -> usize {
        self.descent.steps_per_pass()
    }

    pub(crate) fn longest_source(&self) -> usize {
        self.train.longest().0
    }
}

/// The mean loss per target token, without what training adds to it.
pub(crate) fn likelihood(model: &Seq2Seq, examples: &Examples, device: &Device) -> Result<EvalReport> {
    /// Rows per call. The value changes nothing in the result.
    const BATCH: usize = 64;
    let mut total = 0.0;
    for rows in examples.in_order(BATCH) {
        let batch = examples.batch(&rows, model.config(), device)?;
        let decoded = model.forward_t(&batch.sources, &batch.targets, false)?;
        let loss = model.loss(&decoded, &batch.sources, &batch.targets, &LossConfig::default())?;
        total += read_one(&loss)? * batch.targets.tokens(model.config()) as f64;
    }
    let tokens = examples.target_tokens();
    let loss = total / tokens as f64;
    Ok(EvalReport {
        tokens,
        unknown: examples.unknown,
        loss,
        perplexity: loss.exp(),
        bits_per_char: bits_per_char(loss, tokens, examples.chars),
    })
}
