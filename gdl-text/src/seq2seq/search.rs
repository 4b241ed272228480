use crate::Result;
use crate::sampling::{BeamConfig, BeamSearch, Draws, Found, Sampler, log_prob};
use candle_core::DType;
use gdl_seq2seq::{Decoding, Seq2Seq, Sources, Step};
use gdl_train::Rng;

/// A text that was found or drawn, in tokens behind the prefix.
#[derive(Debug, Clone)]
pub(crate) struct Hypothesis {
    /// With the end token, if it came to that.
    pub(crate) tokens: Vec<u32>,
    pub(crate) log_prob: f64,
    pub(crate) score: f64,
    /// For each token, those of the prefix too, the attention of each place.
    pub(crate) attention: Vec<Vec<f32>>,
    /// For each token the probability that it was copied, where words can be.
    pub(crate) copied: Option<Vec<f32>>,
}

/// What writes token by token, in rows that a search forks and ends.
pub(crate) trait Steps {
    /// The source of each row; at first there is one row for each.
    fn sources(&self) -> &[usize];
    /// Goes on with these rows, and a token behind each: what may come next.
    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> candle_core::Result<Step>;
}

/// An encoder-decoder that has read its sources.
struct Writing<'a> {
    network: &'a Seq2Seq,
    decoding: Decoding,
}

impl Steps for Writing<'_> {
    fn sources(&self) -> &[usize] {
        self.decoding.sources()
    }

    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> candle_core::Result<Step> {
        self.decoding.select(rows)?;
        self.network.step(&mut self.decoding, tokens)
    }
}

/// An encoder-decoder that reads these sources and is to write.
pub(crate) fn writing<'a>(network: &'a Seq2Seq, sources: &Sources) -> Result<Box<dyn Steps + 'a>> {
    Ok(Box::new(Writing { network, decoding: network.start(sources)? }))
}

/// A network on its way: what it has said and where it has looked at each step.
pub(crate) struct Run<'a> {
    decoder: Box<dyn Steps + 'a>,
    /// The logarithms of the probabilities (rows x V) of what comes next.
    log_probs: Vec<f32>,
    /// For each step and each of its rows, where it looked; empty where nobody wants to know.
    looks: Vec<Vec<Look>>,
    keep: bool,
    /// Steps that the prefix took, besides the one that comes after it.
    read: usize,
}

#[derive(Debug, Clone)]
struct Look {
    /// The row of the step before that this one is behind.
    parent: usize,
    attention: Vec<f32>,
    copied: Option<f32>,
}

impl<'a> Run<'a> {
    /// Reads what every target begins with.
    pub(crate) fn begin(decoder: Box<dyn Steps + 'a>, prompt: &[u32], keep: bool) -> Result<Self> {
        let (log_probs, looks) = (Vec::new(), Vec::new());
        let mut run = Self { decoder, log_probs, looks, keep, read: prompt.len() - 1 };
        let rows: Vec<usize> = (0..run.rows()).collect();
        for &token in prompt {
            run.step(&rows, &vec![token; rows.len()])?;
        }
        Ok(run)
    }

    fn rows(&self) -> usize {
        self.decoder.sources().len()
    }

    /// Goes on with these rows, and a token behind each.
    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Result<()> {
        let step = self.decoder.step(rows, tokens)?;
        self.log_probs = step.log_probs.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        if let (true, Some(attention)) = (self.keep, step.attention) {
            let attention = attention.to_dtype(DType::F32)?.to_vec2()?;
            let generate = step.generate.map(|g| g.to_dtype(DType::F32)?.to_vec1::<f32>()).transpose()?;
            let looks = attention.into_iter().zip(rows).enumerate().map(|(k, (attention, &parent))| {
                let copied = generate.as_ref().and_then(|generate| generate.get(k)).map(|g| 1.0 - g);
                Look { parent, attention, copied }
            });
            self.looks.push(looks.collect());
        }
        Ok(())
    }

    /// The looks that led to a row of a step, the first one first.
    fn looks_to(&self, steps: usize, mut row: usize) -> Vec<&Look> {
        let mut looks = Vec::with_capacity(steps);
        for step in self.looks.iter().take(steps).rev() {
            let Some(look) = step.get(row) else { break };
            looks.push(look);
            row = look.parent;
        }
        looks.reverse();
        looks
    }

    /// A text whose last token was chosen behind a row of a step, counted from the first behind the prefix.
    fn hypothesis(&self, found: Found, last: Option<(usize, usize)>) -> Hypothesis {
        let Found { tokens, log_prob, score, .. } = found;
        let looks = last.map_or_else(Vec::new, |(step, row)| self.looks_to(self.read + step + 1, row));
        let attention = looks.iter().map(|look| look.attention.clone()).collect();
        let copied = looks.iter().map(|look| look.copied).collect::<Option<Vec<f32>>>();
        let copied = copied.filter(|copied| !copied.is_empty());
        Hypothesis { tokens, log_prob, score, attention, copied }
    }
}

/// What texts lose for places that they have not looked at.
pub(crate) struct Coverage<'a> {
    pub(crate) beta: f64,
    /// Tokens of each source.
    pub(crate) lengths: &'a [usize],
}

impl Coverage<'_> {
    /// For each row of the present step.
    fn losses(&self, run: &Run<'_>) -> Vec<f64> {
        if self.beta == 0.0 {
            return Vec::new();
        }
        let steps = run.looks.len();
        let loss = |(row, &source): (usize, &usize)| {
            let looks = run.looks_to(steps, row);
            let place = |s: usize| -> f64 { looks.iter().map(|look| f64::from(look.attention[s])).sum() };
            let length = self.lengths.get(source).copied().unwrap_or(0);
            -self.beta * (0..length).map(|s| place(s).clamp(1e-9, 1.0).ln()).sum::<f64>()
        };
        run.decoder.sources().iter().enumerate().map(loss).collect()
    }
}

/// A beam search for each source, all in one batch.
pub(crate) struct Searches<'a> {
    all: Vec<BeamSearch<'a>>,
}

impl<'a> Searches<'a> {
    pub(crate) fn new(
        sampler: &'a Sampler,
        config: &BeamConfig,
        prefix: &[u32],
        length: usize,
        sources: usize,
    ) -> Result<Self> {
        let all = (0..sources).map(|_| BeamSearch::new(sampler, config, (prefix, 0, length)));
        Ok(Self { all: all.collect::<Result<_>>()? })
    }

    pub(crate) fn go_on(mut self, mut run: Run<'_>, coverage: &Coverage<'_>) -> Result<Vec<Vec<Hypothesis>>> {
        let vocab = run.log_probs.len() / run.rows().max(1);
        // The rows of each search; at first every group of a search has the source's one row.
        let mut rows_of: Vec<Vec<usize>> =
            self.all.iter().enumerate().map(|(n, search)| vec![n; search.rows()]).collect();
        let mut history: Vec<Vec<Vec<usize>>> = Vec::new();
        loop {
            history.push(rows_of.clone());
            let less = coverage.losses(&run);
            let (mut rows, mut tokens) = (Vec::new(), Vec::new());
            for (search, own) in self.all.iter_mut().zip(&mut rows_of) {
                if own.is_empty() {
                    continue;
                }
                let mut logits = Vec::with_capacity(own.len() * vocab);
                own.iter().for_each(|&row| logits.extend_from_slice(&run.log_probs[row * vocab..][..vocab]));
                let less: Vec<f64> = own.iter().filter_map(|&row| less.get(row).copied()).collect();
                let (next, next_tokens) = search.advance(&logits, &less, |_| Ok(false))?;
                let first = rows.len();
                rows.extend(next.iter().map(|&k| own[k]));
                tokens.extend(next_tokens);
                *own = (first..rows.len()).collect();
            }
            if rows.is_empty() {
                break;
            }
            run.step(&rows, &tokens)?;
        }
        let found = self.all.into_iter().enumerate().map(|(n, search)| {
            let of_run = |found: Found| {
                let step = found.tokens.len().checked_sub(1);
                let row = step.and_then(|step| Some((step, *history.get(step)?.get(n)?.get(found.row)?)));
                run.hypothesis(found, row)
            };
            Ok(search.finish()?.into_iter().map(of_run).collect())
        });
        found.collect()
    }
}

/// Texts that are drawn, some for each source, all in one batch.
pub(crate) struct Sampled<'a> {
    draws: Vec<Draws<'a>>,
    log_probs: Vec<f64>,
    per_source: usize,
}

impl<'a> Sampled<'a> {
    pub(crate) fn new(
        sampler: &'a Sampler,
        prefix: &[u32],
        length: usize,
        sources: usize,
        per_source: usize,
        rng: impl Fn(usize, usize) -> Rng,
    ) -> Result<Self> {
        let draws = (0..sources * per_source)
            .map(|k| sampler.start(prefix, 0, rng(k / per_source, k % per_source), length));
        let log_probs = vec![0.0; sources * per_source];
        Ok(Self { draws: draws.collect::<Result<_>>()?, log_probs, per_source })
    }

    pub(crate) fn go_on(mut self, mut run: Run<'_>) -> Result<Vec<Vec<Hypothesis>>> {
        let vocab = run.log_probs.len() / run.rows().max(1);
        // The text that each row is of, and where its last token was chosen.
        let mut open: Vec<(usize, usize)> = (0..self.draws.len()).map(|k| (k, k / self.per_source)).collect();
        let mut last = vec![None; self.draws.len()];
        for step in 0.. {
            let (mut rows, mut tokens, mut next) = (Vec::new(), Vec::new(), Vec::new());
            for &(text, row) in &open {
                let logits = &run.log_probs[row * vocab..][..vocab];
                let Some(token) = self.draws[text].next(logits)? else { continue };
                self.log_probs[text] += log_prob(logits, token);
                last[text] = Some((step, row));
                if token != crate::seq2seq::codec::EOS {
                    next.push((text, rows.len()));
                    rows.push(row);
                    tokens.push(token);
                }
            }
            open = next;
            if open.is_empty() {
                break;
            }
            run.step(&rows, &tokens)?;
        }
        let found = self.draws.iter().zip(&self.log_probs).zip(last).map(|((draws, &log_prob), last)| {
            let found = Found { tokens: draws.written().to_vec(), log_prob, score: log_prob, row: 0 };
            run.hypothesis(found, last)
        });
        let found: Vec<Hypothesis> = found.collect();
        Ok(found.chunks(self.per_source).map(<[Hypothesis]>::to_vec).collect())
    }
}
