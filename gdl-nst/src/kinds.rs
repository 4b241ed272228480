use serde::{Deserialize, Serialize};

/// How the pixels are changed to lower the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam: steady, one evaluation a step.
    #[default]
    Adam,
    /// L-BFGS with a line search: fewer steps, each of two evaluations or more.
    Lbfgs,
}

/// Which statistics of the features make the style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Statistics {
    /// The Gram matrix ([`style_loss`](crate::style_loss)), as Gatys et al. have it.
    Gram,
    /// Mean and covariance apart ([`covariance_loss`](crate::covariance_loss)): for networks that were never trained.
    Covariance,
    /// Mean and standard deviation of each channel ([`mean_std_loss`](crate::mean_std_loss)): the loosest and cheapest.
    MeanStd,
    /// Mean and covariance, compared by the Wasserstein-2 distance of Gaussians
    /// ([`wasserstein_loss`](crate::wasserstein_loss)).
    /// The default: strokes and swirls come out where the Gram matrix gives texture, at up to twice the time in small pictures.
    #[default]
    Wasserstein,
}

/// Which total variation smooths the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TotalVariation {
    /// Squared differences of neighbours ([`tv_loss`](crate::tv_loss)): takes grain away, rounds edges.
    #[default]
    Squared,
    /// Absolute differences ([`tv_l1_loss`](crate::tv_l1_loss)): flat areas with sharp edges.
    L1,
    /// Squared differences, diagonal neighbours too ([`tv_nine_point_loss`](crate::tv_nine_point_loss)).
    NinePoint,
}

/// What the optimisation starts from, at the smallest scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Init {
    /// The content picture: keeps its drawing best.
    #[default]
    Content,
    /// The content picture with the mean and covariance of the styles' colours, which is then also what the content
    /// loss compares with: keeps the drawing, has the palette from the start. What weak features want.
    Recoloured,
    /// Plain grey.
    Gray,
    /// Noise around grey, from the seed.
    Noise,
    /// Noise with the mean and covariance of the styles' colours, from the seed.
    StyleStats,
}

/// How the content's colours are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeepColour {
    /// Only brightness is painted: content and styles are reduced to their luma, the styles' with the mean and
    /// deviation of the content's, and the result gets the content's chroma.
    Luma,
    /// The styles' colours are given the mean and covariance of the content's beforehand: the palette is the
    /// content's, but may move about.
    Match,
}
