use crate::gradients::pass_on;
use crate::rng::{RngState, SharedRng};
use candle_core::backend::BackendStorage;
use candle_core::backprop::GradStore;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, MetalStorage, Result, Shape, Storage, Tensor, Var,
    bail,
};
use std::cell::Cell;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

/// `block(x)`, of which only the result is kept: the backward pass computes the block again when it comes to it, and goes
/// through it then.
///
/// This trades time for memory: one more forward pass of the block for all the maps inside it, of which only one block's
/// exist at a time. Gradients are those without it, of `x` and of every variable in the block alike, as long as the block
/// computes the same twice: `rng`, where it draws from one, is set back for the second time, and what must not happen twice
/// (running statistics) can ask [`is_recomputing`].
///
/// candle can hand on the gradient of `x` alone. Those of the variables in the block reach the pass of
/// [`Gradients`](crate::Gradients) that is under way; in a backward pass of another kind that is an error.
///
/// # Errors
///
/// Those of the block.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Var};
/// use gdl_kernels::{Gradients, recomputed};
///
/// let (x, w) = (Var::new(&[2f32], &Device::Cpu)?, Var::new(&[3f32], &Device::Cpu)?);
/// let weight = w.as_tensor().clone();
/// let y = recomputed(&x, None, move |x| (x * &weight)?.sqr())?;
/// let mut gradients = Gradients::default();
/// gradients.backward(&y.sum_all()?)?;
/// assert_eq!(gradients.take(&x)?.unwrap().to_vec1::<f32>()?, [36.0]);
/// assert_eq!(gradients.take(&w)?.unwrap().to_vec1::<f32>()?, [24.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Source
///
/// Chen et al. 2016, *Training Deep Nets with Sublinear Memory Cost* (1604.06174); `torch.utils.checkpoint`.
pub fn recomputed(
    x: &Tensor,
    rng: Option<&SharedRng>,
    block: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let before = rng.map(|rng| (rng.clone(), rng.state()));
    let y = block(&x.detach())?.detach();
    let y = if y.is_contiguous() && y.layout().start_offset() == 0 { y } else { y.force_contiguous()? };
    let op = |input| Recomputed { block: Box::new(block), before, input, result: Mutex::new(Some(y)) };
    if x.track_op() {
        return x.apply_op1(op(None));
    }
    // Nobody asks for this input's gradient, and candle would not come by: something else has to lead it here.
    let anchor = Var::zeros(1, DType::F32, x.device())?;
    anchor.apply_op1(op(Some(x.detach())))
}

/// Whether what is computed now on this thread has been computed before, and is only wanted for a backward pass.
pub fn is_recomputing() -> bool {
    AGAIN.with(Cell::get)
}

thread_local! {
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

type Block = dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync;

struct Recomputed {
    block: Box<Block>,
    /// Where the random numbers stood before.
    before: Option<(SharedRng, RngState)>,
    /// The input, where it is not the operator's.
    input: Option<Tensor>,
    /// The block's result until the operator has given it away.
    result: Mutex<Option<Tensor>>,
}

/// What has to be put back however a second computation ends.
struct Again<'a> {
    was: bool,
    rng: Option<(&'a SharedRng, RngState)>,
}

impl<'a> Again<'a> {
    fn begin(before: Option<&'a (SharedRng, RngState)>) -> Result<Self> {
        let rng = match before {
            None => None,
            Some((rng, state)) => {
                let now = rng.state();
                rng.set_state(state)?;
                Some((rng, now))
            }
        };
        Ok(Self { was: AGAIN.replace(true), rng })
    }
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        AGAIN.set(self.was);
        if let Some((rng, state)) = &self.rng {
            // A state that a generator has given is one that it takes.
            let _ = rng.set_state(state);
        }
    }
}

impl Recomputed {
    fn again(&self, x: &Tensor) -> Result<Tensor> {
        let _again = Again::begin(self.before.as_ref())?;
        (self.block)(x)
    }

    /// A copy of the result: candle has no operator whose output exists already.
    fn give<S>(&self, copy: impl FnOnce(&Storage, &Layout) -> Result<Option<S>>) -> Result<(S, Shape)> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(y) = result else { bail!("{}: computed twice", self.name()) };
        let (storage, layout) = y.storage_and_layout();
        match copy(&storage, layout)? {
            Some(copy) => Ok((copy, y.shape().clone())),
            None => bail!("{}: the block has left its input's device", self.name()),
        }
    }
}

impl CustomOp1 for Recomputed {
    fn name(&self) -> &'static str {
        "recomputed block"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.give(|storage, layout| match storage {
            Storage::Cpu(storage) => storage.try_clone(layout).map(Some),
            _ => Ok(None),
        })
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.give(|storage, layout| match storage {
            Storage::Cuda(storage) => storage.try_clone(layout).map(Some),
            _ => Ok(None),
        })
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        self.give(|storage, layout| match storage {
            Storage::Metal(storage) => storage.try_clone(layout).map(Some),
            _ => Ok(None),
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let x = match &self.input {
            None => Some(Var::from_tensor(&x.detach())?),
            Some(_) => None,
        };
        let y = match (&x, &self.input) {
            (Some(x), _) => self.again(x)?,
            (None, Some(input)) => self.again(input)?,
            (None, None) => bail!("{}: has no input", self.name()),
        };
        // Its gradient by y is `grad`.
        let carrier = (&y * grad)?.sum_all()?;
        let mut found = carrier.backward()?;
        let dx = x.as_ref().and_then(|x| found.remove(x));
        // candle keeps gradients of constants too.
        let mut of_variables = GradStore::default();
        for node in y.sorted_nodes().into_iter().filter(|node| node.is_variable()) {
            if let Some(gradient) = found.remove(node) {
                of_variables.insert(node, gradient);
            }
        }
        pass_on(of_variables)?;
        Ok(dx)
    }
}

impl Debug for Recomputed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recomputed").finish_non_exhaustive()
    }
}
