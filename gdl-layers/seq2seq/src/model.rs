use crate::batch::{Copies, Sources, Targets, same_rows};
use crate::config::{Seq2SeqConfig, Tied};
use crate::decoder::{Decoded, Decoder};
use crate::encoder::{Encoded, Encoder};
use crate::loss::{LossConfig, coverage};
use crate::pointer;
use candle_core::{Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{CrossEntropy, linear_cross_entropy};

/// A recurrent encoder-decoder: reads a source, and writes a target token by token, looking back at the source as it goes.
///
/// ```text
/// m_1 .. m_S, s = encoder(x_1 .. x_S)                an output for each place, and the state at the row's own end
/// s = tanh(W_k s + b_k)                              for every layer k, with the dense bridge
/// q_t, s = decoder([e(y_{t-1}); o_{t-1}], s)         y_0 = bos; o only with input feeding, o_0 = 0
/// a_t = softmax_s(score(q_t, m_s))                   see Attention; padding has none
/// c_t = sum_s a_ts m_s
/// o_t = tanh(W_c [c_t; q_t])                         without attention, o_t = q_t
/// P_t = softmax(W_o o_t + b_o)
/// g_t = sigmoid(w . [c_t; q_t; e(y_{t-1})] + b)      with copying
/// p(y_t | y_<t, x) = g_t P_t(y_t) + (1 - g_t) sum_{s: x_s = y_t} a_ts
/// ```
///
/// With coverage every key has `w_c` times the attention added that its place had at the steps before.
///
/// Where neither input feeding nor coverage is on, [`forward_t`](Self::forward_t) runs each layer as one whole-sequence operator.
///
/// # Parameters
///
/// E = `embedding`, H = `hidden`; the initial values are those of the layers named, and PyTorch's for linear layers.
///
/// | key | |
/// | --- | --- |
/// | `encoder.embedding.weight` | (`source_vocab`, E), [`gdl_rnn::Embedding`]; unless all tables are tied |
/// | `encoder.features.weight` | (`values`, `size`), with features |
/// | `encoder.rnn.*` | [`gdl_rnn::Lstm`] or [`gdl_rnn::Gru`], E -> H, or H/2 in each direction |
/// | `encoder.bridge.h.{k}.weight`, `.bias` | (H, H), (H), with the dense bridge |
/// | `encoder.bridge.c.{k}.weight`, `.bias` | the same, for the LSTM's cell state |
/// | `decoder.embedding.weight` | (`target_vocab`, E) |
/// | `decoder.rnn.*` | E -> H, or E + H -> H with input feeding |
/// | `decoder.attention.memory.weight` | (H, H), general and additive |
/// | `decoder.attention.query.weight`, `.bias` | (H, H), (H), additive |
/// | `decoder.attention.score.weight` | (1, H), additive |
/// | `decoder.attention.coverage.weight` | (H, 1), with coverage |
/// | `decoder.attention.combine.weight` | (H, 2H), context before query |
/// | `decoder.pointer.weight`, `.bias` | (1, 2H + E), (1), with copying |
/// | `decoder.project.weight` | (E, H), tied where E is not H |
/// | `decoder.output.weight`, `.bias` | (`target_vocab`, H), (`target_vocab`); tied, the weight is `decoder.embedding.weight` |
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device};
/// use gdl_seq2seq::{LossConfig, Seq2Seq, Seq2SeqConfig, Sources, Targets};
///
/// let dev = Device::Cpu;
/// let config = Seq2SeqConfig { embedding: 8, hidden: 16, ..Seq2SeqConfig::new(20, 20) };
/// let model = Seq2Seq::new(&config, candle_nn::VarBuilder::zeros(DType::F32, &dev))?;
/// let sources = Sources::new(&[vec![5, 6, 7], vec![8]], &config, &dev)?;
/// let targets = Targets::new(&[vec![7, 6, 5], vec![8]], &config, &dev)?;
/// let decoded = model.forward_t(&sources, &targets, false)?;
/// assert_eq!(model.logits(&decoded)?.dims(), [2, 4, 20]);
/// assert_eq!(decoded.attention.as_ref().unwrap().dims(), [2, 4, 3]);
/// assert_eq!(model.loss(&decoded, &sources, &targets, &LossConfig::default())?.dims(), [0usize; 0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Luong, Pham and Manning 2015, <https://arxiv.org/abs/1508.04025>; Bahdanau, Cho and Bengio 2014, <https://arxiv.org/abs/1409.0473>;
/// See, Liu and Manning 2017, <https://arxiv.org/abs/1704.04368>; sizes and the bridge as in OpenNMT-py. Deliberate differences: the
/// combining layer and tanh follow every kind of attention, and coverage acts on the keys of every kind.
#[derive(Debug, Clone)]
pub struct Seq2Seq {
    config: Seq2SeqConfig,
    encoder: Encoder,
    pub(crate) decoder: Decoder,
}

impl Seq2Seq {
    /// Builds the model, its weights taken from `vb`.
    ///
    /// # Errors
    ///
    /// When choices exclude each other ([`Seq2SeqConfig::check`]), a size is 0, the dropout is not in [0, 1), or a weight is missing
    /// or wrongly shaped.
    pub fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        config.check()?;
        let decoder = Decoder::new(config, vb.pp("decoder"))?;
        let table = (config.tied == Tied::All).then(|| decoder.words.embedding());
        let encoder = Encoder::new(config, table, vb.pp("encoder"))?;
        Ok(Self { config: config.clone(), encoder, decoder })
    }

    /// Gives the model the generator its dropout draws from; training with dropout needs one.
    pub fn with_rng(self, rng: SharedRng) -> Self {
        Self { encoder: self.encoder.with_rng(&rng), decoder: self.decoder.with_rng(&rng), ..self }
    }

    /// What the model was built from.
    pub fn config(&self) -> &Seq2SeqConfig {
        &self.config
    }

    /// Reads a batch of sources.
    ///
    /// # Errors
    ///
    /// When the sources lack features that the model reads, or there is dropout to do but no generator to draw from.
    pub fn encode(&self, sources: &Sources, train: bool) -> Result<Encoded> {
        self.encoder.forward(sources, train)
    }

    /// Teacher forcing: what the decoder makes of every target token, each given those before it.
    ///
    /// # Errors
    ///
    /// When sources and targets are not the same number of rows, those of [`encode`](Self::encode).
    pub fn forward_t(&self, sources: &Sources, targets: &Targets, train: bool) -> Result<Decoded> {
        same_rows(sources.lengths.len(), targets.inputs.rows.len())?;
        let encoded = self.encode(sources, train)?;
        let memory = self.decoder.remember(&encoded, sources)?;
        let carried = self.decoder.start(&encoded.state, memory.as_ref(), self.config.coverage)?;
        if self.config.is_stepwise() {
            return Ok(self.decoder.stepwise(&targets.inputs.tensor, carried, memory.as_ref(), train)?.0);
        }
        self.decoder.whole(&targets.inputs.tensor, &carried, memory.as_ref(), train)
    }

    /// The logits (N, T, `target_vocab`) of the vocabulary.
    ///
    /// # Errors
    ///
    /// When what was decoded is not of this model.
    pub fn logits(&self, decoded: &Decoded) -> Result<Tensor> {
        self.decoder.output().forward(&decoded.output)
    }

    /// The mean over all labels but padding of -log p(label), with what `config` adds.
    ///
    /// Without copying, logits are made some rows at a time ([`linear_cross_entropy`]).
    ///
    /// # Errors
    ///
    /// When what was decoded does not belong to these sources and targets, every label is padding, the model copies and the sources say
    /// not [what](Sources::copying), or coverage is to be weighed where there is no attention.
    pub fn loss(
        &self,
        decoded: &Decoded,
        sources: &Sources,
        targets: &Targets,
        config: &LossConfig,
    ) -> Result<Tensor> {
        let LossConfig { label_smoothing, coverage: weight } = *config;
        let (pad, labels) = (self.config.pad, &targets.labels);
        let count = targets.tokens(&self.config);
        let loss = match (self.copies(sources)?, &decoded.attention, &decoded.generate) {
            (Some(copies), Some(attention), Some(choice)) => {
                if count == 0 {
                    bail!("Seq2Seq: every label is padding, so there is nothing to average")
                }
                let logits = self.logits(decoded)?;
                let losses = pointer::losses(
                    &logits,
                    attention,
                    choice,
                    &labels.rows,
                    copies,
                    &self.config,
                    label_smoothing,
                )?;
                (losses.sum_all()? / count as f64)?
            }
            _ => {
                let config = CrossEntropy { ignore_index: Some(pad), label_smoothing };
                linear_cross_entropy(&decoded.output, self.decoder.output(), &labels.tensor, &config)?
            }
        };
        if weight == 0. {
            return Ok(loss);
        }
        let Some(attention) = &decoded.attention else {
            bail!("Seq2Seq: a loss for coverage needs attention")
        };
        let counts = labels.tensor.ne(pad)?.to_dtype(attention.dtype())?;
        loss + (coverage(attention, &counts)? * (weight / count as f64))?
    }

    /// What can be copied, if this model copies.
    pub(crate) fn copies<'a>(&self, sources: &'a Sources) -> Result<Option<&'a Copies>> {
        match (&sources.copies, self.config.copy) {
            (Some(copies), true) => Ok(Some(copies)),
            (_, false) => Ok(None),
            (None, true) => {
                bail!(
                    "Seq2Seq: this model copies: say with `Sources::copying` what the source tokens are to the target"
                )
            }
        }
    }
}
