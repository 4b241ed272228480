use super::book::{BookWriter, Writing};
use super::tagger::Tagger;
use super::{Kind, TrainConfig};
use crate::seq2seq::search::{self, Steps};
use candle_core::{D, DType, Device, Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{CrossEntropy, linear_cross_entropy};
use gdl_seq2seq::{Decoded, LossConfig, Seq2Seq, Seq2SeqConfig, Sources, Targets};

/// What marks answers in passages, and what writes the questions.
///
/// ```text
/// m_1 .. m_S = BiGRU(e(x_1) .. e(x_S))          an output for each word of the passage
/// p(x_s answers) = softmax(W m_s + b)_1
///
/// the book's:  h_0 = GRU(m_s of the answer's words)
///              h_t = GRU(e(y_{t-1}), h_{t-1})    with the same vectors e, which this use of them does not change
///              p(y_t) = softmax(W_o h_t)
/// pointer:     gdl_seq2seq::Seq2Seq of the passage, a word's vector followed by one for whether it is part of the answer
/// ```
///
/// # Parameters
/// V words, E = `embedding`, H = `hidden`, U = `tagger`.
///
/// | key | |
/// | --- | --- |
/// | `tagger.embedding.weight` | (V, E), [`gdl_rnn::Embedding`] |
/// | `tagger.rnn.*` | [`gdl_rnn::Gru`], E -> U in both directions |
/// | `tagger.output.weight`, `.bias` | (2, 2U), (2) |
/// | `writer.encoder.*`, `writer.decoder.*` | book: [`gdl_rnn::Gru`], 2U -> H and E -> H |
/// | `writer.output.weight` | book: (V, H) |
/// | `writer.*` | pointer: those of [`gdl_seq2seq::Seq2Seq`], with vectors of its own |
///
/// # Source
/// Foster, *Generative Deep Learning*, chapter 6. There the answer's outputs are picked by a product with a matrix of zeros and ones, and the
/// passage's padding is masked; here they are picked by their places. The GRU is PyTorch's form.
#[derive(Debug, Clone)]
pub struct Network {
    config: Seq2SeqConfig,
    tagger: Tagger,
    writer: Writer,
}

#[derive(Debug, Clone)]
enum Writer {
    Book(Box<BookWriter>),
    Pointer(Box<Seq2Seq>),
}

/// What a network makes of passages and questions.
#[derive(Debug, Clone)]
pub struct Forward {
    /// What the layer that marks answers reads (N, S, 2U).
    outputs: Tensor,
    said: Said,
}

#[derive(Debug, Clone)]
enum Said {
    /// What the output layer reads (N, T, H).
    Book(Tensor),
    Pointer(Box<Decoded>),
}

/// What training minimises.
#[derive(Debug, Clone)]
pub struct Losses {
    /// The mean cross-entropy of the words of the passages, padding aside: part of the answer or not.
    pub tags: Tensor,
    /// The mean cross-entropy of the words of the questions, and what training adds to it.
    pub questions: Tensor,
}

impl Losses {
    /// Their sum.
    ///
    /// # Errors
    /// None in practice: both are scalars.
    pub fn sum(&self) -> Result<Tensor> {
        &self.tags + &self.questions
    }
}

impl Network {
    /// Builds the network, its weights taken from `vb`; `config` has the vocabularies and special tokens of its model.
    ///
    /// # Errors
    /// When a size is 0, the dropout is not in [0, 1), choices exclude each other, or a weight is missing or wrongly shaped.
    pub fn new(config: &TrainConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let model = &config.training.model;
        let Seq2SeqConfig { source_vocab, target_vocab, embedding, hidden, dropout, .. } = *model;
        let tagger = Tagger::new(source_vocab, embedding, config.tagger, dropout, vb.pp("tagger"))?;
        let vb = vb.pp("writer");
        let writer = match config.kind {
            Kind::Book => {
                model.check()?;
                Writer::Book(Box::new(BookWriter::new(
                    2 * config.tagger,
                    hidden,
                    embedding,
                    target_vocab,
                    vb,
                )?))
            }
            Kind::Pointer => Writer::Pointer(Box::new(Seq2Seq::new(model, vb)?)),
        };
        Ok(Self { config: model.clone(), tagger, writer })
    }

    /// Gives it the generator that dropout draws from; training with dropout needs one.
    pub fn with_rng(self, rng: &SharedRng) -> Self {
        let writer = match self.writer {
            Writer::Pointer(model) => Writer::Pointer(Box::new(model.with_rng(rng.clone()))),
            book => book,
        };
        Self { tagger: self.tagger.with_rng(rng), writer, ..self }
    }

    /// Reads passages whose answers are marked, and the questions word by word, each given the right ones before it.
    ///
    /// # Errors
    /// When there is not one mark for each word, or none is the answer's, and those of [`Seq2Seq::forward_t`].
    pub fn forward_t(
        &self,
        passages: &Sources,
        tags: &[Vec<bool>],
        questions: &Targets,
        train: bool,
    ) -> Result<Forward> {
        let outputs = self.outputs(passages, train)?;
        let said = match &self.writer {
            Writer::Book(writer) => {
                let state = writer.read(&outputs, self.one_each(passages, tags)?)?;
                Said::Book(writer.write(self.tagger.table(), questions.inputs(), &state)?.0)
            }
            Writer::Pointer(model) => {
                Said::Pointer(Box::new(model.forward_t(&self.marked(passages, tags)?, questions, train)?))
            }
        };
        Ok(Forward { outputs, said })
    }

    /// The losses of what [`forward_t`](Self::forward_t) has made of these passages, marks and questions.
    ///
    /// # Errors
    /// When they are others, and those of [`Seq2Seq::loss`].
    pub fn losses(
        &self,
        forward: &Forward,
        passages: &Sources,
        tags: &[Vec<bool>],
        questions: &Targets,
        config: &LossConfig,
    ) -> Result<Losses> {
        /// The label of what is no word.
        const PADDING: u32 = 2;
        let width = passages.ids().dim(1)?;
        let labels = self.one_each(passages, tags)?.iter().flat_map(|row| {
            row.iter().map(|&tag| u32::from(tag)).chain(std::iter::repeat(PADDING)).take(width)
        });
        let labels = Tensor::from_iter(labels.collect::<Vec<_>>(), passages.ids().device())?;
        let labels = labels.reshape((tags.len(), width))?;
        let words = CrossEntropy { ignore_index: Some(PADDING), ..Default::default() };
        let tags = linear_cross_entropy(&forward.outputs, self.tagger.output(), &labels, &words)?;
        let questions = match (&self.writer, &forward.said) {
            (Writer::Book(writer), Said::Book(states)) => {
                let LossConfig { label_smoothing, .. } = *config;
                let words = CrossEntropy { ignore_index: Some(self.config.pad), label_smoothing };
                linear_cross_entropy(states, writer.output(), questions.labels(), &words)?
            }
            (Writer::Pointer(model), Said::Pointer(decoded)) => {
                model.loss(decoded, passages, questions, config)?
            }
            _ => bail!("Network: what was read is not of this network"),
        };
        Ok(Losses { tags, questions })
    }

    /// The logits (N, S, 2) of a word's not being part of an answer, and of being it.
    ///
    /// # Errors
    /// When what was read is not of this network.
    pub fn tag_logits(&self, forward: &Forward) -> Result<Tensor> {
        self.tagger.output().forward(&forward.outputs)
    }

    /// The logits (N, T, V) of the words of the vocabulary.
    ///
    /// # Errors
    /// When what was read is not of this network.
    pub fn question_logits(&self, forward: &Forward) -> Result<Tensor> {
        match (&self.writer, &forward.said) {
            (Writer::Book(writer), Said::Book(states)) => writer.output().forward(states),
            (Writer::Pointer(model), Said::Pointer(decoded)) => model.logits(decoded),
            _ => bail!("Network: what was read is not of this network"),
        }
    }

    /// For each word of each passage the probability that it is part of an answer.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn tag(&self, passages: &Sources) -> Result<Vec<Vec<f32>>> {
        let logits = self.tagger.output().forward(&self.outputs(passages, false)?)?;
        let p = candle_nn::ops::softmax(&logits, D::Minus1)?.narrow(2, 1, 1)?.squeeze(2)?;
        let rows = p.to_dtype(DType::F32)?.to_vec2::<f32>()?.into_iter().zip(passages.lengths());
        Ok(rows.map(|(row, &len)| row.into_iter().take(len).collect()).collect())
    }

    /// The questions as scheduled sampling has them, of the kind that can.
    pub(super) fn scheduled(
        &self,
        passages: &Sources,
        tags: &[Vec<bool>],
        questions: &Targets,
        own: f64,
        rng: &SharedRng,
    ) -> Result<Targets> {
        match &self.writer {
            Writer::Pointer(model) if own > 0.0 => {
                model.scheduled_sampling(&self.marked(passages, tags)?, questions, own, rng)
            }
            _ => Ok(questions.clone()),
        }
    }

    /// What writes questions about passages whose answers are marked.
    pub(super) fn writing(
        &self,
        passages: &Sources,
        tags: &[Vec<bool>],
    ) -> crate::Result<Box<dyn Steps + '_>> {
        match &self.writer {
            Writer::Book(writer) => {
                let outputs = self.outputs(passages, false)?;
                let state = writer.read(&outputs, self.one_each(passages, tags)?)?.detach();
                let sources = (0..tags.len()).collect();
                Ok(Box::new(Writing { writer, table: self.tagger.table(), state, sources }))
            }
            Writer::Pointer(model) => search::writing(model, &self.marked(passages, tags)?),
        }
    }

    fn outputs(&self, passages: &Sources, train: bool) -> Result<Tensor> {
        self.tagger.forward(passages.ids(), passages.lengths(), train)
    }

    fn marked(&self, passages: &Sources, tags: &[Vec<bool>]) -> Result<Sources> {
        let rows: Vec<Vec<u32>> =
            tags.iter().map(|row| row.iter().map(|&tag| u32::from(tag)).collect()).collect();
        passages.clone().with_features(&rows, &self.config)
    }

    fn one_each<'a>(&self, passages: &Sources, tags: &'a [Vec<bool>]) -> Result<&'a [Vec<bool>]> {
        let lengths: Vec<_> = tags.iter().map(Vec::len).collect();
        if lengths != passages.lengths() {
            let words = passages.lengths();
            bail!("Network: expected one mark for each of {words:?} words, got {lengths:?}")
        }
        Ok(tags)
    }

    /// Where it computes.
    pub(super) fn device(&self) -> &Device {
        self.tagger.table().weight().device()
    }
}
