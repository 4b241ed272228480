use crate::cpu::lock;
use crate::cpu::simd::Real;
use crate::cpu::slices::{add, append, column_sums, with_slice};
use crate::cross_entropy::Targets;
use crate::cross_entropy::cpu::losses_and_gradients;
use crate::linear::Linear;
use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, gemm, product};
use gdl_kernels::{par, view};
use std::sync::Mutex;

/// Logits held at once. A number of its own, so that sums do not depend on the number of threads.
const LOGITS: usize = 8 << 20;

/// The loss of x (M, I), with its gradients computed on the way.
pub(super) fn linear_cross_entropy<T: Real>(x: &Tensor, layer: &Linear, targets: Targets) -> Result<Tensor> {
    let tensors = [x, layer.weight(), layer.bias()];
    let wanted = tensors.map(Tensor::track_op);
    let op = Fused { targets, wanted, saved: Mutex::new(None), element: std::marker::PhantomData::<T> };
    x.apply_op3(layer.weight(), layer.bias(), op)
}

struct Fused<T> {
    targets: Targets,
    /// Whether x, the weight and the bias want gradients.
    wanted: [bool; 3],
    /// The gradients of the loss itself.
    saved: Mutex<Option<[Option<Tensor>; 3]>>,
    element: std::marker::PhantomData<T>,
}

impl<T: Real> CustomOp3 for Fused<T> {
    fn name(&self) -> &'static str {
        "linear_cross_entropy"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = view::contiguous::<T>(x, x_layout)?;
        let w = view::contiguous::<T>(w, w_layout)?;
        let bias = view::contiguous::<T>(bias, bias_layout)?;
        let (vocab, inputs) = w_layout.shape().dims2()?;
        let (loss, gradients) = par::inside(|| self.compute(&x, &w, &bias, inputs));
        let shapes = [x_layout.shape(), w_layout.shape(), &Shape::from(vocab)];
        let mut tensors = [None, None, None];
        for (k, (values, shape)) in gradients.into_iter().zip(shapes).enumerate() {
            if self.wanted[k] {
                tensors[k] = Some(Tensor::from_vec(values, shape, &Device::Cpu)?);
            }
        }
        *lock(&self.saved) = Some(tensors);
        Ok((T::to_cpu_storage_owned(vec![T::from_f64(loss)]), Shape::from(())))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let scale = with_slice::<T, _>(grad, |grad| Ok(grad[0].to_f64()))?;
        let saved = lock(&self.saved);
        let Some([x, w, bias]) = saved.as_ref() else {
            bail!("linear_cross_entropy: backward without what the forward pass should have saved")
        };
        let scaled = |gradient: &Option<Tensor>| {
            gradient.as_ref().map(|g| if scale == 1. { Ok(g.clone()) } else { g * scale }).transpose()
        };
        Ok((scaled(x)?, scaled(w)?, scaled(bias)?))
    }
}

impl<T: Real> Fused<T> {
    /// The loss, and the gradients of x, the weight and the bias; those not wanted are empty.
    fn compute(&self, x: &[T], w: &[T], bias: &[T], inputs: usize) -> (f64, [Vec<T>; 3]) {
        let vocab = bias.len();
        let mut d_bias = vec![T::ZERO; if self.wanted[2] { vocab } else { 0 }];
        let (mut d_x, mut d_w) = (Vec::new(), Vec::new());
        let w = Mat::new(w, vocab, inputs);
        let rows = (LOGITS / vocab).max(1);
        let (mut loss, factor) = (0., 1. / self.targets.count as f64);
        for (k, x) in x.chunks(rows * inputs).enumerate() {
            let m = x.len() / inputs;
            let x = Mat::new(x, m, inputs);
            let mut logits = product(x, w.t(), Threads::All); // (m, V)
            loss += losses_and_gradients(&mut logits, vocab, &self.targets, k * rows, |_| factor, bias);
            let d = Mat::new(&logits, m, vocab);
            if self.wanted[0] {
                append(&mut d_x, product(d, w, Threads::All));
            }
            if self.wanted[1] && k == 0 {
                d_w = product(d.t(), x, Threads::All);
            } else if self.wanted[1] {
                gemm(d.t(), x, &mut d_w, inputs, true, Threads::All);
            }
            if self.wanted[2] {
                add(&mut d_bias, &column_sums(&logits, vocab));
            }
        }
        (loss / self.targets.count as f64, [d_x, d_w, d_bias])
    }
}
