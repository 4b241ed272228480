use crate::batch::{Sources, Targets};
use crate::cell::{Rnn, State};
use crate::config::Seq2SeqConfig;
use crate::encoder::Encoder;
use crate::loss::cross_entropy;
use crate::words::Words;
use candle_core::{D, DType, Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{Linear, linear};

/// A recurrent encoder-decoder: reads a source, and writes a target from the state that this leaves.
///
/// ```text
/// s = encoder(x_1 .. x_S)                            state at the row's own end; padding has no part in it
/// s = tanh(W_k [s_forward; s_backward] + b_k)        for every layer k, if the encoder is bidirectional
/// d_t, s = decoder(y_{t-1}, s),  y_0 = bos
/// p(y_t | y_<t, x) = softmax(W_o d_t + b_o)
/// ```
///
/// # Parameters
///
/// E = `embedding`, H = `hidden`; the initial values are those of the layers named.
///
/// | key | |
/// | --- | --- |
/// | `encoder.embedding.weight` | (`source_vocab`, E), [`gdl_rnn::Embedding`] |
/// | `encoder.rnn.*` | [`gdl_rnn::Lstm`] or [`gdl_rnn::Gru`], E -> H |
/// | `encoder.bridge.h.{k}.weight`, `.bias` | (H, 2H), (H): [`gdl_rnn::linear`], if bidirectional |
/// | `encoder.bridge.c.{k}.weight`, `.bias` | the same, for the LSTM's cell state |
/// | `decoder.embedding.weight` | (`target_vocab`, E) |
/// | `decoder.rnn.*` | E -> H |
/// | `decoder.output.weight`, `.bias` | (`target_vocab`, H), (`target_vocab`) |
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device};
/// use gdl_seq2seq::{Seq2Seq, Seq2SeqConfig, Sources, Targets};
///
/// let dev = Device::Cpu;
/// let config = Seq2SeqConfig { embedding: 8, hidden: 16, ..Seq2SeqConfig::new(20, 20) };
/// let model = Seq2Seq::new(&config, candle_nn::VarBuilder::zeros(DType::F32, &dev))?;
/// let sources = Sources::new(&[vec![5, 6, 7], vec![8]], &config, &dev)?;
/// let targets = Targets::new(&[vec![7, 6, 5], vec![8]], &config, &dev)?;
/// let logits = model.forward_t(&sources, &targets, false)?;
/// assert_eq!(logits.dims(), [2, 4, 20]);
/// assert_eq!(model.loss(&logits, &targets)?.dims(), [0usize; 0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Sutskever et al. 2014, <https://arxiv.org/abs/1409.3215>; the bridge as in OpenNMT-py, with tanh.
#[derive(Debug, Clone)]
pub struct Seq2Seq {
    config: Seq2SeqConfig,
    encoder: Encoder,
    words: Words,
    rnn: Rnn,
    output: Linear,
}

impl Seq2Seq {
    /// Builds the model, its weights taken from `vb`.
    ///
    /// # Errors
    ///
    /// When a size is 0, a special token is outside its vocabulary, eos is pad, the dropout is not in [0, 1), or a
    /// weight is missing or wrongly shaped.
    pub fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        config.check()?;
        let decoder = vb.pp("decoder");
        Ok(Self {
            config: config.clone(),
            encoder: Encoder::new(config, vb.pp("encoder"))?,
            words: Words::new(config.target_vocab, config, decoder.pp("embedding"))?,
            rnn: Rnn::new(config, false, decoder.pp("rnn"))?,
            output: linear(config.hidden, config.target_vocab, decoder.pp("output"))?,
        })
    }

    /// Gives the model the generator its dropout draws from; training with dropout needs one.
    pub fn with_rng(self, rng: SharedRng) -> Self {
        Self {
            encoder: self.encoder.with_rng(&rng),
            words: self.words.with_rng(&rng),
            rnn: self.rnn.with_rng(rng),
            ..self
        }
    }

    /// What the model was built from.
    pub fn config(&self) -> &Seq2SeqConfig {
        &self.config
    }

    /// Reads a batch of sources; returns the state that the decoder starts from.
    ///
    /// # Errors
    ///
    /// When there is dropout to do but no generator to draw from.
    pub fn encode(&self, sources: &Sources, train: bool) -> Result<State> {
        self.encoder.forward(sources, train)
    }

    /// Reads target tokens (N, T) from a state; returns the logits (N, T, `target_vocab`) of the token after each,
    /// and the state after the last.
    ///
    /// # Errors
    ///
    /// When the state is not one of this model for N rows, T is 0, or there is dropout to do but no generator to
    /// draw from.
    pub fn decode(&self, inputs: &Tensor, state: &State, train: bool) -> Result<(Tensor, State)> {
        let x = self.words.forward(inputs, train)?; // (N, T, E)
        let (y, state) = self.rnn.decode(&x, state, train)?; // (N, T, H)
        Ok((self.output.forward(&y)?, state))
    }

    /// Teacher forcing: the logits (N, T, `target_vocab`) of every target token, each given those before it.
    ///
    /// # Errors
    ///
    /// When sources and targets are not the same number of rows, or there is dropout to do but no generator to draw
    /// from.
    pub fn forward_t(&self, sources: &Sources, targets: &Targets, train: bool) -> Result<Tensor> {
        let (n, m) = (sources.ids.dim(0)?, targets.inputs.dim(0)?);
        if n != m {
            candle_core::bail!("Seq2Seq: {n} source rows, but {m} target rows")
        }
        let state = self.encode(sources, train)?;
        Ok(self.decode(&targets.inputs, &state, train)?.0)
    }

    /// [`cross_entropy`] of the logits that [`forward_t`](Self::forward_t) returned, padding left out.
    ///
    /// # Errors
    ///
    /// When the logits do not belong to these targets.
    pub fn loss(&self, logits: &Tensor, targets: &Targets) -> Result<Tensor> {
        cross_entropy(logits, &targets.labels, self.config.pad)
    }

    /// Writes the likeliest token again and again, until eos or `max_length` tokens; eos is not part of the result.
    ///
    /// # Errors
    ///
    /// When an operation of candle fails.
    pub fn greedy(&self, sources: &Sources, max_length: usize) -> Result<Vec<Vec<u32>>> {
        let n = sources.lengths.len();
        let mut rows = vec![Vec::new(); n];
        let mut open = vec![true; n];
        let mut state = self.encode(sources, false)?.detach();
        let mut tokens = Tensor::full(self.config.bos, (n, 1), sources.ids.device())?;
        for _ in 0..max_length {
            let (logits, next) = self.decode(&tokens, &state, false)?; // (N, 1, V)
            tokens = logits.argmax(D::Minus1)?.to_dtype(DType::U32)?; // (N, 1)
            state = next.detach();
            for ((row, open), token) in rows.iter_mut().zip(&mut open).zip(tokens.flatten_all()?.to_vec1()?) {
                *open &= token != self.config.eos;
                if *open {
                    row.push(token);
                }
            }
            if !open.contains(&true) {
                break;
            }
        }
        Ok(rows)
    }
}
