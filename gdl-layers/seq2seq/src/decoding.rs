use crate::attention::Memory;
use crate::batch::{Copies, Sources};
use crate::decoder::Carried;
use crate::model::Seq2Seq;
use crate::pointer::{places, probabilities};
use candle_core::{D, DType, Module, Result, Tensor, bail};
use candle_nn::ops::{log_softmax, sigmoid};

/// Where the writing of some targets stands: made by [`Seq2Seq::start`], taken on by [`Seq2Seq::step`].
///
/// At first it has one row for each source. [`select`](Self::select) makes others of them, for beams that fork and end.
#[derive(Debug, Clone)]
pub struct Decoding {
    carried: Carried,
    /// The source of each row.
    sources: Vec<usize>,
    /// All sources, and those of the rows.
    memory: Option<(Memory, Memory)>,
    copies: Option<Copies>,
    /// The tokens at the places of the rows' sources (N, S), where they can be copied.
    places: Option<Tensor>,
    width: usize,
    pad: u32,
}

/// What a step says.
#[derive(Debug, Clone)]
pub struct Step {
    /// The natural logarithm (N, V) of the probability of every token to come next; with copying, V counts the tokens beyond the target
    /// vocabulary too ([`Sources::extended_vocab`]), and what a row cannot write is minus infinity.
    pub log_probs: Tensor,
    /// How much of its attention each place of the source has (N, S); without attention, none.
    pub attention: Option<Tensor>,
    /// The probability (N) that the next word comes from the vocabulary rather than from the source; none without copying.
    pub generate: Option<Tensor>,
}

impl Memory {
    fn select(&self, rows: &Tensor) -> Result<Self> {
        Ok(Self {
            values: self.values.index_select(rows, 0)?,
            keys: self.keys.index_select(rows, 0)?,
            mask: self.mask.index_select(rows, 0)?,
        })
    }

    fn detach(&self) -> Self {
        Self { values: self.values.detach(), keys: self.keys.detach(), mask: self.mask.detach() }
    }
}

impl Carried {
    fn map(
        &self,
        layers: impl Fn(&Tensor) -> Result<Tensor>,
        rows: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Self> {
        Ok(Self {
            state: self.state.map(layers)?,
            fed: self.fed.as_ref().map(&rows).transpose()?,
            covered: self.covered.as_ref().map(&rows).transpose()?,
        })
    }

    fn detach(&self) -> Result<Self> {
        self.map(|x| Ok(x.detach()), |x| Ok(x.detach()))
    }
}

impl Decoding {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.sources.len()
    }

    /// The source that each row is written from.
    pub fn sources(&self) -> &[usize] {
        &self.sources
    }

    /// Goes on with these rows of the present ones, each as often as it is named.
    ///
    /// # Errors
    ///
    /// When none is named, or one that there is not.
    pub fn select(&mut self, rows: &[usize]) -> Result<()> {
        let have = self.sources.len();
        if rows.is_empty() || rows.iter().any(|&row| row >= have) {
            bail!("Decoding: expected one or more of the {have} rows, got {rows:?}")
        }
        if rows.iter().copied().eq(0..have) {
            return Ok(());
        }
        let device = match &self.carried.state {
            crate::State::Lstm(state) => state.h.device().clone(),
            crate::State::Gru(state) => state.h.device().clone(),
        };
        let index = |rows: &[usize]| {
            Tensor::from_iter(rows.iter().map(|&row| row as u32).collect::<Vec<_>>(), &device)
        };
        let picked = index(rows)?;
        self.carried =
            self.carried.map(|x| x.contiguous()?.index_select(&picked, 1), |x| x.index_select(&picked, 0))?;
        let sources: Vec<usize> = rows.iter().map(|&row| self.sources[row]).collect();
        // Beams that fork within their source leave it where it is.
        if sources != self.sources {
            if let Some((all, of_rows)) = &mut self.memory {
                *of_rows = all.select(&index(&sources)?)?;
            }
            if let Some(copies) = &self.copies {
                self.places = Some(places(copies, &sources, self.width, self.pad, &device)?);
            }
            self.sources = sources;
        }
        Ok(())
    }
}

impl Seq2Seq {
    /// Reads a batch of sources and stands before the first token of each target.
    ///
    /// # Errors
    ///
    /// When the sources lack what the model reads.
    pub fn start(&self, sources: &Sources) -> Result<Decoding> {
        let encoded = self.encode(sources, false)?;
        let n = sources.lengths.len();
        let (width, pad) = (sources.ids.dim(1)?, self.config().pad);
        let memory = self.decoder.remember(&encoded, sources)?.map(|memory| memory.detach());
        let carried =
            self.decoder.start(&encoded.state, memory.as_ref(), self.config().coverage)?.detach()?;
        let rows: Vec<usize> = (0..n).collect();
        let copies = self.copies(sources)?.cloned();
        let device = sources.ids.device();
        let places = copies.as_ref().map(|copies| places(copies, &rows, width, pad, device)).transpose()?;
        let memory = memory.map(|memory| (memory.clone(), memory));
        Ok(Decoding { carried, sources: rows, memory, copies, places, width, pad })
    }

    /// Reads one token for each row, [`bos`](crate::Seq2SeqConfig::bos) at first, and says what may come next. A token beyond the target
    /// vocabulary is read as [`unk`](crate::Seq2SeqConfig::unk).
    ///
    /// # Errors
    ///
    /// When there is not one token for every row.
    pub fn step(&self, decoding: &mut Decoding, tokens: &[u32]) -> Result<Step> {
        let n = decoding.rows();
        if tokens.len() != n {
            bail!("Seq2Seq: expected one token for each of {n} rows, got {}", tokens.len())
        }
        let config = self.config();
        let known = |&token: &u32| if (token as usize) < config.target_vocab { token } else { config.unk };
        let ids = tokens.iter().map(known).collect::<Vec<_>>();
        let device = self.decoder.output().weight().device();
        let ids = Tensor::from_vec(ids, (n, 1), device)?;
        let memory = decoding.memory.as_ref().map(|(_, of_rows)| of_rows);
        let (decoded, carried) = self.decoder.stepwise(&ids, decoding.carried.clone(), memory, false)?;
        decoding.carried = carried.detach()?;
        let logits = self.decoder.output().forward(&decoded.output)?.squeeze(1)?.detach(); // (N, V)
        let attention =
            decoded.attention.map(|a| Ok::<_, candle_core::Error>(a.squeeze(1)?.detach())).transpose()?;
        let choice =
            decoded.generate.map(|g| Ok::<_, candle_core::Error>(g.squeeze(1)?.detach())).transpose()?;
        let log_probs = match (&attention, &choice, &decoding.places, &decoding.copies) {
            (Some(attention), Some(choice), Some(places), Some(copies)) => {
                probabilities(&logits, attention, choice, places, copies.extra)?.log()?
            }
            _ => log_softmax(&logits, D::Minus1)?,
        };
        Ok(Step { log_probs, attention, generate: choice.map(|choice| sigmoid(&choice)).transpose()? })
    }

    /// Writes the likeliest token again and again, until eos or `max_length` tokens; eos is not part of the result. Rows that have
    /// ended are not computed any further.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub fn greedy(&self, sources: &Sources, max_length: usize) -> Result<Vec<Vec<u32>>> {
        let config = self.config();
        let mut rows = vec![Vec::new(); sources.lengths.len()];
        let mut decoding = self.start(sources)?;
        let mut tokens = vec![config.bos; rows.len()];
        for _ in 0..max_length {
            let step = self.step(&mut decoding, &tokens)?;
            let likeliest = step.log_probs.argmax(D::Minus1)?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
            let open: Vec<usize> = (0..likeliest.len()).filter(|&row| likeliest[row] != config.eos).collect();
            tokens = open.iter().map(|&row| likeliest[row]).collect();
            if open.is_empty() {
                break;
            }
            decoding.select(&open)?;
            for (&source, &token) in decoding.sources().iter().zip(&tokens) {
                rows[source].push(token);
            }
        }
        Ok(rows)
    }
}
