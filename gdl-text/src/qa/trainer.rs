use super::config::VectorsConfig;
use super::examples::{Batch, Examples};
use super::{Kind, Losses, Model, Network, Question, Questions, TrainConfig, Vectors};
use crate::eval::bits_per_char;
use crate::seq2seq::codec::Codec;
use crate::seq2seq::descent::{Descent, dropout_rng};
use crate::seq2seq::examples::Sides;
use crate::seq2seq::pairs::held_back;
use crate::seq2seq::trainer::fitted;
use crate::seq2seq::{PairsMark, TrainConfig as Course};
use crate::{Error, EvalReport, Result, StepReport, Tokenizer};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::read_one;
use gdl_seq2seq::{LossConfig, Seq2SeqConfig};
use gdl_train::ParamStore;
use std::collections::{BTreeSet, HashSet};

/// Passages shown as samples.
const SHOWN: usize = 4;

/// Trains a [`Model`] on questions: to mark their answers, and to write them, given the right answer and the right words before each.
///
/// # Example
/// ```
/// use candle_core::Device;
/// use gdl_text::Length;
/// use gdl_text::qa::{AskConfig, Questions, TrainConfig, Trainer};
///
/// let rows = [("the fox slept .", "who slept ?"), ("the crow ate .", "who ate ?")];
/// let questions = Questions::from_rows("drawn", rows.repeat(4).into_iter().map(|(p, q)| (p, q, vec![1..2])))?;
/// let mut config = TrainConfig::book();
/// (config.tagger, config.training.model.embedding, config.training.model.hidden) = (16, 16, 16);
/// (config.training.length, config.training.batch, config.training.learning_rate) = (Length::Steps(60), 8, 0.02);
/// let mut trainer = Trainer::new(&questions, None, config, &Device::Cpu)?;
/// while trainer.steps_left() > 0 {
///     trainer.step()?;
/// }
/// let asked = trainer.model().ask(&["the crow ate ."], &AskConfig::default())?;
/// assert_eq!((asked[0][0].answer.as_str(), asked[0][0].questions[0].text.as_str()), ("crow", "who ate ?"));
/// # Ok::<(), gdl_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(super) config: TrainConfig,
    pub(super) sides: Sides,
    pub(super) mark: PairsMark,
    pub(super) valid_mark: Option<PairsMark>,
    pub(super) descent: Descent,
    network: Network,
    /// The same weights without a graph, for validation and samples.
    view: Network,
    train: Examples,
    valid: Option<Examples>,
    /// Validation questions as they are, some of them, to show what is made of them.
    pub(super) shown: Vec<Question>,
    left_out: usize,
    known: Option<usize>,
}

/// The vocabulary of passages and questions. A word counts once for a passage and the questions about it that come behind each other: else a
/// name that both have would be in the vocabulary for being asked about, and those of other passages never.
fn sides(rows: &[Question], origin: &str, config: &Course) -> Result<Sides> {
    let texts = rows.chunk_by(|a, b| a.passage() == b.passage()).map(|rows| {
        let mut words = BTreeSet::new();
        let passage = rows.first().map(Question::passage);
        for text in passage.into_iter().chain(rows.iter().map(Question::question)) {
            let cased =
                |word: &str| if config.tokenizer.lowercase { word.to_lowercase() } else { word.into() };
            words.extend(text.split(' ').map(cased));
        }
        Ok(words.iter().fold(String::new(), |all, word| all + word + " "))
    });
    let tokenizer = Tokenizer::train_on(texts, &config.tokenizer).map_err(|e| match e {
        Error::Vocabulary { have, hint, .. } => Error::Vocabulary { origin: origin.into(), have, hint },
        e => e,
    })?;
    let codec = Codec { tokenizer };
    Ok(Sides { source: codec.clone(), target: codec })
}

/// What is trained and validated on.
fn parts<'a>(
    questions: &'a Questions,
    valid: Option<&'a Questions>,
    config: &Course,
) -> Result<(&'a [Question], &'a [Question])> {
    match valid {
        Some(valid) => Ok((questions.rows(), valid.rows())),
        None => held_back(questions.origin(), questions.rows(), config.valid_rows),
    }
}

/// The tables of vectors.
fn tables(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Book => &["tagger.embedding.weight"],
        Kind::Pointer => {
            &["tagger.embedding.weight", "writer.encoder.embedding.weight", "writer.decoder.embedding.weight"]
        }
    }
}

impl Trainer {
    /// Makes the vocabulary of the questions to train on, and draws the weights; vectors of words are read where the settings name them.
    /// Without questions for validation, some at the end of `questions` are kept back for that
    /// ([`valid_rows`](crate::seq2seq::TrainConfig::valid_rows)).
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting outside its range, or vectors of other words only, [`Error::Vocabulary`] for questions that give too
    /// little, [`Error::Tensor`] when the model's settings exclude each other, and those of [`Vectors::open`].
    pub fn new(
        questions: &Questions,
        valid: Option<&Questions>,
        config: TrainConfig,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let (train, _) = parts(questions, valid, &config.training)?;
        let sides = sides(train, questions.origin(), &config.training)?;
        let vectors = config.vectors.as_ref().map(|vectors| given(vectors, &sides.target)).transpose()?;
        let mut config = config;
        if let Some(vectors) = &vectors {
            config.training.model.embedding = vectors.size();
        }
        let mut trainer = Self::with_sides(questions, valid, sides, config, device)?;
        if let Some(vectors) = vectors {
            trainer.begin_with(&vectors)?;
        }
        Ok(trainer)
    }

    pub(super) fn with_sides(
        questions: &Questions,
        valid: Option<&Questions>,
        sides: Sides,
        mut config: TrainConfig,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        config.training.model = fitted(&config.training.model, &sides);
        let training = &config.training;
        let copy = training.model.copy;
        let (train, valid_rows) = parts(questions, valid, training)?;
        let (train, left_out) =
            Examples::new(train, &sides, copy, (training.max_source, training.max_target))?;
        train.some(questions.origin(), left_out)?;
        let (valid_examples, _) = Examples::new(valid_rows, &sides, copy, (None, None))?;

        let store = ParamStore::new(DType::F32, device, training.seed);
        if config.vectors.as_ref().is_some_and(|vectors| vectors.freeze) {
            tables(config.kind).iter().for_each(|table| store.freeze(table));
        }
        let rng = dropout_rng(training.seed);
        let network = Network::new(&config, store.vb())?.with_rng(&rng);
        let plain = VarBuilder::from_tensors(store.tensors().into_iter().collect(), DType::F32, device);
        let view = Network::new(&config, plain)?;
        Ok(Self {
            mark: questions.mark(),
            valid_mark: valid.map(Questions::mark),
            shown: valid_rows.iter().take(SHOWN).cloned().collect(),
            valid: (valid_examples.len() > 0).then_some(valid_examples),
            descent: Descent::new(training, train.len(), store, rng, device)?,
            known: None,
            config,
            sides,
            network,
            view,
            train,
            left_out,
        })
    }

    /// Sets the vectors of the words that there are some of; the others stay as they were drawn.
    fn begin_with(&mut self, vectors: &Vectors) -> Result<()> {
        let codec = &self.sides.target;
        let (mut known, vars) = (0, self.descent.store.vars());
        for name in tables(self.config.kind) {
            let Some(table) = vars.get(*name) else { continue };
            let mut rows = table.to_vec2::<f32>()?;
            known = 0;
            for (word, row) in words(codec).zip(&mut rows) {
                if let Some(vector) = word.as_ref().and_then(|word| vector(vectors, word)) {
                    row.copy_from_slice(vector);
                    known += 1;
                }
            }
            let shape = table.shape().clone();
            table.set(&Tensor::from_vec(rows.concat(), shape, table.device())?)?;
        }
        self.known = Some(known);
        Ok(())
    }

    /// One step: losses, gradient, clipping, optimizer. What it reports as the loss is the sum; perplexity and bits are of the question.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the loss is not finite; then nothing has changed. [`Error::Train`] when a gradient is
    /// not.
    pub fn step(&mut self) -> Result<StepReport> {
        let Self { descent, config, network, train, .. } = self;
        let training = &config.training;
        let rows = descent.rows(&train.texts, training);
        let Batch { passages, tags, questions, tokens } =
            train.batch(&rows, &training.model, &descent.device)?;
        let own = descent.own(training);
        let questions = network.scheduled(&passages, &tags, &questions, own, &descent.rng)?;
        let forward = network.forward_t(&passages, &tags, &questions, true)?;
        let losses = network.losses(&forward, &passages, &tags, &questions, &training.loss)?;
        descent.down(&losses.sum()?, &losses.questions, tokens, &train.texts, training)
    }

    /// The losses on the validation questions, given the right answers and the right words before each; none when there are none. The loss
    /// is the sum, all else is of the questions.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn validate(&self) -> Result<Option<EvalReport>> {
        let Some(valid) = &self.valid else { return Ok(None) };
        let found = likelihood(&self.view, valid, &self.config.training.model)?;
        Ok(Some(EvalReport { loss: found.tag_loss + found.questions.loss, ..found.questions }))
    }

    /// The model as it stands. It shares its weights with the training, and goes on changing with it.
    pub fn model(&self) -> Model {
        Model::of(self.config.clone(), self.sides.clone(), self.view.clone(), self.longest_passage())
    }

    /// The settings, with the model's vocabulary.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The weights.
    pub fn store(&self) -> &ParamStore {
        &self.descent.store
    }

    /// Questions that are trained on, those that are validated on, and those left out for their length.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.train.len(), self.valid.as_ref().map_or(0, Examples::len), self.left_out)
    }

    /// Words of the vocabulary that the vectors to begin with had, and all of them; none where there were no vectors.
    pub fn known_words(&self) -> Option<(usize, usize)> {
        self.known.map(|known| (known, self.sides.target.tokenizer.vocab_size()))
    }

    /// Steps done.
    pub fn steps_done(&self) -> usize {
        self.descent.step
    }

    /// Steps still to do.
    pub fn steps_left(&self) -> usize {
        self.descent.steps_left()
    }

    /// Steps in one pass over the questions.
    pub fn steps_per_epoch(&self) -> usize {
        self.descent.steps_per_pass()
    }

    pub(super) fn longest_passage(&self) -> usize {
        self.train.texts.longest().0
    }
}

/// The tokens of a side in their order, those that only mark rows without a name.
fn words(codec: &Codec) -> impl Iterator<Item = Option<String>> + '_ {
    let behind = codec.size() - codec.tokenizer.vocab_size();
    (0..codec.size()).map(move |id| codec.tokenizer.token(id.checked_sub(behind)? as u32))
}

/// The vector of a word, or of what it is in lower case.
fn vector<'a>(vectors: &'a Vectors, word: &str) -> Option<&'a [f32]> {
    vectors.get(word).or_else(|| vectors.get(&word.to_lowercase()))
}

/// The vectors of the words of a vocabulary.
fn given(config: &VectorsConfig, codec: &Codec) -> Result<Vectors> {
    let wanted: HashSet<String> =
        words(codec).flatten().flat_map(|word| [word.to_lowercase(), word]).collect();
    let vectors = Vectors::open(&config.path, &wanted)?;
    if vectors.is_empty() {
        let message = format!("{}: has none of the words of these passages and questions", vectors.origin());
        return Err(Error::setting("vectors", message));
    }
    Ok(vectors)
}

/// How likely answers and questions are.
#[derive(Debug)]
pub(super) struct Likelihood {
    /// The mean loss per word of the passages.
    pub(super) tag_loss: f64,
    /// The figures of the questions alone.
    pub(super) questions: EvalReport,
}

/// The mean losses per word, without what training adds to them.
pub(super) fn likelihood(
    network: &Network,
    examples: &Examples,
    model: &Seq2SeqConfig,
) -> Result<Likelihood> {
    /// Rows per call. The value changes nothing in the result.
    const BATCH: usize = 64;
    let (mut tag_loss, mut question_loss) = (0.0, 0.0);
    for rows in examples.texts.in_order(BATCH) {
        let Batch { passages, tags, questions, .. } = examples.batch(&rows, model, network.device())?;
        let forward = network.forward_t(&passages, &tags, &questions, false)?;
        let losses = network.losses(&forward, &passages, &tags, &questions, &LossConfig::default())?;
        let Losses { tags: of_tags, questions: of_questions } = &losses;
        tag_loss += read_one(of_tags)? * passages.lengths().iter().sum::<usize>() as f64;
        question_loss += read_one(of_questions)? * questions.tokens(model) as f64;
    }
    let (texts, tokens) = (&examples.texts, examples.texts.target_tokens());
    let loss = question_loss / tokens as f64;
    let questions = EvalReport {
        tokens,
        unknown: texts.unknown,
        loss,
        perplexity: loss.exp(),
        bits_per_char: bits_per_char(loss, tokens, texts.chars),
    };
    Ok(Likelihood { tag_loss: tag_loss / examples.passage_words() as f64, questions })
}
