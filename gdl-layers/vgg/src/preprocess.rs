use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The order of the colour channels that a network was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red: networks from Caffe.
    Bgr,
}

/// What is done to a picture before the network sees it: `(range * x - mean) / std`, per channel in `channels`' order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// The order of the channels.
    pub channels: ChannelOrder,
    /// The value of white: 1 or 255.
    pub range: f64,
    /// What is subtracted, in the network's channel order and range.
    pub mean: [f64; 3],
    /// What the difference is divided by, in the network's channel order.
    pub std: [f64; 3],
}

impl Preprocess {
    /// torchvision's: RGB in [0, 1], ImageNet's mean and standard deviation.
    pub fn torchvision() -> Self {
        Self {
            channels: ChannelOrder::Rgb,
            range: 1.0,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }

    /// Caffe's: BGR in [0, 255], minus the mean 103.939, 116.779, 123.68.
    pub fn caffe() -> Self {
        Self { channels: ChannelOrder::Bgr, range: 255.0, mean: [103.939, 116.779, 123.68], std: [1.0; 3] }
    }

    /// What a weight file's metadata says: `channels` (`RGB` or `BGR`), `range` (`0-1` or `0-255`), `mean_rgb` or
    /// `mean_bgr`, `std_rgb` or `std_bgr` (three numbers with commas between them).
    ///
    /// A file that says nothing about `channels` and `range` is taken to be torchvision's; otherwise the mean must be
    /// there, while a missing standard deviation is 1.
    ///
    /// # Errors
    /// [`Error::Metadata`] naming `origin` and the key.
    pub fn from_metadata(metadata: &HashMap<String, String>, origin: &str) -> Result<Self> {
        let fault =
            |key: &'static str, message: String| Error::Metadata { origin: origin.to_string(), key, message };
        let (channels, range) = (metadata.get("channels"), metadata.get("range"));
        if channels.is_none() && range.is_none() {
            return Ok(Self::torchvision());
        }
        let channels = match channels.map(|s| s.to_ascii_uppercase()).as_deref() {
            None | Some("RGB") => ChannelOrder::Rgb,
            Some("BGR") => ChannelOrder::Bgr,
            Some(other) => {
                return Err(fault("channels", format!("expected RGB or BGR, found {other:?}")));
            }
        };
        let range = match range.map(String::as_str) {
            None | Some("0-1") => 1.0,
            Some("0-255") => 255.0,
            Some(other) => return Err(fault("range", format!("expected 0-1 or 0-255, found {other:?}"))),
        };
        let (mean_key, std_key) = match channels {
            ChannelOrder::Rgb => ("mean_rgb", "std_rgb"),
            ChannelOrder::Bgr => ("mean_bgr", "std_bgr"),
        };
        let Some(mean) = metadata.get(mean_key) else {
            return Err(fault(mean_key, "it is missing beside channels and range".to_string()));
        };
        let mean = triple(mean).ok_or_else(|| fault(mean_key, format!("not three numbers: {mean:?}")))?;
        let std = match metadata.get(std_key) {
            None => [1.0; 3],
            Some(std) => triple(std)
                .filter(|std| std.iter().all(|s| *s > 0.0))
                .ok_or_else(|| fault(std_key, format!("not three positive numbers: {std:?}")))?,
        };
        Ok(Self { channels, range, mean, std })
    }

    /// The metadata that [`Preprocess::from_metadata`] reads back.
    pub fn to_metadata(&self) -> HashMap<String, String> {
        let (order, mean, std) = match self.channels {
            ChannelOrder::Rgb => ("RGB", "mean_rgb", "std_rgb"),
            ChannelOrder::Bgr => ("BGR", "mean_bgr", "std_bgr"),
        };
        let list = |v: &[f64; 3]| format!("{},{},{}", v[0], v[1], v[2]);
        let range = if self.range == 1.0 { "0-1" } else { "0-255" };
        [
            ("channels", order.into()),
            ("range", range.into()),
            (mean, list(&self.mean)),
            (std, list(&self.std)),
        ]
        .into_iter()
        .map(|(k, v): (&str, String)| (k.to_string(), v))
        .collect()
    }

    /// A picture as the network takes it.
    ///
    /// # Shape
    /// (N, 3, H, W), RGB in [0, 1], to the same shape.
    ///
    /// # Errors
    /// When `x` is not such a tensor.
    pub fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (_, c, _, _) = x.dims4()?;
        if c != 3 {
            candle_core::bail!("vgg: a picture has 3 channels, this has shape {:?}", x.dims())
        }
        let channel = |i: usize| -> candle_core::Result<Tensor> {
            let from = if self.channels == ChannelOrder::Bgr { 2 - i } else { i };
            x.narrow(1, from, 1)?.affine(self.range / self.std[i], -self.mean[i] / self.std[i])
        };
        Tensor::cat(&[channel(0)?, channel(1)?, channel(2)?], 1)
    }
}

fn triple(text: &str) -> Option<[f64; 3]> {
    let numbers: Vec<f64> = text.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    let numbers: [f64; 3] = numbers.try_into().ok()?;
    numbers.iter().all(|n| n.is_finite()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn metadata(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn metadata_goes_both_ways() {
        for p in [Preprocess::torchvision(), Preprocess::caffe()] {
            assert_eq!(Preprocess::from_metadata(&p.to_metadata(), "a").unwrap(), p);
        }
        let plain = Preprocess::from_metadata(&metadata(&[("format", "pt")]), "a").unwrap();
        assert_eq!(plain, Preprocess::torchvision());
    }

    #[test]
    fn faults_name_file_and_key() {
        for (pairs, key) in [
            (&[("channels", "GBR")][..], "channels"),
            (&[("channels", "BGR"), ("range", "0-100")], "range"),
            (&[("channels", "BGR"), ("range", "0-255")], "mean_bgr"),
            (&[("channels", "BGR"), ("mean_bgr", "1,2")], "mean_bgr"),
            (&[("channels", "BGR"), ("mean_bgr", "1,2,nan")], "mean_bgr"),
            (&[("channels", "RGB"), ("mean_rgb", "0,0,0"), ("std_rgb", "1,0,1")], "std_rgb"),
        ] {
            let error = Preprocess::from_metadata(&metadata(pairs), "w.safetensors").unwrap_err().to_string();
            assert!(error.contains("w.safetensors") && error.contains(key), "{error}");
        }
    }

    #[test]
    fn caffe_swaps_scales_and_subtracts() {
        let x = Tensor::new(&[1f64, 0.5, 0.0], &Device::Cpu).unwrap().reshape((1, 3, 1, 1)).unwrap();
        let y: Vec<f64> = Preprocess::caffe().apply(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (got, want) in y.iter().zip([-103.939, 127.5 - 116.779, 255.0 - 123.68]) {
            assert!((got - want).abs() < 1e-12);
        }
        assert!(Preprocess::caffe().apply(&x.narrow(1, 0, 1).unwrap()).is_err());
    }
}
