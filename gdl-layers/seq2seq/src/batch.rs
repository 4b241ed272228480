use crate::config::Seq2SeqConfig;
use candle_core::{DType, Device, Result, Tensor, bail};
use gdl_kernels::numbers;
use std::sync::Arc;

/// Source rows of a batch, padded at their end to the longest.
#[derive(Debug, Clone)]
pub struct Sources {
    pub(crate) ids: Tensor,
    pub(crate) lengths: Vec<usize>,
    pub(crate) features: Option<Tensor>,
    pub(crate) copies: Option<Copies>,
}

/// The tokens of the source rows as the target side knows them.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    /// For every row its tokens.
    pub(crate) rows: Vec<Vec<u32>>,
    /// Tokens beyond the target vocabulary, at most, in one row.
    pub(crate) extra: usize,
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
        check("source", rows, |_| config.source_vocab)?;
        let lengths: Vec<_> = rows.iter().map(|row| row.as_ref().len()).collect();
        if let Some(row) = lengths.iter().position(|&len| len == 0) {
            bail!("Seq2Seq: source row {row} is empty")
        }
        let ids = pad(rows.iter().map(|row| row.as_ref().to_vec()), config.pad, device)?;
        Ok(Self { ids, lengths, features: None, copies: None })
    }

    /// Says what each source token is on the target side, for models that copy: its id in the target vocabulary, or, for what that
    /// does not have, `target_vocab`, `target_vocab + 1` and so on, one number for each such word of a row.
    ///
    /// # Errors
    ///
    /// When there is not one token for every source token, or numbers are left out.
    ///
    /// # Example
    ///
    /// ```
    /// use gdl_seq2seq::{Seq2SeqConfig, Sources};
    ///
    /// let config = Seq2SeqConfig::new(10, 10);
    /// // The source "tom met mirado and mirado ran": the target vocabulary has no mirado (and the source's token 1 stands for it).
    /// let sources = Sources::new(&[[4, 5, 1, 6, 1, 7]], &config, &candle_core::Device::Cpu)?;
    /// let sources = sources.copying(&[[4, 5, 10, 6, 10, 7]], &config)?;
    /// assert_eq!(sources.extended_vocab(&config), 11);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn copying<R: AsRef<[u32]>>(mut self, rows: &[R], config: &Seq2SeqConfig) -> Result<Self> {
        self.one_each("target token", rows)?;
        let mut extra = 0;
        for (n, row) in rows.iter().enumerate() {
            let mut next = config.target_vocab;
            for &token in row.as_ref() {
                if token as usize > next {
                    bail!(
                        "Seq2Seq: row {n} copies token {token}, but {next} is the next beyond the vocabulary"
                    )
                }
                next += usize::from(token as usize == next);
            }
            extra = extra.max(next - config.target_vocab);
        }
        let rows = rows.iter().map(|row| row.as_ref().to_vec()).collect();
        self.copies = Some(Copies { rows, extra });
        Ok(self)
    }

    /// Gives each source token one of the values that [`Seq2SeqConfig::features`] counts.
    ///
    /// # Errors
    ///
    /// When there is not one for every source token, a value is too large, or the model reads none.
    pub fn with_features<R: AsRef<[u32]>>(mut self, rows: &[R], config: &Seq2SeqConfig) -> Result<Self> {
        self.one_each("feature", rows)?;
        check("feature", rows, |_| config.features.map_or(0, |features| features.values))?;
        self.features = Some(pad(rows.iter().map(|row| row.as_ref().to_vec()), 0, self.ids.device())?);
        Ok(self)
    }

    fn one_each<R: AsRef<[u32]>>(&self, what: &str, rows: &[R]) -> Result<()> {
        let lengths: Vec<_> = rows.iter().map(|row| row.as_ref().len()).collect();
        if lengths != self.lengths {
            bail!(
                "Seq2Seq: expected one {what} for each of {:?} source tokens, got {lengths:?}",
                self.lengths
            )
        }
        Ok(())
    }

    /// The padded ids (N, S).
    pub fn ids(&self) -> &Tensor {
        &self.ids
    }

    /// Every row's own length.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Tokens that can be written: those of the target vocabulary, and the most that a row has beyond it.
    pub fn extended_vocab(&self, config: &Seq2SeqConfig) -> usize {
        config.target_vocab + self.copies.as_ref().map_or(0, |copies| copies.extra)
    }

    /// How many tokens can be written where a row is the source.
    fn vocab_of(&self, row: usize, config: &Seq2SeqConfig) -> usize {
        let copied = self.copies.as_ref().and_then(|copies| copies.rows.get(row)?.iter().max());
        copied.map_or(config.target_vocab, |&top| config.target_vocab.max(top as usize + 1))
    }

    /// What is added to attention's scores (N, 1, S): 0, and where there is only padding so little that nothing is left.
    pub(crate) fn mask(&self, dtype: DType) -> Result<Tensor> {
        const NOTHING: f64 = -1e9;
        let (n, s) = self.ids.dims2()?;
        let mask = self
            .lengths
            .iter()
            .flat_map(|&len| (0..s).map(move |place| if place < len { 0. } else { NOTHING }));
        numbers(mask.collect(), (n, 1, s), dtype, self.ids.device())
    }
}

/// Target rows of a batch, as the decoder reads them and as it is to continue them.
#[derive(Debug, Clone)]
pub struct Targets {
    pub(crate) inputs: Ids,
    pub(crate) labels: Ids,
}

/// Token ids (N, T), padded: on the device, and as they came. To read them back a GPU would have to be waited for.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) tensor: Tensor,
    pub(crate) rows: Arc<Vec<Vec<u32>>>,
}

impl Ids {
    /// Rows of one length.
    pub(crate) fn new(rows: Vec<Vec<u32>>, device: &Device) -> Result<Self> {
        let shape = (rows.len(), rows.first().map_or(0, Vec::len));
        Ok(Self { tensor: Tensor::from_vec(rows.concat(), shape, device)?, rows: Arc::new(rows) })
    }
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
    /// let config = Seq2SeqConfig::new(10, 10); // pad 0, unk 1, bos 2, eos 3
    /// let targets = Targets::new(&[vec![4, 5], vec![7]], &config, &candle_core::Device::Cpu)?;
    /// assert_eq!(targets.inputs().to_vec2::<u32>()?, [[2, 4, 5], [2, 7, 0]]);
    /// assert_eq!(targets.labels().to_vec2::<u32>()?, [[4, 5, 3], [7, 3, 0]]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn new<R: AsRef<[u32]>>(rows: &[R], config: &Seq2SeqConfig, device: &Device) -> Result<Self> {
        check("target", rows, |_| config.target_vocab)?;
        Self::of(rows, config, device)
    }

    /// As [`new`](Self::new), for sources that are [copied](Sources::copying): a label may be one of the tokens that its row has
    /// beyond the target vocabulary, which the decoder then reads as unk.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when there are not as many rows as sources.
    pub fn copied<R: AsRef<[u32]>>(rows: &[R], sources: &Sources, config: &Seq2SeqConfig) -> Result<Self> {
        same_rows(sources.lengths.len(), rows.len())?;
        check("target", rows, |row| sources.vocab_of(row, config))?;
        Self::of(rows, config, sources.ids.device())
    }

    fn of<R: AsRef<[u32]>>(rows: &[R], config: &Seq2SeqConfig, device: &Device) -> Result<Self> {
        let known = |&token: &u32| if (token as usize) < config.target_vocab { token } else { config.unk };
        let inputs =
            rows.iter().map(|row| [config.bos].into_iter().chain(row.as_ref().iter().map(known)).collect());
        let labels = rows.iter().map(|row| [row.as_ref(), &[config.eos]].concat());
        let ids = |rows| Ids::new(rows, device);
        Ok(Self { inputs: ids(padded(inputs, config.pad))?, labels: ids(padded(labels, config.pad))? })
    }

    /// What the decoder reads (N, T).
    pub fn inputs(&self) -> &Tensor {
        &self.inputs.tensor
    }

    /// What it is to say (N, T).
    pub fn labels(&self) -> &Tensor {
        &self.labels.tensor
    }

    /// Labels that count.
    pub fn tokens(&self, config: &Seq2SeqConfig) -> usize {
        self.labels.rows.iter().flatten().filter(|&&label| label != config.pad).count()
    }
}

/// Sources and targets belong together.
pub(crate) fn same_rows(sources: usize, targets: usize) -> Result<()> {
    if sources != targets {
        bail!("Seq2Seq: {sources} source rows, but {targets} target rows")
    }
    Ok(())
}

/// Here rather than in the embedding: on a GPU a token beyond the table is not an error there.
fn check<R: AsRef<[u32]>>(side: &str, rows: &[R], vocab: impl Fn(usize) -> usize) -> Result<()> {
    if rows.is_empty() {
        bail!("Seq2Seq: a batch needs at least one {side} row")
    }
    for (n, row) in rows.iter().enumerate() {
        let vocab = vocab(n);
        if let Some(token) = row.as_ref().iter().find(|&&token| token as usize >= vocab) {
            bail!("Seq2Seq: {side} row {n} holds token {token}, but the vocabulary has only {vocab}")
        }
    }
    Ok(())
}

fn padded(rows: impl Iterator<Item = Vec<u32>>, pad: u32) -> Vec<Vec<u32>> {
    let mut rows: Vec<_> = rows.collect();
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    rows.iter_mut().for_each(|row| row.resize(longest, pad));
    rows
}

fn pad(rows: impl Iterator<Item = Vec<u32>>, pad: u32, device: &Device) -> Result<Tensor> {
    Ok(Ids::new(padded(rows, pad), device)?.tensor)
}
