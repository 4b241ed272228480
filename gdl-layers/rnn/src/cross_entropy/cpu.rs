use super::Targets;
use crate::cpu::activation::exp;
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::{add, sum, with_slice};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use gdl_kernels::{par, view};
use std::marker::PhantomData;

/// The loss of logits (M, V), with one buffer as wide as they are for the gradient, and none without.
pub(super) fn cross_entropy<T: Real>(logits: &Tensor, targets: Targets) -> Result<Tensor> {
    logits.apply_op1(CrossEntropyOp { targets, element: PhantomData::<T> })
}

struct CrossEntropyOp<T> {
    targets: Targets,
    element: PhantomData<T>,
}

impl<T: Real> CustomOp1 for CrossEntropyOp<T> {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, vocab) = layout.shape().dims2()?;
        let logits = view::contiguous::<T>(logits, layout)?;
        let loss = row_losses(&logits, vocab, &self.targets).iter().sum::<f64>() / self.targets.count as f64;
        Ok((T::to_cpu_storage_owned(vec![T::from_f64(loss)]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let vocab = logits.dim(1)?;
        let scale = with_slice::<T, _>(grad, |grad| Ok(grad[0].to_f64()))?;
        let mut d = with_slice::<T, _>(logits, |logits| Ok(logits.to_vec()))?;
        let factor = scale / self.targets.count as f64;
        losses_and_gradients(&mut d, vocab, &self.targets, 0, |_| factor, &[]);
        Tensor::from_vec(d, logits.shape(), logits.device()).map(Some)
    }
}

/// The losses (M) of logits (M, V), one by one.
pub(super) fn token_losses<T: Real>(logits: &Tensor, targets: Targets) -> Result<Tensor> {
    logits.apply_op1(TokenLosses { targets, element: PhantomData::<T> })
}

struct TokenLosses<T> {
    targets: Targets,
    element: PhantomData<T>,
}

impl<T: Real> CustomOp1 for TokenLosses<T> {
    fn name(&self) -> &'static str {
        "token_losses"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, vocab) = layout.shape().dims2()?;
        let logits = view::contiguous::<T>(logits, layout)?;
        let losses = row_losses(&logits, vocab, &self.targets).into_iter().map(T::from_f64).collect();
        Ok((T::to_cpu_storage_owned(losses), Shape::from(rows)))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let vocab = logits.dim(1)?;
        let mut d = with_slice::<T, _>(logits, |logits| Ok(logits.to_vec()))?;
        with_slice::<T, _>(grad, |grad| {
            losses_and_gradients(&mut d, vocab, &self.targets, 0, |row| grad[row].to_f64(), &[]);
            Ok(())
        })?;
        Tensor::from_vec(d, logits.shape(), logits.device()).map(Some)
    }
}

/// The losses of rows of logits.
fn row_losses<T: Real>(logits: &[T], vocab: usize, targets: &Targets) -> Vec<f64> {
    par::map(targets.ids.len(), |row| {
        let mut job = RowLoss {
            logits: &logits[row * vocab..][..vocab],
            target: targets.ids[row],
            smoothing: targets.smoothing,
            loss: 0.,
        };
        Isa::best().run(&mut job);
        job.loss
    })
}

/// The loss of one row, times the number of those that count.
struct RowLoss<'a, T> {
    logits: &'a [T],
    target: u32,
    smoothing: f64,
    loss: f64,
}

impl<T: Real> Job<T> for RowLoss<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        if self.target == Targets::IGNORED {
            return;
        }
        let top = largest(self.logits);
        let sum = sum(self.logits.len(), |j| exp::<T, S>(self.logits[j] - top));
        let picked = self.logits[self.target as usize];
        self.loss = loss(picked, mean(self.logits, self.smoothing), self.smoothing, top, sum);
    }
}

/// log(sum of exp) less the smoothed target's logit.
fn loss<T: Real>(picked: T, mean: T, smoothing: f64, top: T, sum: T) -> f64 {
    let [picked, mean, top, sum] = [picked, mean, top, sum].map(|x| x.to_f64());
    top + sum.ln() - (1. - smoothing) * picked - smoothing * mean
}

/// The mean of the logits, if there is smoothing to do.
#[inline(always)]
fn mean<T: Real>(logits: &[T], smoothing: f64) -> T {
    match smoothing > 0. {
        true => sum(logits.len(), |j| logits[j]) / T::from_f64(logits.len() as f64),
        false => T::ZERO,
    }
}

/// The largest of some numbers, passing over NaN, which the sum will show.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> T {
    const PARTS: usize = 16;
    let mut parts = [x[0]; PARTS];
    let mut whole = x.chunks_exact(PARTS);
    for x in &mut whole {
        for (part, &x) in parts.iter_mut().zip(x) {
            *part = if x > *part { x } else { *part };
        }
    }
    parts.iter().chain(whole.remainder()).fold(x[0], |top, &x| if x > top { x } else { top })
}

/// Turns logits (rows, V), the first of which belongs to the target `first`, into the gradients of their losses times what
/// `factor` says for the target, and returns the sum of the losses. A bias (V), where it is not empty, is added to every row
/// first.
pub(crate) fn losses_and_gradients<T: Real>(
    logits: &mut [T],
    vocab: usize,
    targets: &Targets,
    first: usize,
    factor: impl Fn(usize) -> f64,
    bias: &[T],
) -> f64 {
    let isa = Isa::best();
    let rows = logits.chunks_exact_mut(vocab).zip(&targets.ids[first..]).enumerate();
    let mut jobs: Vec<_> = rows
        .map(|(row, (logits, &target))| {
            let scale = T::from_f64(factor(first + row));
            Row { logits, target, smoothing: targets.smoothing, scale, bias, loss: 0. }
        })
        .collect();
    // So many rows that a piece is worth a task.
    let piece = (16 * 1024 / vocab).max(1);
    par::chunks_mut(&mut jobs, piece, |_, jobs| jobs.iter_mut().for_each(|job| isa.run(job)));
    jobs.iter().map(|job| job.loss).sum()
}

/// One row of logits, its gradient in the end.
struct Row<'a, T> {
    logits: &'a mut [T],
    target: u32,
    smoothing: f64,
    scale: T,
    bias: &'a [T],
    loss: f64,
}

impl<T: Real> Job<T> for Row<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Self { logits, target, smoothing, scale, bias, .. } = self;
        if *target == Targets::IGNORED {
            logits.fill(T::ZERO);
            return;
        }
        add(logits, bias);
        let (top, mean) = (largest(logits), mean(logits, *smoothing));
        let picked = logits[*target as usize];
        logits.iter_mut().for_each(|x| *x = exp::<T, S>(*x - top));
        let sum = sum(logits.len(), |j| logits[j]);
        self.loss = loss(picked, mean, *smoothing, top, sum);
        let by = *scale / sum;
        let less = *scale * T::from_f64(*smoothing / logits.len() as f64);
        logits.iter_mut().for_each(|x| *x = *x * by - less);
        logits[*target as usize] -= *scale * T::from_f64(1. - *smoothing);
    }
}
