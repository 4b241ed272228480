use crate::Statistics;
use crate::losses::{
    Gaussian, covariance_loss_of, energy_of, mean_and_covariance, mean_and_variance, mean_std_loss_of,
    place_weighted, scale_of, scaled_mse, wasserstein_loss_of,
};
use candle_core::{Result, Tensor, bail};
use gdl_vgg::gram_matrix;

/// What the features at one tap are compared with, and the numbers that make the comparison relative: taken once, since a
/// GPU has to be waited for to know them.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Gram { gram: Tensor, scale: f64 },
    Covariance { mean: Tensor, covariance: Tensor, scales: (f64, f64) },
    MeanStd { mean: Tensor, variance: Tensor, energy: f64 },
    Gaussian(Gaussian),
}

impl Statistics {
    /// What the losses see of features: the Gram matrix, or mean and covariance (divided by C), or mean and variance.
    pub(super) fn moments(self, f: &Tensor, places: Option<&Tensor>) -> Result<Vec<Tensor>> {
        Ok(match self {
            Self::Gram => vec![gram_matrix(&place_weighted(f, places)?)?],
            Self::Covariance | Self::Wasserstein => {
                let (mean, covariance) = mean_and_covariance(f, places)?;
                vec![mean, covariance]
            }
            Self::MeanStd => {
                let (mean, variance) = mean_and_variance(f, places)?;
                vec![mean, variance]
            }
        })
    }

    /// What is taken from a style's moments: such parts of several styles are mixed by adding them up with the styles'
    /// shares.
    pub(super) fn mixable(self, moments: &[Tensor]) -> Result<Vec<Tensor>> {
        let parts = match (self, moments) {
            (Self::Gram | Self::Covariance, parts) => parts.to_vec(),
            // Both linear in the distribution.
            (Self::MeanStd, [mean, variance]) => vec![mean.clone(), (variance + mean.sqr()?)?],
            (Self::Wasserstein, [mean, covariance]) => {
                let (_, c, _) = mean.dims3()?;
                vec![mean.clone(), ((covariance * c as f64)? + mean.matmul(&mean.t()?)?)?]
            }
            _ => bail!("style transfer: {} moments", moments.len()),
        };
        Ok(parts.into_iter().map(|t| t.detach()).collect())
    }

    /// The target from the mixed parts.
    pub(super) fn target(self, parts: &[Tensor]) -> Result<Target> {
        Ok(match (self, parts) {
            (Self::Gram, [gram]) => Target::Gram { gram: gram.clone(), scale: scale_of(gram)? },
            (Self::Covariance, [mean, covariance]) => Target::Covariance {
                mean: mean.clone(),
                covariance: covariance.clone(),
                scales: (scale_of(mean)?, scale_of(covariance)?),
            },
            // The mixture's own variance: that within the styles, and that between their means.
            (Self::MeanStd, [mean, square]) => {
                let variance = (square - mean.sqr()?)?.relu()?;
                let energy = energy_of(mean, &variance)?;
                Target::MeanStd { mean: mean.clone(), variance, energy }
            }
            (Self::Wasserstein, [mean, moment]) => {
                let covariance = (moment - mean.matmul(&mean.t()?)?)?;
                Target::Gaussian(Gaussian::new(mean, &covariance)?)
            }
            _ => bail!("style transfer: a target of {} parts", parts.len()),
        })
    }
}

impl Target {
    pub(super) fn statistics(&self) -> Statistics {
        match self {
            Self::Gram { .. } => Statistics::Gram,
            Self::Covariance { .. } => Statistics::Covariance,
            Self::MeanStd { .. } => Statistics::MeanStd,
            Self::Gaussian(_) => Statistics::Wasserstein,
        }
    }

    /// The style loss of features at this tap.
    pub(super) fn loss(&self, f: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
        self.loss_of(&self.statistics().moments(f, places)?)
    }

    /// The style loss of features that have these moments.
    pub(super) fn loss_of(&self, moments: &[Tensor]) -> Result<Tensor> {
        match (self, moments) {
            (Self::Gram { gram: target, scale }, [gram]) => scaled_mse(gram, target, *scale),
            (Self::Covariance { mean, covariance, scales }, [m, c]) => {
                covariance_loss_of((m, c), (mean, covariance), *scales)
            }
            (Self::MeanStd { mean, variance, energy }, [m, v]) => {
                mean_std_loss_of((m, v), (mean, variance), *energy)
            }
            (Self::Gaussian(gaussian), [m, c]) => wasserstein_loss_of((m, c), gaussian),
            _ => bail!("style transfer: a style loss of {} moments", moments.len()),
        }
    }
}

/// Adds a style's parts with its share.
pub(super) fn add_share(mix: &mut Vec<Tensor>, parts: &[Tensor], share: f64) -> Result<()> {
    for (i, part) in parts.iter().enumerate() {
        let part = (part * share)?;
        match mix.get_mut(i) {
            Some(sum) => *sum = (&*sum + part)?,
            None => mix.push(part),
        }
    }
    Ok(())
}
