use crate::tensors::{Expected, check};
use crate::{Error, Result, Rng, Tensors};
use candle_core::{DType, Device, Shape, Tensor, Var, bail};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use gdl_kernels::init::Orthogonal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The weights of a model: named variables behind a [`VarBuilder`], each drawn from a seed and its own name.
///
/// A variable asked for the first time is drawn from [`Rng::stream`]`(seed, name)`, so its initial value depends neither on the
/// order in which layers are built nor on the machine. Clones share the variables.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_train::ParamStore;
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 42);
/// let layer = candle_nn::linear(8, 4, store.vb().pp("fc"))?;
/// assert_eq!(store.vars().into_keys().collect::<Vec<_>>(), ["fc.bias", "fc.weight"]);
/// assert_eq!(store.num_parameters(), 8 * 4 + 4);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ParamStore {
    inner: Arc<Mutex<Inner>>,
    dtype: DType,
    device: Device,
    seed: u64,
}

#[derive(Debug, Default)]
struct Inner {
    vars: BTreeMap<String, Var>,
    frozen: BTreeSet<String>,
}

impl Inner {
    fn is_frozen(&self, name: &str) -> bool {
        self.frozen.iter().any(|p| {
            name.strip_prefix(p.as_str())
                .is_some_and(|rest| p.is_empty() || rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// Whether a variable of that name is a running statistic, by PyTorch's names for them.
fn is_statistic(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("running_mean" | "running_var"))
}

impl ParamStore {
    /// An empty store.
    pub fn new(dtype: DType, device: &Device, seed: u64) -> Self {
        Self { inner: Arc::default(), dtype, device: device.clone(), seed }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave the maps half-changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The builder that layers take their variables from.
    pub fn vb(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), self.dtype, self.device.clone())
    }

    /// Where the variables live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type of the variables, where a layer does not ask for another.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Every variable, by name.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        self.lock().vars.clone()
    }

    /// The variables to give to an optimizer, in the order of their names: all but the frozen, and but the running statistics
    /// of norms (`running_mean`, `running_var`), which layers move themselves.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let inner = self.lock();
        inner
            .vars
            .iter()
            .filter(|(name, _)| !inner.is_frozen(name) && !is_statistic(name))
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    }

    /// The trainable variables under one prefix: `subset("generator")` gives `generator.…`.
    pub fn subset(&self, prefix: &str) -> Vec<(String, Var)> {
        let prefix = format!("{prefix}.");
        self.trainable().into_iter().filter(|(name, _)| name.starts_with(&prefix)).collect()
    }

    /// Leaves the variables under a prefix (`"features"`, `"features.0.weight"`; `""` is all) out of [`trainable`](Self::trainable).
    ///
    /// Layers built *after* this call hold detached tensors of those variables, so that no gradient is computed for
    /// them; layers built before go on computing it.
    pub fn freeze(&self, prefix: &str) {
        self.lock().frozen.insert(prefix.to_string());
    }

    /// How many numbers the variables hold together, running statistics aside.
    pub fn num_parameters(&self) -> usize {
        let inner = self.lock();
        inner.vars.iter().filter(|(name, _)| !is_statistic(name)).map(|(_, v)| v.elem_count()).sum()
    }

    /// A copy of every variable, which later training does not change.
    ///
    /// # Errors
    /// When a copy cannot be made (out of memory on an accelerator).
    pub fn snapshot(&self) -> Result<Tensors> {
        Ok(self
            .vars()
            .into_iter()
            .map(|(name, var)| Ok((name, var.copy()?.detach())))
            .collect::<candle_core::Result<_>>()?)
    }

    /// The variables as tensors which share their storage: for saving at once.
    pub fn tensors(&self) -> Tensors {
        self.vars().into_iter().map(|(name, var)| (name, var.as_detached_tensor())).collect()
    }

    /// Takes every variable's value from a map; `origin` says in errors where it came from.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when a name is missing or left over, or a shape or type differs. All is checked first: on an error no
    /// variable has changed.
    pub fn load_tensors(&self, origin: &str, tensors: &Tensors) -> Result<()> {
        let inner = self.lock();
        let expected = inner.vars.iter().map(|(name, var)| (name.clone(), Expected::of(var))).collect();
        check(origin, tensors, &expected)?;
        for (name, var) in &inner.vars {
            let value =
                tensors.get(name).ok_or_else(|| Error::mismatch(origin, format!("missing: {name}")))?;
            var.set(&value.to_device(var.device())?)?;
        }
        Ok(())
    }

    fn draw(
        &self,
        shape: &Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Var> {
        let mut rng = Rng::stream(self.seed, name);
        let n = shape.elem_count();
        let values: Vec<f64> = match init {
            init if let Some(orthogonal) = Orthogonal::of(&init) => {
                orthogonal.draw(shape.dims(), &mut rng)?
            }
            Init::Const(c) => vec![c; n],
            Init::Uniform { lo, up } => (0..n).map(|_| rng.range(lo, up)).collect(),
            Init::Randn { mean, stdev } => (0..n).map(|_| mean + stdev * rng.normal()).collect(),
            Init::Kaiming { dist, fan, non_linearity } => {
                let std = non_linearity.gain() / (fan.for_shape(shape).max(1) as f64).sqrt();
                match dist {
                    NormalOrUniform::Normal => (0..n).map(|_| std * rng.normal()).collect(),
                    NormalOrUniform::Uniform => {
                        let bound = 3f64.sqrt() * std;
                        (0..n).map(|_| rng.range(-bound, bound)).collect()
                    }
                }
            }
        };
        // Rounded here, not on the device: the same numbers everywhere.
        let tensor = match dtype {
            DType::F64 => Tensor::from_vec(values, shape, device)?,
            DType::F32 => {
                Tensor::from_vec(values.into_iter().map(|v| v as f32).collect::<Vec<_>>(), shape, device)?
            }
            _ => Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?,
        };
        Var::from_tensor(&tensor)
    }
}

impl SimpleBackend for ParamStore {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut inner = self.lock();
        let var = match inner.vars.get(name) {
            None => {
                let var = self.draw(&shape, name, init, dtype, device)?;
                inner.vars.insert(name.to_string(), var.clone());
                var
            }
            Some(var) if var.shape() == &shape && var.dtype() == dtype => var.clone(),
            Some(var) => bail!(
                "parameter {name}: asked for as {shape:?} {}, but it exists already as {:?} {}",
                dtype.as_str(),
                var.shape(),
                var.dtype().as_str()
            ),
        };
        Ok(if inner.is_frozen(name) { var.as_detached_tensor() } else { var.as_tensor().clone() })
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _device: &Device) -> candle_core::Result<Tensor> {
        let inner = self.lock();
        match inner.vars.get(name) {
            Some(var) if inner.is_frozen(name) => var.as_detached_tensor().to_dtype(dtype),
            Some(var) => var.as_tensor().to_dtype(dtype),
            None => bail!("parameter {name}: asked for without a shape, and it does not exist yet"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().vars.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::init::{DEFAULT_KAIMING_NORMAL, ZERO};

    fn store() -> ParamStore {
        ParamStore::new(DType::F32, &Device::Cpu, 1)
    }

    fn values(t: &Tensor) -> Vec<f32> {
        t.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn initial_values_do_not_depend_on_the_order() {
        let (one, two) = (store(), store());
        let a = one.vb().get_with_hints((3, 4), "a", DEFAULT_KAIMING_NORMAL).unwrap();
        two.vb().get_with_hints(5, "b", DEFAULT_KAIMING_NORMAL).unwrap();
        let again = two.vb().get_with_hints((3, 4), "a", DEFAULT_KAIMING_NORMAL).unwrap();
        assert_eq!(values(&a), values(&again));
    }

    #[test]
    fn the_same_name_is_the_same_variable() {
        let store = store();
        let a = store.vb().get_with_hints((2, 2), "a", ZERO).unwrap();
        let b = store.vb().get_with_hints((2, 2), "a", ZERO).unwrap();
        assert_eq!(a.id(), b.id());
        let error = store.vb().get_with_hints((2, 3), "a", ZERO).unwrap_err().to_string();
        assert!(error.contains("parameter a") && error.contains("[2, 3]"), "{error}");
    }

    #[test]
    fn frozen_variables_get_no_gradient() {
        let store = store();
        store.freeze("features");
        let vb = store.vb();
        let frozen = vb.pp("features").get_with_hints(2, "weight", ZERO).unwrap();
        let free = vb.pp("features2").get_with_hints(2, "weight", ZERO).unwrap();
        assert!(!frozen.is_variable() && free.is_variable());
        let names: Vec<_> = store.trainable().into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["features2.weight"]);
        assert_eq!(store.num_parameters(), 4);
        assert_eq!(store.subset("features2").len(), 1);
        assert!(store.subset("feature").is_empty());
    }
}
