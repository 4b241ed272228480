use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

/// The recurrent cell of encoder and decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit, PyTorch's form.
    Gru,
}

/// How the encoder's final state becomes the decoder's first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bridge {
    /// As it is; the two directions of a layer behind each other.
    Copy,
    /// Through a linear layer and tanh for every layer of the state.
    Dense,
}

/// How well a place of the source fits what the decoder is about to say: q is the decoder's output, m the encoder's at that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// q . m (Luong et al. 2015).
    Dot,
    /// q . W m (Luong et al. 2015).
    General,
    /// v . tanh(W_q q + W_m m + b) (Bahdanau et al. 2014).
    Additive,
}

/// Which tables of vectors are one and the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tied {
    /// None.
    #[default]
    None,
    /// The target tokens' and the output layer's (Press and Wolf 2016).
    Target,
    /// The source tokens' too: source and target have one vocabulary.
    All,
}

/// One of a few values that comes with each source token; its vector stands behind the token's own (as the word features of
/// OpenNMT do).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// How many values there are.
    pub values: usize,
    /// Features of each one's vector.
    pub size: usize,
}

/// What a [`Seq2Seq`](crate::Seq2Seq) is made of.
///
/// ```
/// use gdl_seq2seq::{Attention, Cell, Seq2SeqConfig};
///
/// let config = Seq2SeqConfig { cell: Cell::Gru, layers: 2, ..Seq2SeqConfig::new(100, 80) };
/// assert_eq!((config.pad, config.unk, config.bos, config.eos), (0, 1, 2, 3));
/// assert_eq!(config.attention, Some(Attention::General));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seq2SeqConfig {
    /// Tokens of the source language.
    pub source_vocab: usize,
    /// Tokens of the target language.
    pub target_vocab: usize,
    /// Features of a token's vector, on both sides.
    pub embedding: usize,
    /// Features of the hidden state; each direction of a bidirectional encoder has half as many, so that it must be even there.
    pub hidden: usize,
    /// Recurrent layers of the encoder, and of the decoder.
    pub layers: usize,
    /// Their cell.
    pub cell: Cell,
    /// Whether the encoder reads the source in both directions.
    pub bidirectional_encoder: bool,
    /// From the encoder's state to the decoder's.
    pub bridge: Bridge,
    /// How the decoder looks back at the source; without, all of it has to fit through one state.
    pub attention: Option<Attention>,
    /// Whether the decoder reads at every step, beside a token, what attention gave it at the step before (Luong et al. 2015,
    /// section 3.3). Training then goes step by step.
    pub input_feeding: bool,
    /// Whether tokens of the source can be copied (pointer-generator, See et al. 2017). Needs attention.
    pub copy: bool,
    /// Whether attention knows how much it has looked at each place before (See et al. 2017). Needs attention; training then goes
    /// step by step.
    pub coverage: bool,
    /// Tables in common.
    pub tied: Tied,
    /// Dropout of the token vectors, between recurrent layers and of what the output layer reads, in training.
    pub dropout: f64,
    /// Features that come with each source token, such as whether it belongs to an answer. Default: none.
    #[serde(default)]
    pub features: Option<Features>,
    /// Token that fills the shorter rows of a batch, in both vocabularies; as a label it does not count.
    pub pad: u32,
    /// Token for what the target vocabulary does not have.
    pub unk: u32,
    /// Target token that the decoder starts from.
    pub bos: u32,
    /// Target token that ends a row.
    pub eos: u32,
}

impl Seq2SeqConfig {
    /// One LSTM layer of 256 features, a bidirectional encoder, general attention, vectors of 128, no dropout; pad, unk, bos and eos
    /// are 0, 1, 2 and 3.
    pub fn new(source_vocab: usize, target_vocab: usize) -> Self {
        Self {
            source_vocab,
            target_vocab,
            embedding: 128,
            hidden: 256,
            layers: 1,
            cell: Cell::Lstm,
            bidirectional_encoder: true,
            bridge: Bridge::Copy,
            attention: Some(Attention::General),
            input_feeding: false,
            copy: false,
            coverage: false,
            tied: Tied::None,
            dropout: 0.,
            features: None,
            pad: 0,
            unk: 1,
            bos: 2,
            eos: 3,
        }
    }

    /// Whether the decoder can only be run one step at a time, because a step needs the attention of the one before.
    pub fn is_stepwise(&self) -> bool {
        self.input_feeding || self.coverage
    }

    /// What the layers themselves do not check.
    ///
    /// # Errors
    ///
    /// When choices exclude each other, or a special token lies outside its vocabulary.
    pub fn check(&self) -> Result<()> {
        let Self { source_vocab, target_vocab, pad, unk, bos, eos, .. } = *self;
        for (name, token, vocab) in [
            ("pad", pad, source_vocab),
            ("pad", pad, target_vocab),
            ("unk", unk, target_vocab),
            ("bos", bos, target_vocab),
            ("eos", eos, target_vocab),
        ] {
            if token as usize >= vocab {
                bail!("Seq2Seq: {name} is token {token}, but a vocabulary has only {vocab}")
            }
        }
        if eos == pad {
            bail!(
                "Seq2Seq: eos and pad are both token {eos}: with padding left out of the loss no row would ever end"
            )
        }
        if self.bidirectional_encoder && self.hidden % 2 == 1 {
            bail!(
                "Seq2Seq: a bidirectional encoder has half of `hidden` per direction, got the odd {}",
                self.hidden
            )
        }
        for (name, on) in
            [("input_feeding", self.input_feeding), ("copy", self.copy), ("coverage", self.coverage)]
        {
            if on && self.attention.is_none() {
                bail!("Seq2Seq: {name} needs attention")
            }
        }
        if self.tied == Tied::All && source_vocab != target_vocab {
            bail!(
                "Seq2Seq: one table for source and target takes one vocabulary, got {source_vocab} and {target_vocab} tokens"
            )
        }
        Ok(())
    }
}
