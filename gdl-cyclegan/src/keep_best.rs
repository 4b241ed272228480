use crate::{Error, Result};
use gdl_vgg::{Tap, VggWeights};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What the best weights of a training are chosen by. Of both directions of a CycleGAN the mean counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Metric {
    /// [`psnr`](crate::eval::psnr) of the translations of validation pictures against their truths; the higher, the better.
    Psnr,
    /// [`ssim`](crate::eval::ssim), likewise.
    Ssim,
    /// [`kid`](crate::eval::kid) of the translations of validation pictures against the real ones of the other domain; the lower, the
    /// better.
    Kid,
    /// [`fid`](crate::eval::fid), likewise.
    Fid,
    /// The mean of the generators' loss over the steps since it was looked at last; the lower, the better. It needs no pictures,
    /// and tells little: the discriminators that it depends on learn too.
    Loss,
}

impl Metric {
    /// Whether that score is better than the other. What is no number is never better.
    pub fn is_better(self, score: f64, than: f64) -> bool {
        match self {
            Self::Psnr | Self::Ssim => score > than,
            Self::Kid | Self::Fid | Self::Loss => score < than,
        }
    }

    /// Its name in the log of metrics.
    pub fn logged(self) -> &'static str {
        match self {
            Self::Psnr => "val_psnr",
            Self::Ssim => "val_ssim",
            Self::Kid => "val_kid",
            Self::Fid => "val_fid",
            Self::Loss => "val_loss",
        }
    }

    /// Whether pictures are translated and compared for it.
    pub(crate) fn needs_pictures(self) -> bool {
        self != Self::Loss
    }

    /// Whether each of them needs a true counterpart.
    pub(crate) fn needs_truths(self) -> bool {
        matches!(self, Self::Psnr | Self::Ssim)
    }

    /// Whether they are compared by their features.
    pub(crate) fn needs_features(self) -> bool {
        matches!(self, Self::Kid | Self::Fid)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.logged().trim_start_matches("val_"))
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Psnr, Self::Ssim, Self::Kid, Self::Fid, Self::Loss];
        all.into_iter().find(|metric| metric.to_string() == text).ok_or_else(|| Error::Setting {
            key: "keep_best",
            message: format!("must be psnr, ssim, kid, fid or loss, not {text}"),
        })
    }
}

/// Where the network comes from that pictures are compared with: a file, or `random`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FeatureWeights {
    /// [`random_network`](crate::eval::random_network) with seed 0: the same in every training.
    Random,
    /// What [`VggWeights::open`] reads.
    File(PathBuf),
}

impl FeatureWeights {
    /// Reads or draws them.
    ///
    /// # Errors
    /// When the file cannot be read or holds no VGG network.
    pub fn open(&self) -> Result<VggWeights> {
        Ok(match self {
            Self::Random => VggWeights::random(&crate::eval::random_network(), 0)?,
            Self::File(path) => VggWeights::open(path)?,
        })
    }
}

impl From<String> for FeatureWeights {
    fn from(text: String) -> Self {
        if text == "random" { Self::Random } else { Self::File(text.into()) }
    }
}

impl From<FeatureWeights> for String {
    fn from(weights: FeatureWeights) -> Self {
        match weights {
            FeatureWeights::Random => "random".into(),
            FeatureWeights::File(path) => path.display().to_string(),
        }
    }
}

/// How a training finds the best of its weights, which it keeps in `RUN/best.safetensors` beside the last.
///
/// Which pictures it is scored on, the data's configuration says; the built-in domains bring their test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepBest {
    /// The score.
    pub metric: Metric,
    /// Steps from one scoring to the next; 500 by default. The last step is scored too.
    #[serde(default = "five_hundred")]
    pub every: u64,
    /// At most so many validation pictures of each domain; by default all of a folder, [`SCENES`](crate::eval::SCENES) of a
    /// built-in domain.
    #[serde(default)]
    pub count: Option<usize>,
    /// The network for [`Metric::Kid`] and [`Metric::Fid`], which need one.
    #[serde(default)]
    pub weights: Option<FeatureWeights>,
    /// Where in it they look; by default [`FeatureNet::default_tap`](crate::eval::FeatureNet::default_tap).
    #[serde(default)]
    pub tap: Option<Tap>,
}

fn five_hundred() -> u64 {
    500
}

impl KeepBest {
    /// Makes the path of the weights absolute: resumed from another directory, a run must find the same network.
    pub(crate) fn absolute(&mut self) -> Result<()> {
        if let Some(FeatureWeights::File(path)) = &mut self.weights {
            let absolute = std::path::absolute(&*path);
            *path = absolute.map_err(|source| Error::Io { action: "find", path: path.clone(), source })?;
        }
        Ok(())
    }

    /// The best by that score, with the defaults.
    pub fn by(metric: Metric) -> Self {
        Self { metric, every: five_hundred(), count: None, weights: None, tap: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_is_higher_or_lower_and_never_no_number() {
        assert!(Metric::Psnr.is_better(2.0, 1.0) && !Metric::Psnr.is_better(1.0, 1.0));
        assert!(Metric::Fid.is_better(1.0, 2.0) && !Metric::Fid.is_better(2.0, 1.0));
        for metric in ["psnr", "ssim", "kid", "fid", "loss"] {
            let metric: Metric = metric.parse().unwrap();
            assert!(!metric.is_better(f64::NAN, 1.0));
            assert_eq!(serde_json::to_string(&metric).unwrap(), format!("\"{metric}\""));
        }
        assert!("best".parse::<Metric>().unwrap_err().to_string().contains("psnr, ssim"));
    }

    #[test]
    fn a_configuration_needs_its_score_alone() {
        let config: KeepBest = serde_json::from_str(r#"{"metric": "kid", "weights": "random"}"#).unwrap();
        assert_eq!(config, KeepBest { weights: Some(FeatureWeights::Random), ..KeepBest::by(Metric::Kid) });
        assert_eq!(
            serde_json::from_str::<KeepBest>(&serde_json::to_string(&config).unwrap()).unwrap(),
            config
        );
        assert_eq!(FeatureWeights::from("a/b".to_string()), FeatureWeights::File("a/b".into()));
    }
}
