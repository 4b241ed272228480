//! Translation of pictures that are larger than memory, layer by layer and tile by tile.
//!
//! An instance norm needs mean and variance of its whole map, so no tile can be taken through the network on its own. The
//! operations that [`Graph`](crate::graph::Graph) marks as kept are gone through in their order, each over the whole
//! picture in strips, with what its convolutions see beyond a strip read from the map before it; a map's rows are dropped
//! as soon as nothing needs them. The largest maps, which are cheap, are not kept: one sweep computes their statistics, and
//! whoever reads them later computes them again.

mod map;
mod rect;
mod sweep;

use crate::translator::translated;
use crate::{Error, Generator, Result};
use candle_core::{Device, Tensor};
use gdl_conv::PadMode;
use gdl_image_io::Range;
use map::{Rows, with_values};
use rect::Rect;
use sweep::Sweeps;

/// How a picture is cut for [`Translator::translate_tiled`](crate::Translator::translate_tiled).
///
/// # Example
/// ```
/// use gdl_cyclegan::Tiles;
///
/// assert_eq!(Tiles::default(), Tiles { side: 512, memory: 5 << 29 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles {
    /// Height and width of a tile in pixels of the picture, at least 1; rounded up to the network's
    /// [`multiple`](crate::GeneratorConfig::multiple). 512 by default. Larger ones save some of the work at the borders, and
    /// take memory with the square of the side: some 50 MB times (side / 256)^2 at 64 `base_channels`.
    pub side: usize,
    /// Bytes of memory for the maps that are kept; 2.5 GiB by default, with which 6000x4000 pixels at 64 `base_channels`
    /// take less than 4 GB in all. What is beyond goes to a temporary file without a name in the system's directory for
    /// those, which is gone when the picture is done, or the program, however it ends.
    pub memory: u64,
}

impl Default for Tiles {
    fn default() -> Self {
        Self { side: 512, memory: 5 << 29 }
    }
}

impl Tiles {
    /// Tiles of that side.
    pub fn new(side: usize) -> Self {
        Self { side, ..Self::default() }
    }
}

/// See [`Translator::translate_tiled`](crate::Translator::translate_tiled).
pub(crate) fn translate(
    generator: &Generator,
    picture: &Tensor,
    tiles: &Tiles,
    device: &Device,
    progress: &mut dyn FnMut(f64),
) -> Result<Tensor> {
    let (channels, h, w) = picture.dims3()?;
    if tiles.side == 0 {
        return Err(Error::Setting { key: "tile", message: "must be 1 or more, not 0".into() });
    }
    let expected = generator.config().in_channels;
    if channels != expected || h == 0 || w == 0 {
        let message = format!(
            "translate: expected a picture of shape ({expected}, H, W) with at least one pixel, got {:?}",
            picture.dims()
        );
        return Err(candle_core::Error::Msg(message).into());
    }
    with_values(picture, |pixels| run(generator, (pixels, h, w), tiles, device, progress))?
}

/// The same of a picture's values, plane by plane.
fn run(
    generator: &Generator,
    (pixels, h, w): (&[f32], usize, usize),
    tiles: &Tiles,
    device: &Device,
    progress: &mut dyn FnMut(f64),
) -> Result<Tensor> {
    let channels = generator.config().in_channels;
    let (pad, mode) = generator.padding(h, w);
    let (tall, wide) = (pad.top + h + pad.bottom, pad.left + w + pad.right);
    let rows: Vec<usize> = (0..tall).map(|i| source(mode, i, pad.top, h)).collect();
    let columns: Vec<usize> = (0..wide).map(|i| source(mode, i, pad.left, w)).collect();
    let part = |rect: &Rect| -> Result<Tensor> {
        let (rows, columns) = (&rows[rect.rows.clone()], &columns[rect.columns.clone()]);
        let mut values = Vec::with_capacity(channels * rows.len() * columns.len());
        for plane in pixels.chunks(h * w) {
            for &row in rows {
                let row = &plane[row * w..(row + 1) * w];
                values.extend(columns.iter().map(|&column| row[column]));
            }
        }
        let part = Tensor::from_vec(values, (1, channels, rows.len(), columns.len()), &Device::Cpu)?;
        Ok(Range::Symmetric.from_unit(&part)?.to_device(device)?)
    };
    let graph = generator.graph();
    let side = tiles.side.next_multiple_of(generator.config().multiple());
    let mut sweeps =
        Sweeps::new(&graph, (tall, wide), side, &part, Rows::new(tiles.memory), device, progress);
    sweeps.prepare()?;
    let out_channels = generator.config().out_channels;
    let mut made = vec![0f32; out_channels * h * w];
    let whole = Rect { rows: pad.top..pad.top + h, columns: pad.left..pad.left + w };
    sweeps.finish(&whole, |rect, y| {
        let (height, width) = (rect.rows.len(), rect.columns.len());
        let (top, left) = (rect.rows.start - pad.top, rect.columns.start - pad.left);
        with_values(&translated(y)?, |values| {
            for (i, row) in values.chunks(width).enumerate() {
                let (channel, y) = (i / height, top + i % height);
                made[(channel * h + y) * w + left..][..width].copy_from_slice(row);
            }
        })
    })?;
    Ok(Tensor::from_vec(made, (out_channels, h, w), &Device::Cpu)?)
}

/// Which row or column of the picture stands at place `i` of the padded one.
fn source(mode: PadMode, i: usize, before: usize, size: usize) -> usize {
    let last = size - 1;
    match mode {
        PadMode::Reflect if i < before => before - i,
        PadMode::Reflect if i - before > last => 2 * last - (i - before),
        _ => i.saturating_sub(before).min(last),
    }
}
