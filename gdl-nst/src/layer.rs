use gdl_vgg::Tap;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A tap at which a loss reads features, and how much it counts beside the other taps of that loss.
///
/// Written and read (also by serde) as `relu4_2`, or with a weight other than 1 as `relu4_2:0.5`.
///
/// # Example
/// ```
/// use gdl_nst::Layer;
/// use gdl_vgg::Tap;
///
/// let layer: Layer = "relu4_2:0.5".parse()?;
/// assert_eq!(layer, Layer { tap: Tap::relu(4, 2), weight: 0.5 });
/// assert_eq!(Layer::from(Tap::relu(4, 2)).to_string(), "relu4_2");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layer {
    /// Where in the network.
    pub tap: Tap,
    /// Its share: only the proportion to the others' weights matters. Above 0.
    pub weight: f64,
}

impl From<Tap> for Layer {
    fn from(tap: Tap) -> Self {
        Self { tap, weight: 1.0 }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weight {
            1.0 => write!(f, "{}", self.tap),
            weight => write!(f, "{}:{weight}", self.tap),
        }
    }
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tap, weight) = text.split_once(':').unwrap_or((text, "1"));
        let tap = tap.parse().map_err(|e: gdl_vgg::Error| e.to_string())?;
        match weight.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight > 0.0 => Ok(Self { tap, weight }),
            _ => Err(format!("{text}: the weight must be a number above 0, not {weight:?}")),
        }
    }
}

impl TryFrom<String> for Layer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Layer> for String {
    fn from(layer: Layer) -> Self {
        layer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_faults_are_told() {
        for text in ["relu1_1", "conv4_2:0.25", "relu3_1:1e-7", "relu5_4:300"] {
            let layer: Layer = text.parse().unwrap();
            assert_eq!(layer.to_string().parse::<Layer>().unwrap(), layer);
            let json = serde_json::to_string(&layer).unwrap();
            assert_eq!(serde_json::from_str::<Layer>(&json).unwrap(), layer);
        }
        for text in ["relu9_1:1", "relu1_1:", "relu1_1:0", "relu1_1:-1", "relu1_1:nan", "relu1_1:inf"] {
            assert!(text.parse::<Layer>().is_err(), "{text}");
        }
    }
}
