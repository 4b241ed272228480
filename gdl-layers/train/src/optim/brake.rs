use candle_core::{Result, Tensor};

/// What holds a step back: a factor on all its gradients, and whether it is taken at all.
///
/// On a GPU both may be known to the device alone. Optimizers take them from there, so that the step is on its way before
/// anybody has waited for the number that decides it.
///
/// # Example
/// ```
/// use candle_core::{DType, Device};
/// use gdl_train::{Adam, AdamConfig, Brake, Optimizer, ParamStore};
///
/// let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
/// let x = store.vb().get_with_hints(3, "x", candle_nn::init::ONE)?;
/// let mut adam = Adam::new(store.trainable(), AdamConfig::default())?;
/// let loss = (x.sum_all()? / 0.0)?;
/// adam.step_braked(&loss.backward()?, &Brake::where_finite(&loss)?)?;
/// assert_eq!(x.to_vec1::<f32>()?, [1.0, 1.0, 1.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Brake(Held);

#[derive(Debug, Clone)]
enum Held {
    /// The factor; none where the step is not taken.
    Known(Option<f64>),
    /// On the device, (2): the factor, and a number that is finite where the step is taken.
    #[cfg(feature = "cuda")]
    OnDevice(Tensor),
}

impl Brake {
    /// Lets a step be taken where the one element of `scalar` is finite.
    ///
    /// # Errors
    /// When it is no scalar.
    pub fn where_finite(scalar: &Tensor) -> Result<Self> {
        #[cfg(feature = "cuda")]
        if gdl_kernels::cuda::takes(scalar) {
            let scalar = super::elementwise::wide(scalar)?;
            return Tensor::stack(&[&scalar.ones_like()?, &scalar], 0).map(Self::on_device);
        }
        Ok(Self::known(gdl_kernels::read_one(scalar)?.is_finite().then_some(1.0)))
    }

    /// With this factor on the gradients; none for no step.
    pub(crate) fn known(factor: Option<f64>) -> Self {
        Self(Held::Known(factor))
    }

    /// `values` (2), on CUDA, in the type of sums.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(values: Tensor) -> Self {
        Self(Held::OnDevice(values.detach()))
    }

    /// The values, where the device has them.
    #[cfg(feature = "cuda")]
    pub(crate) fn values(&self) -> Option<&Tensor> {
        match &self.0 {
            Held::Known(_) => None,
            Held::OnDevice(values) => Some(values),
        }
    }

    /// The factor; none where the step is not to be taken. Waits for a device.
    pub(crate) fn factor(&self) -> Result<Option<f64>> {
        match &self.0 {
            Held::Known(factor) => Ok(*factor),
            #[cfg(feature = "cuda")]
            Held::OnDevice(values) => {
                let read = gdl_kernels::read(std::slice::from_ref(values))?;
                Ok(read[1].is_finite().then_some(read[0]))
            }
        }
    }
}
