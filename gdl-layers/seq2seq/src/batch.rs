use crate::config::Seq2SeqConfig;
use candle_core::{Device, Result, Tensor, bail};

/// Source rows of a batch, padded at their end to the longest.
#[derive(Debug, Clone)]
pub struct Sources {
    pub(crate) ids: Tensor,
    pub(crate) lengths: Vec<usize>,
}

impl Sources {
    /// Pads rows of source tokens.
    ///
    /// # Shape
    ///
    /// The ids are (N, S), S the length of the longest row.
    ///
    /// # Errors
    ///
    /// When there is no row, a row is empty, or a token is not in the source vocabulary.
    ///
    /// # Example
    ///
    /// ```
    /// use gdl_seq2seq::{Seq2SeqConfig, Sources};
    ///
    /// let config = Seq2SeqConfig::new(10, 10);
    /// let sources = Sources::new(&[vec![4, 5, 6], vec![7]], &config, &candle_core::Device::Cpu)?;
    /// assert_eq!(sources.ids().to_vec2::<u32>()?, [[4, 5, 6], [7, 0, 0]]);
    /// assert_eq!(sources.lengths(), [3, 1]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn new<R: AsRef<[u32]>>(rows: &[R], config: &Seq2SeqConfig, device: &Device) -> Result<Self> {
        check("source", rows, config.source_vocab)?;
        let lengths: Vec<_> = rows.iter().map(|row| row.as_ref().len()).collect();
        if let Some(row) = lengths.iter().position(|&len| len == 0) {
            bail!("Seq2Seq: source row {row} is empty")
        }
        let ids = pad(rows.iter().map(|row| row.as_ref().to_vec()), config.pad, device)?;
        Ok(Self { ids, lengths })
    }

    /// The padded ids (N, S).
    pub fn ids(&self) -> &Tensor {
        &self.ids
    }

    /// Every row's own length.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }
}

/// Target rows of a batch, as the decoder reads them and as it is to continue them.
#[derive(Debug, Clone)]
pub struct Targets {
    pub(crate) inputs: Tensor,
    pub(crate) labels: Tensor,
}

impl Targets {
    /// Makes inputs `bos y1 .. yn` and labels `y1 .. yn eos` from rows of target tokens, padded at their end.
    ///
    /// # Shape
    ///
    /// Both are (N, T), T one more than the longest row. A row may be empty.
    ///
    /// # Errors
    ///
    /// When there is no row or a token is not in the target vocabulary.
    ///
    /// # Example
    ///
    /// ```
    /// use gdl_seq2seq::{Seq2SeqConfig, Targets};
    ///
    /// let config = Seq2SeqConfig::new(10, 10); // pad 0, bos 1, eos 2
    /// let targets = Targets::new(&[vec![4, 5], vec![7]], &config, &candle_core::Device::Cpu)?;
    /// assert_eq!(targets.inputs().to_vec2::<u32>()?, [[1, 4, 5], [1, 7, 0]]);
    /// assert_eq!(targets.labels().to_vec2::<u32>()?, [[4, 5, 2], [7, 2, 0]]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn new<R: AsRef<[u32]>>(rows: &[R], config: &Seq2SeqConfig, device: &Device) -> Result<Self> {
        check("target", rows, config.target_vocab)?;
        let inputs = rows.iter().map(|row| [&[config.bos], row.as_ref()].concat());
        let labels = rows.iter().map(|row| [row.as_ref(), &[config.eos]].concat());
        Ok(Self { inputs: pad(inputs, config.pad, device)?, labels: pad(labels, config.pad, device)? })
    }

    /// What the decoder reads (N, T).
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// What it is to say (N, T).
    pub fn labels(&self) -> &Tensor {
        &self.labels
    }
}

/// Here rather than in the embedding: on a GPU a token beyond the table is not an error there.
fn check<R: AsRef<[u32]>>(side: &str, rows: &[R], vocab: usize) -> Result<()> {
    if rows.is_empty() {
        bail!("Seq2Seq: a batch needs at least one {side} row")
    }
    for (n, row) in rows.iter().enumerate() {
        if let Some(token) = row.as_ref().iter().find(|&&token| token as usize >= vocab) {
            bail!("Seq2Seq: {side} row {n} holds token {token}, but the vocabulary has only {vocab}")
        }
    }
    Ok(())
}

fn pad(rows: impl Iterator<Item = Vec<u32>>, pad: u32, device: &Device) -> Result<Tensor> {
    let mut rows: Vec<_> = rows.collect();
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    rows.iter_mut().for_each(|row| row.resize(longest, pad));
    let n = rows.len();
    Tensor::from_vec(rows.concat(), (n, longest), device)
}
