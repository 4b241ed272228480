use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId, bail};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;

/// Gradients of variables, added up over one or several backward passes, for programs that train large networks.
///
/// candle's own [`GradStore`] begins each gradient with zeros and adds to a fresh copy at every use of a variable. That is
/// six passes over the weights' memory for one gradient, which in a network with many weights and small images costs more
/// than the arithmetic. Here operators add to one sum in place. Where a gradient is larger than what it is computed from
/// (a U-Net's innermost weights), it is not even computed before it is [taken](Gradients::take): all uses of the weight in
/// one pass, and no more than one such gradient in memory at a time.
///
/// Operators that know nothing of it (candle's own) work as ever.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Var};
/// use gdl_kernels::Gradients;
///
/// let x = Var::new(3f32, &Device::Cpu)?;
/// let mut gradients = Gradients::default();
/// gradients.backward(&x.sqr()?)?;
/// gradients.backward(&(x.as_tensor() * 10.0)?)?;
/// assert_eq!(gradients.take(&x)?.unwrap().to_scalar::<f32>()?, 16.0);
/// assert!(gradients.take(&x)?.is_none());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Default)]
pub struct Gradients {
    sums: Sums,
    /// What candle has added up.
    rest: Option<GradStore>,
}

type Sums = HashMap<TensorId, Sum>;

/// The gradient of one variable as far as it has come.
#[derive(Default)]
struct Sum {
    done: Option<Tensor>,
    waiting: Vec<Waiting>,
}

/// A gradient that has not been computed yet.
struct Waiting {
    left: Tensor,
    right: Tensor,
    rule: Box<dyn Erased>,
}

/// How the gradient of a weight comes from two tensors of which each entry along the first axis contributes a summand
/// of its own: the input of an operator and the gradient of its output, say.
pub trait WeightGradient: Debug + Clone + PartialEq + 'static {
    /// The gradient. It does not depend on how many entries the first axis has, but must take any number.
    ///
    /// # Errors
    /// Those of the operator.
    fn compute(&self, left: &Tensor, right: &Tensor) -> Result<Tensor>;

    /// Adds the gradient to `sum` in place.
    ///
    /// # Errors
    /// Those of the operator.
    fn add(&self, left: &Tensor, right: &Tensor, sum: &Tensor) -> Result<()>;
}

/// [`WeightGradient`] as an object.
trait Erased {
    fn compute(&self, left: &Tensor, right: &Tensor) -> Result<Tensor>;
    fn add(&self, left: &Tensor, right: &Tensor, sum: &Tensor) -> Result<()>;
    fn equals(&self, other: &dyn Erased) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<R: WeightGradient> Erased for R {
    fn compute(&self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        WeightGradient::compute(self, left, right)
    }

    fn add(&self, left: &Tensor, right: &Tensor, sum: &Tensor) -> Result<()> {
        WeightGradient::add(self, left, right, sum)
    }

    fn equals(&self, other: &dyn Erased) -> bool {
        other.as_any().downcast_ref::<R>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What the operators of a backward pass add to.
struct Open {
    sums: Sums,
    /// What candle has found in passes inside this one.
    inner: Option<GradStore>,
}

thread_local! {
    /// The backward pass that runs on this thread, where there is one.
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

/// Lends the sums to the operators; takes them back when dropped, whatever happened.
struct Lent<'a>(&'a mut Sums);

impl<'a> Lent<'a> {
    fn new(sums: &'a mut Sums) -> Result<Self> {
        OPEN.with_borrow_mut(|open| {
            if open.is_some() {
                bail!("Gradients: a backward pass runs inside another")
            }
            *open = Some(Open { sums: std::mem::take(sums), inner: None });
            Ok(())
        })?;
        Ok(Self(sums))
    }

    fn take_inner(&self) -> Option<GradStore> {
        OPEN.with_borrow_mut(|open| open.as_mut().and_then(|open| open.inner.take()))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.0 = OPEN.take().map(|open| open.sums).unwrap_or_default();
    }
}

impl Gradients {
    /// Adds the gradients of `loss`.
    ///
    /// # Errors
    /// Those of the operators' backward passes, and when called from within one.
    pub fn backward(&mut self, loss: &Tensor) -> Result<()> {
        let lent = Lent::new(&mut self.sums)?;
        let mut store = loss.backward()?;
        if let Some(inner) = lent.take_inner() {
            store.extend(inner)?;
        }
        drop(lent);
        match &mut self.rest {
            None => self.rest = Some(store),
            Some(rest) => rest.extend(store)?,
        }
        Ok(())
    }

    /// The gradient of a variable, which is then forgotten here; none where no loss depended on it.
    ///
    /// # Errors
    /// When it had still to be computed, and that failed.
    pub fn take(&mut self, var: &Tensor) -> Result<Option<Tensor>> {
        let own = match self.sums.remove(&var.id()) {
            Some(sum) => sum.finish()?,
            None => None,
        };
        let rest = self.rest.as_mut().and_then(|rest| rest.remove(var));
        Ok(match (own, rest) {
            (Some(own), Some(rest)) => Some((own + rest)?),
            (own, rest) => own.or(rest),
        })
    }
}

impl Debug for Gradients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting: usize = self.sums.values().map(|s| s.waiting.len()).sum();
        f.debug_struct("Gradients").field("sums", &self.sums.len()).field("waiting", &waiting).finish()
    }
}

impl Sum {
    fn finish(mut self) -> Result<Option<Tensor>> {
        while let Some(first) = self.waiting.pop() {
            // Uses of one kind are computed together, as one batch.
            let shape = |t: &Tensor| t.dims()[1..].to_vec();
            let (alike, others): (Vec<_>, Vec<_>) = self.waiting.into_iter().partition(|w| {
                w.rule.equals(first.rule.as_ref())
                    && shape(&w.left) == shape(&first.left)
                    && shape(&w.right) == shape(&first.right)
            });
            self.waiting = others;
            let (mut lefts, mut rights) = (vec![first.left], vec![first.right]);
            for w in alike {
                lefts.push(w.left);
                rights.push(w.right);
            }
            let (left, right) = (Tensor::cat(&lefts, 0)?, Tensor::cat(&rights, 0)?);
            match &self.done {
                Some(sum) => first.rule.add(&left, &right, sum)?,
                None => self.done = Some(first.rule.compute(&left, &right)?),
            }
        }
        Ok(self.done)
    }

    fn add(
        &mut self,
        weight: &Tensor,
        left: &Tensor,
        right: &Tensor,
        rule: impl WeightGradient,
    ) -> Result<()> {
        // Waiting keeps both operands alive: only where they are far smaller than the gradient.
        if left.elem_count() + right.elem_count() <= weight.elem_count() / 2 {
            self.waiting.push(Waiting { left: left.clone(), right: right.clone(), rule: Box::new(rule) });
            return Ok(());
        }
        match &self.done {
            Some(sum) => WeightGradient::add(&rule, left, right, sum),
            None => {
                self.done = Some(WeightGradient::compute(&rule, left, right)?);
                Ok(())
            }
        }
    }
}

/// What an operator returns to candle as the gradient of its weight: `None` where the weight is a variable and the backward
/// pass is one of [`Gradients`], which then has it; else the gradient.
///
/// # Errors
/// Those of the rule.
pub fn weight_gradient(
    weight: &Tensor,
    left: &Tensor,
    right: &Tensor,
    rule: impl WeightGradient,
) -> Result<Option<Tensor>> {
    // Without their history, which would keep every tensor before them alive.
    let (left, right) = (left.detach(), right.detach());
    if !weight.is_variable() {
        return WeightGradient::compute(&rule, &left, &right).map(Some);
    }
    // Out of its place while the rule computes.
    let sum = OPEN.with_borrow_mut(|open| {
        open.as_mut().map(|open| std::mem::take(open.sums.entry(weight.id()).or_default()))
    });
    let Some(mut sum) = sum else { return WeightGradient::compute(&rule, &left, &right).map(Some) };
    let added = sum.add(weight, &left, &right, rule);
    OPEN.with_borrow_mut(|open| open.as_mut().map(|open| open.sums.insert(weight.id(), sum)));
    added.map(|()| None)
}

/// Hands the gradients of variables that a pass inside the open one has found to that one.
///
/// # Errors
/// When none is open, so that they would be lost.
pub(crate) fn pass_on(found: GradStore) -> Result<()> {
    if found.get_ids().next().is_none() {
        return Ok(());
    }
    OPEN.with_borrow_mut(|open| match open {
        Some(Open { inner: Some(inner), .. }) => inner.extend(found),
        Some(open) => {
            open.inner = Some(found);
            Ok(())
        }
        None => bail!(
            "recomputed block: the gradients of its variables only reach a backward pass of Gradients; use \
             Gradients::backward, not Tensor::backward"
        ),
    })
}
