//! Which f32 kernel takes which sizes.

use super::columns::is_pointwise;
use super::kernel::{self, flip};
use crate::geometry::Geometry;
use crate::simd::Isa;
use crate::{direct, winograd};

/// Output channels that leave most of a vector empty.
const FEW: usize = 4;

/// Sizes that are better off with columns: pixels that are columns already, groups, and many weights for a few pixels,
/// as in the middle of a U-Net, where packing the weights costs more than it saves.
fn by_columns(g: &Geometry) -> bool {
    let many = g.c_big * g.c_small * g.taps() >= 1 << 20;
    g.groups > 1 || is_pointwise(g) || (many && g.small.0 * g.small.1 <= 16)
}

/// Convolution: `x` is the big image, the result the small one.
pub(crate) fn correlate(isa: Isa, x: &[f32], w: &[f32], bias: Option<&[f32]>, g: &Geometry) -> Vec<f32> {
    if winograd::fits(g) {
        winograd::correlate(isa, x, w, false, bias, g)
    } else if by_columns(g) {
        kernel::correlate(x, w, bias, g)
    } else if g.c_small <= FEW && g.stride == (1, 1) {
        direct::correlate_few(isa, x, w, bias, g)
    } else {
        direct::correlate(isa, x, w, bias, g)
    }
}

/// Transposed convolution: `x` is the small image, the result the big one.
pub(crate) fn scatter(isa: Isa, x: &[f32], w: &[f32], bias: Option<&[f32]>, g: &Geometry) -> Vec<f32> {
    let unit = g.stride == (1, 1);
    if unit && winograd::fits(&g.mirrored()) {
        winograd::correlate(isa, x, w, true, bias, &g.mirrored())
    } else if by_columns(g) {
        kernel::scatter(x, w, bias, g)
    } else if g.c_big <= FEW && unit {
        direct::correlate_few(isa, x, &flip(w, g), bias, &g.mirrored())
    } else {
        direct::scatter(isa, x, w, bias, g)
    }
}

/// The gradient of the weights, from the big and the small image.
pub(crate) fn weight_gradient(isa: Isa, big: &[f32], small: &[f32], g: &Geometry) -> Vec<f32> {
    if winograd::fits(g) {
        winograd::weight_gradient(isa, big, small, g)
    } else if by_columns(g) {
        kernel::weight_gradient(big, small, g)
    } else {
        direct::weight_gradient(isa, big, small, g)
    }
}
