use super::codec::{Codec, Source};
use crate::{Error, Result};
use candle_core::Device;
use gdl_seq2seq::{Seq2SeqConfig, Sources, Targets};
use gdl_train::Rng;

/// Pools of so many batches are sorted by length before they are cut into batches: little padding, and still other batches in
/// every pass.
const POOL: usize = 50;

/// The tokenizers of both sides.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    pub(crate) source: Codec,
    pub(crate) target: Codec,
}

/// Sources with their targets, in tokens.
#[derive(Debug, Clone)]
pub(crate) struct Examples {
    pub(crate) sources: Vec<Source>,
    pub(crate) targets: Vec<Vec<u32>>,
    /// Characters of the targets.
    pub(crate) chars: usize,
    /// Target tokens that can neither be generated nor copied.
    pub(crate) unknown: usize,
}

/// One batch.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) sources: Sources,
    pub(crate) targets: Targets,
    /// Source and target tokens in it.
    pub(crate) tokens: usize,
}

impl Examples {
    pub(crate) fn new(rows: &[(String, String)], sides: &Sides, copy: bool) -> Result<Self> {
        let mut all = Self { sources: Vec::new(), targets: Vec::new(), chars: 0, unknown: 0 };
        let unk = sides.target.unk();
        for (source, target) in rows {
            let source = sides.source.source(source, copy.then_some(&sides.target))?;
            let ids = match copy {
                true => sides.target.encode_copying(target, &source)?,
                false => sides.target.encode(target)?,
            };
            all.chars += target.chars().count();
            all.unknown += ids.iter().filter(|&&id| id == unk).count();
            all.sources.push(source);
            all.targets.push(ids);
        }
        Ok(all)
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Leaves out what is too long, and what is empty once it is in tokens.
    pub(crate) fn keep(&mut self, max_source: Option<usize>, max_target: Option<usize>) -> usize {
        let before = self.len();
        let fits = |len: usize, max: Option<usize>| max.is_none_or(|max| len <= max);
        let pairs = std::mem::take(&mut self.sources).into_iter().zip(std::mem::take(&mut self.targets));
        (self.sources, self.targets) = pairs
            .filter(|(source, target)| {
                !source.ids.is_empty() && fits(source.ids.len(), max_source) && fits(target.len(), max_target)
            })
            .unzip();
        before - self.len()
    }

    /// Target tokens, those that end rows among them.
    pub(crate) fn target_tokens(&self) -> usize {
        self.targets.iter().map(|target| target.len() + 1).sum()
    }

    /// The most tokens of a source, and of a target.
    pub(crate) fn longest(&self) -> (usize, usize) {
        let most = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        (most(&mut self.sources.iter().map(|s| s.ids.len())), most(&mut self.targets.iter().map(Vec::len)))
    }

    /// The batches of a pass, counted from 1, as lists of rows: alike in length within a batch, in random order.
    pub(crate) fn batches(&self, batch: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut rng = Rng::stream(seed, &format!("pairs-{epoch}"));
        let mut order: Vec<usize> = (0..self.len()).collect();
        rng.shuffle(&mut order);
        for pool in order.chunks_mut(POOL * batch) {
            pool.sort_by_key(|&row| (self.targets[row].len(), self.sources[row].ids.len()));
        }
        let mut batches: Vec<Vec<usize>> = order.chunks(batch).map(<[usize]>::to_vec).collect();
        rng.shuffle(&mut batches);
        batches
    }

    /// All rows in order, in batches.
    pub(crate) fn in_order(&self, batch: usize) -> impl Iterator<Item = Vec<usize>> {
        let len = self.len();
        (0..len).step_by(batch).map(move |from| (from..len.min(from + batch)).collect())
    }

    pub(crate) fn batch(&self, rows: &[usize], config: &Seq2SeqConfig, device: &Device) -> Result<Batch> {
        let picked: Vec<&Source> = rows.iter().map(|&row| &self.sources[row]).collect();
        let targets: Vec<&Vec<u32>> = rows.iter().map(|&row| &self.targets[row]).collect();
        let sources = sources(&picked, config, device)?;
        let tokens = picked.iter().map(|source| source.ids.len()).sum::<usize>()
            + targets.iter().map(|target| target.len() + 1).sum::<usize>();
        let targets = match config.copy {
            true => Targets::copied(&targets, &sources, config)?,
            false => Targets::new(&targets, config, device)?,
        };
        Ok(Batch { sources, targets, tokens })
    }

    /// An error where nothing is left.
    pub(crate) fn some(&self, origin: &str, left_out: usize) -> Result<()> {
        if self.len() > 0 {
            return Ok(());
        }
        let message =
            format!("{origin}: none of {left_out} pairs is short enough: raise the longest source or target");
        Err(Error::setting("max source, max target", message))
    }
}

/// The numbers of those sources that have tokens, alike lengths side by side.
pub(crate) fn alike<'a>(all: impl Iterator<Item = &'a Source>) -> Vec<usize> {
    let lengths: Vec<usize> = all.map(|source| source.ids.len()).collect();
    let mut order: Vec<usize> = (0..lengths.len()).filter(|&n| lengths[n] > 0).collect();
    order.sort_by_key(|&n| lengths[n]);
    order
}

pub(crate) fn sources(picked: &[&Source], config: &Seq2SeqConfig, device: &Device) -> Result<Sources> {
    let ids: Vec<&Vec<u32>> = picked.iter().map(|source| &source.ids).collect();
    let sources = Sources::new(&ids, config, device)?;
    if !config.copy {
        return Ok(sources);
    }
    let places: Vec<&Vec<u32>> = picked.iter().map(|source| &source.places).collect();
    Ok(sources.copying(&places, config)?)
}
