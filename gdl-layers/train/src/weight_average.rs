use crate::tensors::{Expected, check};
use crate::{ParamStore, Result, Tensors};
use candle_core::Var;

/// The mean of weights over steps: `m += (w - m) / n` after the n-th.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::Init;
/// use gdl_train::{ParamStore, WeightAverage};
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 0);
/// store.vb().get_with_hints(2, "w", Init::Const(1.0))?;
/// let mut average = WeightAverage::new(&store)?;
/// average.add()?;
/// let (_, w) = &store.trainable()[0];
/// w.set(&(w.as_tensor() * 3.0)?)?;
/// average.add()?;
/// assert_eq!(average.tensors()["w"].to_vec1::<f32>()?, [2.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Polyak and Juditsky 1992; `torch.optim.swa_utils.AveragedModel`. (The mean of `torch.optim.ASGD` leaves its first step out.)
#[derive(Debug)]
pub struct WeightAverage {
    /// Each weight with its mean.
    weights: Vec<(String, Var, Var)>,
    count: u64,
}

impl WeightAverage {
    /// Of the weights of a store, which begins with them as they are and has counted no step.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(store: &ParamStore) -> Result<Self> {
        let weights = store.vars().into_iter().map(|(name, var)| {
            let mean = Var::from_tensor(&var.as_tensor().copy()?)?;
            Ok((name, var, mean))
        });
        Ok(Self { weights: weights.collect::<candle_core::Result<_>>()?, count: 0 })
    }

    /// Takes the weights after a step into the mean.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn add(&mut self) -> Result<()> {
        self.count += 1;
        for (_, weight, mean) in &self.weights {
            let (w, m) = (weight.as_detached_tensor(), mean.as_detached_tensor());
            let step = ((w - &m)? / self.count as f64)?;
            mean.set(&(m + step)?)?;
        }
        Ok(())
    }

    /// The steps that have been taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The means; as later steps come in, these tensors follow.
    pub fn tensors(&self) -> Tensors {
        let mean = |(name, _, mean): &(String, Var, Var)| (name.clone(), mean.as_detached_tensor());
        self.weights.iter().map(mean).collect()
    }

    /// Goes on from saved means after so many steps; `origin` names them in errors.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) when they are those of other weights; then nothing has changed.
    pub fn load(&mut self, origin: &str, means: &Tensors, count: u64) -> Result<()> {
        let expected = |(name, weight, _): &(String, Var, Var)| (name.clone(), Expected::of(weight));
        check(origin, means, &self.weights.iter().map(expected).collect())?;
        for (name, weight, mean) in &self.weights {
            if let Some(value) = means.get(name) {
                mean.set(&value.to_device(weight.device())?)?;
            }
        }
        self.count = count;
        Ok(())
    }
}
