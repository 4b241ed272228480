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

/// What a [`Seq2Seq`](crate::Seq2Seq) is made of.
///
/// ```
/// use gdl_seq2seq::{Cell, Seq2SeqConfig};
///
/// let config = Seq2SeqConfig { cell: Cell::Gru, layers: 2, ..Seq2SeqConfig::new(100, 80) };
/// assert_eq!((config.pad, config.bos, config.eos), (0, 1, 2));
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
    /// Features of the hidden state; a bidirectional encoder has as many per direction.
    pub hidden: usize,
    /// Recurrent layers of the encoder, and of the decoder.
    pub layers: usize,
    /// Their cell.
    pub cell: Cell,
    /// Whether the encoder reads the source in both directions.
    pub bidirectional_encoder: bool,
    /// Dropout of the token vectors and between recurrent layers, in training.
    pub dropout: f64,
    /// Target token that the decoder starts from.
    pub bos: u32,
    /// Target token that ends a row.
    pub eos: u32,
    /// Token that fills the shorter rows of a batch, in both vocabularies; as a label it does not count.
    pub pad: u32,
}

impl Seq2SeqConfig {
    /// One LSTM layer of 256 features, a bidirectional encoder, vectors of 128, no dropout; pad, bos and eos are
    /// 0, 1 and 2.
    pub fn new(source_vocab: usize, target_vocab: usize) -> Self {
        Self {
            source_vocab,
            target_vocab,
            embedding: 128,
            hidden: 256,
            layers: 1,
            cell: Cell::Lstm,
            bidirectional_encoder: true,
            dropout: 0.,
            bos: 1,
            eos: 2,
            pad: 0,
        }
    }

    /// What the layers themselves do not check.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { source_vocab, target_vocab, bos, eos, pad, .. } = *self;
        for (name, token, vocab) in [
            ("bos", bos, target_vocab),
            ("eos", eos, target_vocab),
            ("pad", pad, target_vocab),
            ("pad", pad, source_vocab),
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
        Ok(())
    }
}
