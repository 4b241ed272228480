//! Which f32 kernel takes which sizes.

use super::columns::is_pointwise;
use super::kernel::{self, flip};
use crate::finish::Finish;
use crate::geometry::Geometry;
use crate::mask::Mask;
use crate::simd::Isa;
use crate::{direct, winograd};

/// Output channels that leave most of a vector empty.
const FEW: usize = 4;

/// Sizes that are better off with columns: pixels that are columns already, groups, and many weights for a few pixels,
/// as in the middle of a U-Net, where packing the weights costs more than it saves.
fn by_columns(g: &Geometry) -> bool {
    g.groups > 1 || is_pointwise(g) || (has_many_weights(g) && g.small.0 * g.small.1 <= 16)
}

fn has_many_weights(g: &Geometry) -> bool {
    g.weight_count() >= 1 << 20
}

/// Convolution: `x` is the big image, the result the small one.
pub(crate) fn correlate(isa: Isa, x: &[f32], w: &[f32], finish: Finish<'_, f32>, g: &Geometry) -> Vec<f32> {
    if winograd::fits(g) {
        winograd::correlate(isa, (x, None), w, false, finish, g)
    } else if by_columns(g) {
        kernel::correlate(x, w, finish, g)
    } else if g.c_small <= FEW && g.stride == (1, 1) {
        direct::correlate_few(isa, x, w, finish, g)
    } else {
        direct::correlate(isa, x, w, finish, g)
    }
}

/// Transposed convolution: `x` is the small image, the result the big one.
pub(crate) fn scatter(isa: Isa, x: &[f32], w: &[f32], finish: Finish<'_, f32>, g: &Geometry) -> Vec<f32> {
    let unit = g.stride == (1, 1);
    if unit && winograd::fits(&g.mirrored()) {
        winograd::correlate(isa, (x, None), w, true, finish, &g.mirrored())
    } else if by_columns(g) {
        kernel::scatter(x, w, finish, g)
    } else if g.c_big <= FEW && unit {
        direct::correlate_few(isa, x, &flip(w, g), finish, &g.mirrored())
    } else {
        direct::scatter(isa, x, w, finish, g)
    }
}

/// [`scatter`] of a gradient that first passes a mask.
pub(crate) fn scatter_masked(isa: Isa, x: &[f32], mask: Mask<'_, f32>, w: &[f32], g: &Geometry) -> Vec<f32> {
    if g.stride == (1, 1) && winograd::fits(&g.mirrored()) {
        return winograd::correlate(isa, (x, Some(mask)), w, true, Finish::NOTHING, &g.mirrored());
    }
    scatter(isa, &mask.apply(x), w, Finish::NOTHING, g)
}

/// The gradient of the weights, from the big and the small image; added to what is in `out` if so told.
pub(crate) fn weight_gradient(
    isa: Isa,
    big: &[f32],
    small: &[f32],
    g: &Geometry,
    out: &mut [f32],
    accumulate: bool,
) {
    let few = has_many_weights(g) && kernel::has_few_pixels(g);
    if winograd::fits(g) {
        winograd::weight_gradient(isa, big, small, g, out, accumulate);
    } else if few || by_columns(g) {
        kernel::weight_gradient(big, small, g, out, accumulate);
    } else {
        direct::weight_gradient(isa, big, small, g, out, accumulate);
    }
}
