use super::lower::{Attribute, Lowered};
use crate::Result;
use candle_core::{DType, Device, Tensor};
use gdl_instance_norm::{Definition, InstanceNorm2d};
use gdl_kernels::Activation;
use gdl_norm::{BatchNorm2d, Norm, Norm2d};

impl Lowered {
    pub(super) fn norm(&mut self, name: &str, x: &str, norm: &Norm2d) -> Result<()> {
        let (activation, normalised) = match norm.norm() {
            Norm::Nothing(activation) => (*activation, None),
            Norm::Instance(norm) => (norm.config().activation, Some(norm.config().channels)),
            Norm::Batch(norm) => (norm.config().activation, Some(norm.config().channels)),
        };
        let before = match (normalised, activation) {
            (None, _) => x.to_string(),
            (_, Activation::Identity) => name.to_string(),
            _ => format!("{name}.normalised"),
        };
        match norm.norm() {
            Norm::Instance(norm) => self.instance_norm(&before, x, norm)?,
            Norm::Batch(norm) => self.batch_norm(&before, x, norm)?,
            Norm::Nothing(Activation::Identity) => self.node("Identity", name, &[x], &[]),
            Norm::Nothing(_) => {}
        }
        if activation != Activation::Identity {
            self.activation(name, &before, activation);
        }
        Ok(())
    }

    fn instance_norm(&mut self, name: &str, x: &str, norm: &InstanceNorm2d) -> Result<()> {
        let config = norm.config();
        match config.definition {
            Definition::Torch => {
                let (scale, shift) = (self.scale(name, norm)?, self.shift(name, norm)?);
                let eps = [("epsilon", Attribute::Float(config.eps as f32))];
                self.node("InstanceNormalization", name, &[x, &scale, &shift], &eps);
            }
            // ONNX has no operator for it: (x - mean) / (std + eps).
            Definition::KerasContrib => {
                let eps = self.weight("keras.eps", &Tensor::new(&[config.eps as f32], &Device::Cpu)?)?;
                let part = |what: &str| format!("{name}.{what}");
                let over = [("axes", Attribute::Ints(&[2, 3])), ("keepdims", Attribute::Int(1))];
                self.node("ReduceMean", &part("mean"), &[x], &over);
                self.node("Sub", &part("centred"), &[x, &part("mean")], &[]);
                self.node("Mul", &part("squares"), &[&part("centred"), &part("centred")], &[]);
                self.node("ReduceMean", &part("variance"), &[&part("squares")], &over);
                self.node("Sqrt", &part("deviation"), &[&part("variance")], &[]);
                self.node("Add", &part("divisor"), &[&part("deviation"), &eps], &[]);
                let affine = norm.weight().is_some();
                let unit = if affine { part("unit") } else { name.to_string() };
                self.node("Div", &unit, &[&part("centred"), &part("divisor")], &[]);
                if affine {
                    let (scale, shift) = (self.scale(name, norm)?, self.shift(name, norm)?);
                    let sides = self.whole_numbers("per_pixel", &[1, 2]);
                    self.node("Unsqueeze", &part("scale"), &[&scale, &sides], &[]);
                    self.node("Unsqueeze", &part("shift"), &[&shift, &sides], &[]);
                    self.node("Mul", &part("scaled"), &[&unit, &part("scale")], &[]);
                    self.node("Add", name, &[&part("scaled"), &part("shift")], &[]);
                }
            }
        }
        Ok(())
    }

    /// The weight of an instance norm: 1 where it has none. Layers of one width share that.
    fn scale(&mut self, name: &str, norm: &InstanceNorm2d) -> Result<String> {
        let channels = norm.config().channels;
        match norm.weight() {
            Some(weight) => self.weight(&format!("{name}.weight"), weight),
            None => {
                self.weight(&format!("ones.{channels}"), &Tensor::ones(channels, DType::F32, &Device::Cpu)?)
            }
        }
    }

    /// As [`scale`](Self::scale), of its bias: 0 where it has none.
    fn shift(&mut self, name: &str, norm: &InstanceNorm2d) -> Result<String> {
        let channels = norm.config().channels;
        match norm.bias() {
            Some(bias) => self.weight(&format!("{name}.bias"), bias),
            None => {
                self.weight(&format!("zeros.{channels}"), &Tensor::zeros(channels, DType::F32, &Device::Cpu)?)
            }
        }
    }

    fn batch_norm(&mut self, name: &str, x: &str, norm: &BatchNorm2d) -> Result<()> {
        let inputs = [
            x.to_string(),
            self.weight(&format!("{name}.weight"), norm.weight())?,
            self.weight(&format!("{name}.bias"), norm.bias())?,
            self.weight(&format!("{name}.running_mean"), &norm.running_mean())?,
            self.weight(&format!("{name}.running_var"), &norm.running_var())?,
        ];
        let inputs = inputs.each_ref().map(String::as_str);
        let eps = [("epsilon", Attribute::Float(norm.config().eps as f32))];
        self.node("BatchNormalization", name, &inputs, &eps);
        Ok(())
    }
}
