use candle_core::{Result, Tensor};

/// How far a frame of a film is from the one before, moved along with what is seen in it.
///
/// `L = mean(w (x - p)^2)` for the frame x, the moved frame before p, and w, which is 1 where the motion is known and 0
/// where something appears or moved too far; the mean is over all pixels and channels, those of w = 0 included
///
/// # Shape
/// `frame` and `previous` (N, 3, H, W), `known` (N, 1, H, W), to a scalar.
///
/// # Errors
/// When the shapes do not fit.
///
/// # Source
/// Ruder, Dosovitskiy and Brox 2016, *Artistic style transfer for videos*, equation 7.
pub fn temporal_loss(frame: &Tensor, previous: &Tensor, known: &Tensor) -> Result<Tensor> {
    (frame - previous)?.sqr()?.broadcast_mul(known)?.mean_all()
}
