use super::{place_weighted, scale_of, scaled_mse};
use candle_core::{Result, Tensor};
use gdl_vgg::gram_matrix;

/// How far the correlations between the channels of a layer are from those of the style picture.
///
/// `E = mean((G - A)^2) / mean(A^2)` for the Gram matrix G of the features and the target A
///
/// Relative to the target, so that every layer counts alike however its activations are scaled. The Gram matrix is
/// divided by C H W ([`gram_matrix`]), so that style and picture may differ in size.
///
/// # Shape
/// `features` (N, C, H, W), `target` (N, C, C), `places` (1, 1, H, W) of mean 1 or none (see
/// [`place_weighted`]), to a scalar.
///
/// # Errors
/// When the shapes do not fit.
///
/// # Source
/// Gatys, Ecker and Bethge 2016, equation 4, which divides by 4 C^2 (H W)^2 instead; Gatys et al. 2017, equation 7,
/// for the guided one.
pub fn style_loss(features: &Tensor, target: &Tensor, places: Option<&Tensor>) -> Result<Tensor> {
    let gram = gram_matrix(&place_weighted(features, places)?)?;
    scaled_mse(&gram, target, scale_of(target)?)
}
