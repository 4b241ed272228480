//! Cross-entropy on CUDA: a block for each row. Neither the targets nor the number of those that count leave the device.

use super::CrossEntropy;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, only_cuda, sum_type, tensor};
use std::sync::OnceLock;

pub(crate) const SOURCE: Source = Source { name: "cross-entropy", code: include_str!("cross_entropy.cu") };

/// The mean loss of logits (M, V).
pub(super) fn cross_entropy(logits: &Tensor, targets: &Tensor, config: &CrossEntropy) -> Result<Tensor> {
    logits.apply_op1(Losses::new(targets, config, true)?)
}

/// The losses (M) of logits (M, V), one by one.
pub(super) fn token_losses(logits: &Tensor, targets: &Tensor, config: &CrossEntropy) -> Result<Tensor> {
    logits.apply_op1(Losses::new(targets, config, false)?)
}

struct Losses {
    /// (M), u32
    targets: Tensor,
    config: CrossEntropy,
    /// Whether the mean is taken.
    mean: bool,
    /// What the forward pass found of each row (3, M), and how many count.
    kept: OnceLock<(Tensor, Tensor)>,
}

impl Losses {
    fn new(targets: &Tensor, config: &CrossEntropy, mean: bool) -> Result<Self> {
        let targets = targets.flatten_all()?.to_dtype(DType::U32)?.contiguous()?;
        Ok(Self { targets, config: *config, mean, kept: OnceLock::new() })
    }

    fn rows(&self, logits: &CudaStorage, layout: &Layout) -> Result<Tensor> {
        let (rows, vocab) = layout.shape().dims2()?;
        let x = Input::new(logits, layout)?;
        let (device, dtype) = (x.device(), x.dtype());
        let mut out = empty(device, sum_type(dtype), &Shape::from((3, rows)))?;
        Input::of(&self.targets, |targets| {
            let params = &mut [
                Param::In(&x),
                Param::In(targets),
                Param::Out(&mut out, 0),
                Param::Int(rows),
                Param::Int(vocab),
                Param::Int(usize::from(self.config.ignore_index.is_some())),
                Param::Int(self.config.ignore_index.unwrap_or_default() as usize),
                Param::Real(self.config.label_smoothing),
            ];
            launch(device, &SOURCE, dtype, "row_losses", Grid::blocks(rows, vocab), params)
        })?;
        Ok(tensor(out, (3, rows)))
    }
}

impl CustomOp1 for Losses {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        only_cuda("cross_entropy")
    }

    fn cuda_fwd(&self, logits: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let kept = self.rows(logits, layout)?;
        let counted = kept.get(2)?.sum_all()?;
        let losses = kept.get(0)?;
        let found = match self.mean {
            true => (losses.sum_all()? / &counted)?,
            false => losses,
        };
        let found = found.to_dtype(candle_core::backend::BackendStorage::dtype(logits))?;
        let _ = self.kept.set((kept, counted));
        gdl_kernels::cuda::copy(&found)
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some((kept, counted)) = self.kept.get() else { bail!("cross_entropy: backward before forward") };
        let (rows, vocab) = logits.dims2()?;
        let (device, dtype) = (device(logits)?, logits.dtype());
        let mut out = empty(&device, dtype, logits.shape())?;
        Input::of_all(
            [logits, &self.targets, kept, grad, counted],
            |[logits, targets, kept, grad, counted]| {
                let params = &mut [
                    Param::In(logits),
                    Param::In(targets),
                    Param::Sums(Some(kept)),
                    Param::In(grad),
                    Param::Sums(self.mean.then_some(counted)),
                    Param::Out(&mut out, 0),
                    Param::Int(rows),
                    Param::Int(vocab),
                    Param::Real(self.config.label_smoothing),
                ];
                launch(&device, &SOURCE, dtype, "row_gradients", Grid::blocks(rows, vocab), params)
            },
        )?;
        Ok(Some(tensor(out, logits.shape())))
    }
}
