//! Winograd's minimal filtering F(4x4, 3x3) for 3x3 kernels of stride 1, in f32: 36 products where the definition
//! has 144.
//!
//! An image is cut into tiles of 4x4 outputs, each of which sees 6x6 inputs. With `g` the kernel and `d` the inputs,
//! `y = A^T [(G g G^T) * (B^T d B)] A`, where `*` is element by element: summed over channels, it is one matrix
//! product for each of the 36 positions ("frequencies"). The gradient of the kernel is the adjoint,
//! `G^T [(A dy A^T) * (B^T d B)] G`, summed over tiles.
//!
//! The polynomial's points are 0, ±sqrt(1/2), ±sqrt(2) and infinity: half the rounding error of the usual 0, ±1, ±2.
//!
//! Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

mod forward;
mod transform;
mod weight_gradient;

pub(crate) use forward::correlate;
pub(crate) use weight_gradient::weight_gradient;

use crate::geometry::Geometry;
use std::ops::Range;

/// Frequencies of a tile.
const FREQUENCIES: usize = 36;
/// Outputs of a tile along an axis.
const TILE: usize = 4;
/// Tiles side by side that are transformed together.
const RUN: usize = 16;

/// Whether this geometry can be computed this way.
pub(crate) fn applies(g: &Geometry) -> bool {
    g.kernel == (3, 3) && g.stride == (1, 1) && g.dilation == (1, 1) && g.groups == 1
}

/// Whether it should be: enough channels to fill the vectors, and enough tiles to share the transformed weights.
/// Smaller sums keep the direct way and its rounding, which is a few times less.
pub(crate) fn fits(g: &Geometry) -> bool {
    applies(g) && g.c_big.min(g.c_small) >= 16 && g.small.0.min(g.small.1) >= 24
}

/// Tiles side by side in one row of an image.
struct Run {
    /// The first of them, counted within the block of tiles.
    at: usize,
    /// Row and column of its first output.
    y: usize,
    x: usize,
    count: usize,
}

/// The runs of some rows of tiles.
fn runs(g: &Geometry, tile_rows: Range<usize>) -> Vec<Run> {
    let across = g.small.1.div_ceil(TILE);
    let first = tile_rows.start;
    let row = |ty: usize| {
        (0..across).step_by(RUN).map(move |tx| Run {
            at: (ty - first) * across + tx,
            y: ty * TILE,
            x: tx * TILE,
            count: RUN.min(across - tx),
        })
    };
    tile_rows.flat_map(row).collect()
}

/// How many rows of tiles to take at once, so that some `target` tiles share the transformed weights.
fn rows_together(g: &Geometry, target: usize) -> usize {
    let (down, across) = (g.small.0.div_ceil(TILE), g.small.1.div_ceil(TILE));
    // Even shares of the image.
    let blocks = (down * across).div_ceil(target).min(down);
    down.div_ceil(blocks)
}

/// Distance between the frequencies of a transformed array: whole vectors, and not a power of two, for the cache's
/// sake.
fn frequency_stride(values: usize) -> usize {
    values.next_multiple_of(16) + 16
}
