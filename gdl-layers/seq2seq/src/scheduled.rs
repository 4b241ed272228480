use crate::batch::{Ids, Sources, Targets};
use crate::model::Seq2Seq;
use crate::pointer::{places, probabilities};
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::softmax;
use gdl_kernels::rng::SharedRng;

impl Seq2Seq {
    /// Scheduled sampling: the same targets, but of what the decoder reads each token is with that probability one that it would have
    /// written itself, drawn from what it says after the right tokens.
    ///
    /// Drawn for all places at once from one teacher-forced pass without dropout, so that training stays a pass over whole sequences; what
    /// is drawn at one place does not change what is drawn behind it. The first token, bos, stays.
    ///
    /// # Errors
    ///
    /// Those of [`forward_t`](Self::forward_t).
    ///
    /// # Source
    ///
    /// Bengio et al. 2015, <https://arxiv.org/abs/1506.03099>; in parallel: Duckworth et al. 2019, <https://arxiv.org/abs/1906.04331>.
    pub fn scheduled_sampling(
        &self,
        sources: &Sources,
        targets: &Targets,
        probability: f64,
        rng: &SharedRng,
    ) -> Result<Targets> {
        let mut inputs = (*targets.inputs.rows).clone();
        let (n, t) = targets.inputs.tensor.dims2()?;
        let chosen: Vec<(usize, usize)> = rng.with(|rng| {
            let all = (0..n).flat_map(|row| (1..t).map(move |step| (row, step)));
            all.filter(|_| rng.chance(probability)).collect()
        });
        let chosen: Vec<_> =
            chosen.into_iter().filter(|&(row, step)| inputs[row][step] != self.config().pad).collect();
        if chosen.is_empty() {
            return Ok(targets.clone());
        }
        let said = self.said(sources, targets, &chosen)?;
        rng.with(|rng| {
            for (&(row, step), said) in chosen.iter().zip(&said) {
                let mut left = rng.uniform();
                let drawn = said.iter().position(|p| {
                    left -= p;
                    left < 0.
                });
                // Rounding can leave a hair, and what is copied is read as unk.
                let drawn = drawn.unwrap_or(said.len().saturating_sub(1));
                let unk = self.config().unk;
                inputs[row][step] = if drawn < self.config().target_vocab { drawn as u32 } else { unk };
            }
        });
        let inputs = Ids::new(inputs, targets.inputs.tensor.device())?;
        Ok(Targets { inputs, labels: targets.labels.clone() })
    }

    /// The probabilities of every token at the chosen places, given the right tokens before.
    fn said(&self, sources: &Sources, targets: &Targets, chosen: &[(usize, usize)]) -> Result<Vec<Vec<f64>>> {
        let decoded = self.forward_t(sources, targets, false)?;
        let (_, t, _) = decoded.output.dims3()?;
        let device = decoded.output.device();
        // What comes at a step is said one step before.
        let index = chosen.iter().map(|&(row, step)| (row * t + step - 1) as u32).collect::<Vec<_>>();
        let index = Tensor::from_vec(index, chosen.len(), device)?;
        let pick = |x: &Tensor| x.detach().flatten(0, 1)?.contiguous()?.index_select(&index, 0);
        let logits = pick(&self.logits(&decoded)?)?;
        let said = match (self.copies(sources)?, &decoded.attention, &decoded.generate) {
            (Some(copies), Some(attention), Some(choice)) => {
                let rows: Vec<usize> = chosen.iter().map(|&(row, _)| row).collect();
                let places = places(copies, &rows, sources.ids.dim(1)?, self.config().pad, device)?;
                probabilities(&logits, &pick(attention)?, &pick(choice)?, &places, copies.extra)?
            }
            _ => softmax(&logits, D::Minus1)?,
        };
        said.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec2()
    }
}
