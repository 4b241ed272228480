use crate::cpu::simd::Real;
use crate::cpu::slices::{add, column_sums, with_slice};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::{par, view};
use std::marker::PhantomData;

/// x (M, I) W^T + b.
pub(super) fn linear<T: Real>(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.apply_op3(weight, bias, LinearOp(PhantomData::<T>))
}

struct LinearOp<T>(PhantomData<T>);

impl<T: Real> CustomOp3 for LinearOp<T> {
    fn name(&self) -> &'static str {
        "linear"
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
        let ((m, inputs), outputs) = (x_layout.shape().dims2()?, w_layout.dims()[0]);
        let x = view::contiguous::<T>(x, x_layout)?;
        let w = view::contiguous::<T>(w, w_layout)?;
        let bias = view::contiguous::<T>(bias, bias_layout)?;
        let mut y = product(Mat::new(&x, m, inputs), Mat::new(&w, outputs, inputs).t(), Threads::All);
        const ROWS: usize = 64;
        par::chunks_mut(&mut y, ROWS * outputs, |_, rows| {
            rows.chunks_exact_mut(outputs).for_each(|row| add(row, &bias));
        });
        Ok((T::to_cpu_storage_owned(y), Shape::from((m, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        par::inside(|| backward::<T>(x, w, bias, grad))
    }
}

fn backward<T: Real>(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    grad: &Tensor,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let ((m, inputs), outputs) = (x.dims2()?, w.dim(0)?);
    with_slice::<T, _>(grad, |grad| {
        let d = Mat::new(grad, m, outputs);
        let d_x = x
            .track_op()
            .then(|| with_slice(w, |w| Ok(product(d, Mat::new(w, outputs, inputs), Threads::All))));
        let d_w =
            w.track_op().then(|| with_slice(x, |x| Ok(product(d.t(), Mat::new(x, m, inputs), Threads::All))));
        let d_bias = bias.track_op().then(|| Ok(column_sums(grad, outputs)));
        let tensor = |values: Option<Result<Vec<T>>>, like: &Tensor| {
            values.map(|values| Tensor::from_vec(values?, like.shape(), like.device())).transpose()
        };
        Ok((tensor(d_x, x)?, tensor(d_w, w)?, tensor(d_bias, bias)?))
    })
}
