use crate::batch::Copies;
use crate::config::Seq2SeqConfig;
use candle_core::{D, Device, Module, Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_nn::ops::{sigmoid, softmax};
use gdl_kernels::{numbers, softplus};
use gdl_rnn::{CrossEntropy, Linear, linear, token_losses};

/// Chooses between a word of the vocabulary and one of the source.
#[derive(Debug, Clone)]
pub(crate) struct Pointer {
    layer: Linear,
}

impl Pointer {
    pub(crate) fn new(config: &Seq2SeqConfig, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { layer: linear(2 * config.hidden + config.embedding, 1, vb)? })
    }

    /// The logit (N, T) of the probability that a word comes from the vocabulary.
    pub(crate) fn forward(&self, context: &Tensor, query: &Tensor, x: &Tensor) -> Result<Tensor> {
        self.layer.forward(&Tensor::cat(&[context, query, x], 2)?)?.squeeze(2)
    }
}

/// The probabilities (N, `vocab` + extra) of all that can be written, from the logits (N, `vocab`) of the vocabulary, attention (N, S) and
/// the choice (N) between them; `places` (N, S) names what stands at each place of the source.
pub(crate) fn probabilities(
    logits: &Tensor,
    attention: &Tensor,
    choice: &Tensor,
    places: &Tensor,
    extra: usize,
) -> Result<Tensor> {
    let generate = sigmoid(&choice.unsqueeze(1)?)?; // (N, 1)
    let vocabulary = softmax(logits, D::Minus1)?.broadcast_mul(&generate)?;
    let vocabulary = vocabulary.pad_with_zeros(1, 0, extra)?;
    let copied = attention.broadcast_mul(&(1. - generate)?)?;
    vocabulary.scatter_add(places, &copied, 1)
}

/// -log p (N, T) of the labels `rows`, 0 where they are pad, under the mixture of vocabulary and source.
///
/// In logarithms throughout: either side may be as good as impossible.
pub(crate) fn losses(
    logits: &Tensor,
    attention: &Tensor,
    choice: &Tensor,
    rows: &[Vec<u32>],
    copies: &Copies,
    config: &Seq2SeqConfig,
    label_smoothing: f64,
) -> Result<Tensor> {
    /// The logarithm of what cannot be.
    const NEVER: f64 = -1e4;
    /// What is added to a sum of attention, so that it has a logarithm; f32 has smaller numbers.
    const TINY: f64 = 1e-30;
    let (n, t, s) = attention.dims3()?;
    let (dtype, device) = (logits.dtype(), logits.device());
    let vocab = config.target_vocab;
    // What the vocabulary does not have is left out of its loss.
    let in_vocab = |label: u32| if (label as usize) < vocab { label } else { config.pad };
    let known: Vec<u32> = rows.iter().flatten().map(|&label| in_vocab(label)).collect();
    let never: Vec<f64> =
        rows.iter().flatten().map(|&l| if l as usize >= vocab { NEVER } else { 0. }).collect();
    let fits = rows.iter().zip(&copies.rows).flat_map(|(labels, places)| {
        labels.iter().flat_map(move |label| (0..s).map(move |k| u8::from(places.get(k) == Some(label))))
    });
    let fits = Tensor::from_iter(fits.collect::<Vec<_>>(), device)?.to_dtype(dtype)?.reshape((n, t, s))?;
    let column = |values: Vec<f64>| numbers(values, (n, t), dtype, device);

    let known = Tensor::from_vec(known, (n, t), device)?;
    let smoothed = CrossEntropy { ignore_index: Some(config.pad), label_smoothing };
    let generated = (log_sigmoid(choice)? - token_losses(logits, &known, &smoothed)?)?;
    let generated = (generated + column(never)?)?;
    let copied = (attention * fits)?.sum(D::Minus1)?; // (N, T)
    let copied = ((copied + TINY)?.log()? + log_sigmoid(&choice.neg()?)?)?;
    let counts = rows.iter().flatten().map(|&label| f64::from(u8::from(label != config.pad)));
    log_add(&generated, &copied)?.neg()? * column(counts.collect())?
}

/// log(1 / (1 + exp(-x))).
fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    softplus(&x.neg()?)?.neg()
}

/// log(exp a + exp b).
fn log_add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let top = a.maximum(b)?.detach();
    ((a - &top)?.exp()? + (b - &top)?.exp()?)?.log()? + top
}

/// The tokens at the places of a source (N, S), padded.
pub(crate) fn places(
    copies: &Copies,
    rows: &[usize],
    width: usize,
    pad: u32,
    device: &Device,
) -> Result<Tensor> {
    let mut all = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        let Some(tokens) = copies.rows.get(row) else { bail!("Seq2Seq: there is no source row {row}") };
        all.extend(tokens.iter().copied().chain(std::iter::repeat(pad)).take(width));
    }
    Tensor::from_vec(all, (rows.len(), width), device)
}
