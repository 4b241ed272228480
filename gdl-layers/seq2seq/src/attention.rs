use crate::config::{Attention, Seq2SeqConfig};
use candle_core::{D, Module, Result, Tensor};
use candle_nn::VarBuilder;
use gdl_rnn::{Linear, additive_scores, linear};

/// Where the decoder looks in the source, and what it makes of what it sees there.
#[derive(Debug, Clone)]
pub(crate) struct Attending {
    score: Score,
    /// What a place loses or gains by having been looked at.
    coverage: Option<Tensor>,
    combine: Linear,
}

#[derive(Debug, Clone)]
enum Score {
    Dot,
    General { memory: Linear },
    Additive { query: Linear, memory: Linear, v: Tensor },
}

/// A source made ready to be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// What is seen (N, S, H).
    pub(crate) values: Tensor,
    /// What queries are compared with (N, S, H).
    pub(crate) keys: Tensor,
    /// What is added to the scores (N, 1, S).
    pub(crate) mask: Tensor,
}

/// What the decoder has seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// How much of its attention each place had (N, T, S).
    pub(crate) weights: Tensor,
    /// The mean of the source's outputs by these weights (N, T, H).
    pub(crate) context: Tensor,
    /// Context and query together (N, T, H).
    pub(crate) output: Tensor,
}

impl Attending {
    pub(crate) fn new(kind: Attention, config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let h = config.hidden;
        let square = |name: &str| Linear::without_bias(h, h, vb.pp(name));
        let score = match kind {
            Attention::Dot => Score::Dot,
            Attention::General => Score::General { memory: square("memory")? },
            Attention::Additive => Score::Additive {
                query: linear(h, h, vb.pp("query"))?,
                memory: square("memory")?,
                v: Linear::without_bias(h, 1, vb.pp("score"))?.weight().flatten_all()?,
            },
        };
        let coverage = config.coverage.then(|| Linear::without_bias(1, h, vb.pp("coverage"))).transpose()?;
        let coverage = coverage.map(|coverage| coverage.weight().reshape((1, 1, h))).transpose()?;
        Ok(Self { score, coverage, combine: Linear::without_bias(2 * h, h, vb.pp("combine"))? })
    }

    pub(crate) fn remember(&self, values: &Tensor, mask: Tensor) -> Result<Memory> {
        let keys = match &self.score {
            Score::Dot => values.clone(),
            Score::General { memory } | Score::Additive { memory, .. } => memory.forward(values)?,
        };
        Ok(Memory { values: values.clone(), keys, mask })
    }

    /// Looks with the queries (N, T, H); with coverage (N, S), which is that of one step, T is 1.
    pub(crate) fn look(&self, queries: &Tensor, memory: &Memory, covered: Option<&Tensor>) -> Result<Seen> {
        let keys = match (&self.coverage, covered) {
            (Some(weight), Some(covered)) => (&memory.keys + covered.unsqueeze(2)?.broadcast_mul(weight)?)?,
            _ => memory.keys.clone(),
        };
        let scores = match &self.score {
            Score::Dot | Score::General { .. } => queries.matmul(&keys.t()?)?,
            Score::Additive { query, v, .. } => additive_scores(&query.forward(queries)?, &keys, v)?,
        }; // (N, T, S)
        let weights = candle_nn::ops::softmax(&scores.broadcast_add(&memory.mask)?, D::Minus1)?;
        let context = weights.matmul(&memory.values)?; // (N, T, H)
        let output = self.combine.forward(&Tensor::cat(&[&context, queries], 2)?)?.tanh()?;
        Ok(Seen { weights, context, output })
    }
}
