use candle_core::{DType, Device, Result, Tensor, Var, bail};
use gdl_kernels::rng::SharedRng;
use std::fmt;

/// What an operator makes of its inputs.
type Run = Box<dyn Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync>;

/// An operator in one shape.
pub struct Case {
    operator: &'static str,
    variant: String,
    inputs: Vec<Vec<usize>>,
    differentiable: bool,
    in_half: bool,
    run: Run,
}

/// How far a device is from the CPU in double precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// The largest of all outputs and gradients: in f32 and f64 the largest difference over the largest number, in half
    /// precision the root mean square of the differences over that of the numbers.
    pub largest: f64,
    /// Where it was found: `output 0`, `gradient of input 1`.
    pub place: String,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("operator", &self.operator).field("variant", &self.variant).finish()
    }
}

impl Case {
    /// An operator of `inputs` (their shapes), which is compared with all its gradients.
    pub(crate) fn new(
        operator: &'static str,
        variant: impl Into<String>,
        inputs: &[&[usize]],
        run: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            operator,
            variant: variant.into(),
            inputs: inputs.iter().map(|shape| shape.to_vec()).collect(),
            differentiable: true,
            in_half: true,
            run: Box::new(run),
        }
    }

    /// Compares values only.
    pub(crate) fn values_only(mut self) -> Self {
        self.differentiable = false;
        self
    }

    /// Not to be compared in half precision, where its result jumps with the rounding: a maximum falls on another pixel, a
    /// number underflows.
    pub(crate) fn not_in_half(mut self) -> Self {
        self.in_half = false;
        self
    }

    /// How far a device may be from the CPU in double precision; none where an element type says nothing.
    ///
    /// f32 sums of some thousand terms are good to 1e-5 of the largest; half precision rounds each of its results to 2^-9
    /// (bf16) of itself.
    pub fn bound(&self, dtype: DType) -> Option<f64> {
        match dtype {
            DType::F64 => Some(1e-9),
            DType::F32 => Some(1e-4),
            _ => self.in_half.then_some(1e-2),
        }
    }

    /// The function, as its crate calls it.
    pub fn operator(&self) -> &'static str {
        self.operator
    }

    /// The function and what is particular about this case.
    pub fn name(&self) -> String {
        match self.variant.is_empty() {
            true => self.operator.into(),
            false => format!("{} {}", self.operator, self.variant),
        }
    }

    /// The outputs, and the gradients of a sum of them that weights each number differently.
    ///
    /// # Errors
    /// Those of the operator.
    pub fn compute(&self, device: &Device, dtype: DType, rounded_to: DType) -> Result<Vec<Tensor>> {
        let rng = SharedRng::seed(17);
        // Drawn and rounded on the CPU: the same numbers for every device.
        let draw = |shape: &[usize], rounded_to: DType| {
            let x = rng.randn(shape, DType::F32, &Device::Cpu)?;
            x.to_dtype(rounded_to)?.to_dtype(DType::F64)?.to_dtype(dtype)?.to_device(device)
        };
        let inputs = self.inputs.iter().map(|shape| Var::from_tensor(&draw(shape, rounded_to)?));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let tensors: Vec<Tensor> = inputs.iter().map(|var| var.as_tensor().clone()).collect();
        let outputs = (self.run)(&tensors)?;
        let mut found = outputs.iter().map(Tensor::detach).collect::<Vec<_>>();
        if !self.differentiable {
            return Ok(found);
        }
        let mut loss: Option<Tensor> = None;
        for output in &outputs {
            let weighted = (output * draw(output.dims(), rounded_to)?)?.sum_all()?;
            loss = Some(match loss {
                Some(loss) => (loss + weighted)?,
                None => weighted,
            });
        }
        let Some(loss) = loss else { bail!("{}: no outputs", self.name()) };
        let gradients = loss.backward()?;
        for (i, input) in inputs.iter().enumerate() {
            match gradients.get(input) {
                Some(gradient) => found.push(gradient.clone()),
                None => bail!("{}: no gradient of input {i}", self.name()),
            }
        }
        Ok(found)
    }

    /// How far `device` is from the CPU in double precision.
    ///
    /// # Errors
    /// Those of the operator, and where the two disagree in shape.
    pub fn deviation(&self, device: &Device, dtype: DType) -> Result<Deviation> {
        let want = self.compute(&Device::Cpu, DType::F64, dtype)?;
        let got = self.compute(device, dtype, dtype)?;
        self.between(&got, &want)
    }

    /// The largest deviation of one computation from another.
    ///
    /// # Errors
    /// Where they disagree in number or shape.
    pub fn between(&self, got: &[Tensor], want: &[Tensor]) -> Result<Deviation> {
        if got.len() != want.len() {
            bail!("{}: {} tensors instead of {}", self.name(), got.len(), want.len())
        }
        let outputs = match self.differentiable {
            true => want.len() - self.inputs.len(),
            false => want.len(),
        };
        let mut worst = Deviation { largest: 0.0, place: String::new() };
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let place = match i < outputs {
                true => format!("output {i}"),
                false => format!("gradient of input {}", i - outputs),
            };
            if got.dims() != want.dims() {
                bail!("{}: {place} is {:?} instead of {:?}", self.name(), got.dims(), want.dims())
            }
            let flat =
                |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
            let largest = distance(&flat(got)?, &flat(want)?, got.dtype());
            if largest > worst.largest {
                worst = Deviation { largest, place };
            }
        }
        Ok(worst)
    }
}

/// How far two tensors are apart, relative to the second. Single numbers count in f32 and f64; of half precision, whose
/// rounding alone moves the odd number by a hundredth, the root mean square does.
fn distance(got: &[f64], want: &[f64], dtype: DType) -> f64 {
    let size: fn(&mut dyn Iterator<Item = f64>) -> f64 = match dtype {
        DType::F32 | DType::F64 => {
            |x| x.fold(0.0, |top, x| if x.is_nan() || top.is_nan() { f64::NAN } else { top.max(x.abs()) })
        }
        _ => |x| x.map(|x| x * x).sum::<f64>().sqrt(),
    };
    let apart = size(&mut got.iter().zip(want).map(|(a, b)| a - b));
    let whole = size(&mut want.iter().copied());
    match apart {
        0.0 => 0.0,
        apart if apart.is_nan() => f64::INFINITY,
        apart => apart / whole,
    }
}
