//! The input's share of the gates, for all steps at once.
//!
//! It does not travel to the recurrence as a tensor: candle would fill one of zeros for its gradient and add to it,
//! four times its size in memory traffic. A tensor of one element ties the two operators together in the graph, and
//! what it stands for lies in [`Gates`], beside it.

use super::lock;
use super::plan::Plan;
use super::simd::Real;
use super::slices::{add, column_sums, scatter_add, with_slice};
use candle_core::{CpuStorage, CustomOp1, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::gemm::{Mat, Threads, product};
use gdl_kernels::{par, view};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};

/// What the gates start from.
#[derive(Debug)]
pub(crate) struct Start<T> {
    /// One row per packed step, or, with `ids`, one per token.
    pub(crate) values: Vec<T>,
    /// What is still to be added to every step; may be empty.
    pub(crate) bias: Vec<T>,
    /// The token of every packed step.
    pub(crate) ids: Option<Arc<[u32]>>,
}

impl<T: Real> Start<T> {
    /// Room for the packed gates (`steps`, `width`), the bias, and what [`Table::fill`] fills that room from.
    pub(crate) fn gates(self, steps: usize, width: usize) -> (Vec<T>, Vec<T>, Table<T>) {
        match self.ids {
            None => (self.values, self.bias, Table(None)),
            Some(ids) => (par::zeros(steps * width), self.bias, Table(Some((self.values, ids)))),
        }
    }
}

/// Where the gates of every step come from, if they do not stand in their place already.
#[derive(Debug)]
pub(crate) struct Table<T>(Option<(Vec<T>, Arc<[u32]>)>);

impl<T: Real> Table<T> {
    /// Puts the input's share of the step at a packed place into `gates`.
    #[inline(always)]
    pub(crate) fn fill(&self, at: usize, gates: &mut [T]) {
        if let Some((values, ids)) = &self.0 {
            gates.copy_from_slice(&values[ids[at] as usize * gates.len()..][..gates.len()]);
        }
    }
}

/// What passes between the input's operator and the recurrence.
#[derive(Debug)]
pub(crate) struct Gates<T> {
    start: Mutex<Option<Start<T>>>,
    gradient: Mutex<Option<Vec<T>>>,
}

impl<T> Gates<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Mutex::new(None), gradient: Mutex::new(None) })
    }

    /// What the recurrence starts from; it is there once.
    pub(crate) fn take_start(&self) -> Result<Start<T>> {
        match lock(&self.start).take() {
            Some(start) => Ok(start),
            None => bail!("the recurrence was computed twice from one input"),
        }
    }

    /// Leaves the packed gradient for the input's backward pass.
    pub(crate) fn put_gradient(&self, gradient: Vec<T>) {
        *lock(&self.gradient) = Some(gradient);
    }

    fn take_gradient(&self) -> Result<Vec<T>> {
        match lock(&self.gradient).take() {
            Some(gradient) => Ok(gradient),
            None => bail!("the input's backward pass came before that of the recurrence"),
        }
    }
}

/// The input of a sequence operator on its way to the gates.
#[derive(Debug)]
pub(crate) struct Input<T> {
    /// Ties the operators together.
    pub(crate) thread: Tensor,
    pub(crate) gates: Arc<Gates<T>>,
}

impl<T: Real> Input<T> {
    /// x (N, T, I), or a table (V, I) of which `ids` name the packed steps' rows, times `w_ih` (G, I), and a bias (G).
    pub(crate) fn project(
        plan: &Arc<Plan>,
        x: &Tensor,
        ids: Option<Arc<[u32]>>,
        w_ih: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Self> {
        let gates = Gates::new();
        let none = Tensor::zeros(0, x.dtype(), x.device())?;
        let op = Project { plan: plan.clone(), ids, gates: gates.clone() };
        Ok(Self { thread: x.apply_op3(w_ih, bias.unwrap_or(&none), op)?, gates })
    }

    /// Gates (N, T, G), or a table (V, G) of which `ids` name the packed steps' rows, as they are.
    pub(crate) fn given(plan: &Arc<Plan>, gates: &Tensor, ids: Option<Arc<[u32]>>) -> Result<Self> {
        let slot = Gates::new();
        let op = Given { plan: plan.clone(), ids, gates: slot.clone() };
        Ok(Self { thread: gates.apply_op1(op)?, gates: slot })
    }
}

fn thread<T: Real>() -> (CpuStorage, Shape) {
    (T::to_cpu_storage_owned(vec![T::ZERO]), Shape::from(1))
}

struct Project<T> {
    plan: Arc<Plan>,
    ids: Option<Arc<[u32]>>,
    gates: Arc<Gates<T>>,
}

impl<T: Real> CustomOp3 for Project<T> {
    fn name(&self) -> &'static str {
        "sequence_input"
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
        let (rows, columns) = w_layout.shape().dims2()?;
        let x = view::contiguous::<T>(x, x_layout)?;
        let w = view::contiguous::<T>(w, w_layout)?;
        let mut bias = view::contiguous::<T>(bias, bias_layout)?.into_owned();
        let x = self.rows(&x, columns);
        let x = Mat::new(&x, x.len() / columns, columns);
        let mut values = par::inside(|| product(x, Mat::new(&w, rows, columns).t(), Threads::All));
        if self.ids.is_some() {
            // So few rows that it costs less here than at every step.
            let bias = std::mem::take(&mut bias);
            values.chunks_exact_mut(rows).for_each(|row| add(row, &bias));
        }
        *lock(&self.gates.start) = Some(Start { values, bias, ids: self.ids.clone() });
        Ok(thread::<T>())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        par::inside(|| self.backward(x, w, bias))
    }
}

impl<T: Real> Project<T> {
    fn backward(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (rows, columns) = w.dims2()?;
        let mut gradient = self.gates.take_gradient()?; // (steps, G)
        if let Some(ids) = &self.ids {
            gradient = scatter_add(ids, &gradient, rows, x.dim(0)?); // (V, G)
        }
        let d = Mat::new(&gradient, gradient.len() / rows, rows);
        let d_w = w.track_op().then(|| {
            with_slice(x, |x| {
                let x = self.rows(x, columns);
                Ok(product(d.t(), Mat::new(&x, x.len() / columns, columns), Threads::All))
            })
        });
        let d_x = x.track_op().then(|| {
            let d_x = with_slice(w, |w| Ok(product(d, Mat::new(w, rows, columns), Threads::All)))?;
            Ok(if self.ids.is_some() { d_x } else { self.plan.unpack(vec![d_x]) })
        });
        let d_bias = (bias.track_op() && bias.elem_count() > 0).then(|| Ok(column_sums(&gradient, rows)));
        let tensor = |values: Option<Result<Vec<T>>>, like: &Tensor| {
            values.map(|values| Tensor::from_vec(values?, like.shape(), like.device())).transpose()
        };
        Ok((tensor(d_x, x)?, tensor(d_w, w)?, tensor(d_bias, bias)?))
    }

    /// The rows of the input that are multiplied: those of the table, or the steps that there are.
    fn rows<'a>(&self, x: &'a [T], columns: usize) -> Cow<'a, [T]> {
        if self.ids.is_some() { Cow::Borrowed(x) } else { self.plan.pack(x, columns, 0..columns) }
    }
}

struct Given<T> {
    plan: Arc<Plan>,
    ids: Option<Arc<[u32]>>,
    gates: Arc<Gates<T>>,
}

impl<T: Real> CustomOp1 for Given<T> {
    fn name(&self) -> &'static str {
        "sequence_gates"
    }

    fn cpu_fwd(&self, gates: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let columns = layout.dims()[layout.dims().len() - 1];
        let values = view::contiguous::<T>(gates, layout)?;
        let values = match self.ids {
            Some(_) => values.into_owned(),
            None => self.plan.pack(&values, columns, 0..columns).into_owned(),
        };
        *lock(&self.gates.start) = Some(Start { values, bias: Vec::new(), ids: self.ids.clone() });
        Ok(thread::<T>())
    }

    fn bwd(&self, gates: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let gradient = self.gates.take_gradient()?;
        let columns = gates.dim(D::Minus1)?;
        let gradient = match &self.ids {
            Some(ids) => scatter_add(ids, &gradient, columns, gates.dim(0)?),
            None => self.plan.unpack(vec![gradient]),
        };
        Tensor::from_vec(gradient, gates.shape(), gates.device()).map(Some)
    }
}
