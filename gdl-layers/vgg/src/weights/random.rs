use super::VggWeights;
use crate::{Error, Preprocess, Result, VggConfig};
use candle_core::{Device, Tensor};
use gdl_kernels::orthogonal::orthogonal;
use gdl_kernels::rng::Rng;
use std::collections::{BTreeMap, HashMap};

impl VggWeights {
    /// A network that was never trained: orthogonal filters, for machines without a network connection.
    ///
    /// Each weight, as a matrix of `C_out` rows, has orthonormal rows (columns, where there are more rows than columns)
    /// times sqrt(2), which keeps the size of the activations through the rectifiers; biases are 0. Pictures are fed as
    /// [`Preprocess::torchvision`]. Architecture, widths and the last tap are those of `config`.
    ///
    /// Every tensor has a random stream of its own name: the first layers of a longer network are those of a shorter one.
    ///
    /// # Errors
    /// When the network has no such tap or a width is 0.
    ///
    /// # Source
    /// Saxe, McClelland and Ganguli 2014; `torch.nn.init.orthogonal_` with gain sqrt(2).
    pub fn random(config: &VggConfig, seed: u64) -> Result<Self> {
        let origin = "the random network";
        if !config.arch.has(config.upto) || config.widths.contains(&0) {
            let message = format!("{} with widths {:?} up to {}", config.arch, config.widths, config.upto);
            return Err(Error::mismatch(origin, format!("there is no such network: {message}")));
        }
        let mut tensors = BTreeMap::new();
        for spec in config.arch.convs() {
            if (spec.block, spec.index) > (config.upto.block, config.upto.index) {
                break;
            }
            let [weight, bias] = spec.keys();
            let (shape, bias_shape) = spec.shapes(&config.widths);
            let rows = shape[0];
            let values = orthogonal(rows, shape[1] * 9, &mut Rng::stream(seed, &weight));
            let values = values.into_iter().map(|v| (v * std::f64::consts::SQRT_2) as f32).collect();
            tensors.insert(weight, Tensor::from_vec(values, shape, &Device::Cpu)?);
            tensors.insert(bias, Tensor::zeros(bias_shape, candle_core::DType::F32, &Device::Cpu)?);
        }
        let widths: Vec<_> = config.widths.iter().map(ToString::to_string).collect();
        let mut metadata: HashMap<_, _> = Preprocess::torchvision().to_metadata();
        metadata.insert("architecture".into(), config.arch.to_string());
        metadata.insert("widths".into(), widths.join(","));
        Self::from_tensors(origin, tensors, &metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arch, Tap};

    #[test]
    fn a_longer_network_begins_like_a_shorter_one() {
        let config =
            |upto| VggConfig { arch: Arch::Vgg16, widths: [4, 6, 8, 8, 8], upto, ..Default::default() };
        let short = VggWeights::random(&config(Tap::relu(1, 2)), 3).unwrap();
        let long = VggWeights::random(&config(Tap::relu(3, 3)), 3).unwrap();
        let other = VggWeights::random(&config(Tap::relu(1, 2)), 4).unwrap();
        let values = |w: &VggWeights| -> Vec<f32> {
            w.tensors()["features.2.weight"].flatten_all().unwrap().to_vec1().unwrap()
        };
        assert_eq!(values(&short), values(&long));
        assert_ne!(values(&short), values(&other));
        assert_eq!(long.tensors().len(), 14);
    }
}
