use crate::Statistics;
use crate::losses::{
    Gaussian, covariance_loss, mean_and_covariance, mean_and_second_moment, mean_square, mean_std_loss,
    style_loss, wasserstein_loss,
};
use candle_core::{Result, Tensor, bail};
use gdl_vgg::gram_matrix;

/// What the features at one tap are compared with.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Gram(Tensor),
    Covariance { mean: Tensor, covariance: Tensor },
    MeanStd { mean: Tensor, variance: Tensor },
    Gaussian(Gaussian),
}

impl Statistics {
    /// What is taken from a style's features: such parts of several styles are mixed by adding them up with the
    /// styles' shares.
    pub(super) fn measure(self, f: &Tensor) -> Result<Vec<Tensor>> {
        let parts = match self {
            Self::Gram => vec![gram_matrix(f)?],
            Self::Covariance => {
                let (mean, covariance) = mean_and_covariance(f, None)?;
                vec![mean, covariance]
            }
            Self::MeanStd => {
                let (n, c, h, w) = f.dims4()?;
                let mean = f.reshape((n, c, h * w))?.mean_keepdim(2)?;
                vec![mean, mean_square(f, None)?]
            }
            Self::Wasserstein => {
                let (mean, moment) = mean_and_second_moment(f, None)?;
                vec![mean, moment]
            }
        };
        Ok(parts.into_iter().map(|t| t.detach()).collect())
    }

    /// The target from the mixed parts.
    pub(super) fn target(self, parts: &[Tensor]) -> Result<Target> {
        Ok(match (self, parts) {
            (Self::Gram, [gram]) => Target::Gram(gram.clone()),
            (Self::Covariance, [mean, covariance]) => {
                Target::Covariance { mean: mean.clone(), covariance: covariance.clone() }
            }
            // The mixture's own variance: that within the styles, and that between their means.
            (Self::MeanStd, [mean, square]) => {
                let variance = (square - mean.sqr()?)?.relu()?;
                Target::MeanStd { mean: mean.clone(), variance }
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
    /// The style loss of features at this tap.
    pub(super) fn loss(&self, f: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
        match self {
            Self::Gram(gram) => style_loss(f, gram, places),
            Self::Covariance { mean, covariance } => covariance_loss(f, mean, covariance, places),
            Self::MeanStd { mean, variance } => mean_std_loss(f, mean, variance, places),
            Self::Gaussian(gaussian) => wasserstein_loss(f, gaussian, places),
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
