//! Losses and gradients of pictures whose features do not fit into memory, in tiles.
//!
//! A style loss reads only the moments of its features over the whole picture, and its gradient at a position follows from
//! the features there and the moments. So a first sweep over the tiles adds up the moments ([`Gather`]); the losses'
//! own code gives the gradient with respect to these; and a second sweep computes each tile again, with the graph, and
//! carries the gradient back to the pixels ([`step`]). A picture that is one tile is computed once, and takes less memory
//! than by a graph that goes through the losses.

mod canvas;
mod gather;
mod grid;
mod moments;
mod slope;
mod step;

pub(super) use gather::Gather;
pub(crate) use grid::{Sight, Tile, grid};

use super::Objective;
use super::network::{Features, Network};
use candle_core::{Result, Tensor, Var};
use gdl_vgg::Tap;
use std::fmt;
use std::sync::Arc;

/// How far the evaluation of a picture in tiles is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileReport {
    /// Tiles done; one counts once for each sweep over it.
    pub tile: usize,
    /// Tiles in all.
    pub tiles: usize,
}

/// How a picture is cut, and who wants to know how far it is.
#[derive(Debug, Clone)]
pub(super) struct Tiling {
    side: usize,
    watch: Option<Watch>,
}

/// Is told of each tile.
#[derive(Clone)]
pub(crate) struct Watch(Arc<dyn Fn(TileReport) + Send + Sync>);

impl Tiling {
    pub(super) fn new(side: usize) -> Self {
        Self { side, watch: None }
    }

    /// Whether a picture of height and width is taken whole.
    pub(super) fn is_whole(&self, (h, w): (usize, usize)) -> bool {
        self.side >= h.max(w)
    }
}

impl Watch {
    pub(crate) fn new(watch: impl Fn(TileReport) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Objective {
    /// Has each tile of an evaluation told; without tiles nothing is told.
    pub(crate) fn watch_tiles(&mut self, watch: Option<Watch>) {
        if let Some(tiles) = &mut self.tiles {
            tiles.watch = watch;
        }
    }
}

/// A picture and its tiles for a network that is read at certain taps.
struct Sweep<'a> {
    network: Network<'a>,
    /// (1, 3, H, W).
    image: &'a Tensor,
    grid: Vec<Vec<Tile>>,
    /// Where there is but one tile: with the graph it need not be computed again.
    ahead: Option<Traced>,
}

/// What is around a tile, and its features, with the graph between them.
struct Traced {
    x: Var,
    features: Features,
}

impl<'a> Sweep<'a> {
    fn new(network: Network<'a>, image: &'a Tensor, taps: &[Tap], tiles: &Tiling) -> Result<Self> {
        let (_, _, h, w) = image.dims4()?;
        let grid = grid((h, w), tiles.side, network.sight(taps));
        Ok(Self { network, image, grid, ahead: None })
    }

    fn tiles(&self) -> impl Iterator<Item = &Tile> {
        self.grid.iter().flatten()
    }

    /// The tile, where there is but one.
    fn only(&self) -> Option<&Tile> {
        match self.grid.as_slice() {
            [row] if row.len() == 1 => row.first(),
            _ => None,
        }
    }

    /// The features of a tile and what is around it, with the graph.
    fn traced(&self, tile: &Tile, taps: &[Tap]) -> Result<Option<Traced>> {
        let Some(part) = tile.around.of(self.image)? else { return Ok(None) };
        let x = Var::from_tensor(&part)?;
        let features = self.network.features(&x, taps.iter().copied())?;
        Ok(Some(Traced { x, features }))
    }

    /// The features of a tile and what is around it, without the graph.
    fn features(&self, tile: &Tile, taps: impl Iterator<Item = Tap>) -> Result<Features> {
        if let Some(traced) = &self.ahead {
            return Ok(traced.features.iter().map(|(tap, f)| (*tap, f.detach())).collect());
        }
        match tile.around.of(self.image)? {
            Some(part) => self.network.features(&part, taps),
            None => Ok(Features::new()),
        }
    }

    /// Height and width of the whole map at a tap.
    fn size_at(&self, tap: Tap) -> (usize, usize) {
        let (h, w) = (self.image.dims()[2], self.image.dims()[3]);
        (h >> (tap.block - 1), w >> (tap.block - 1))
    }

    fn positions(&self, tap: Tap) -> usize {
        let (h, w) = self.size_at(tap);
        h * w
    }
}

impl Network<'_> {
    /// How far the features at the deepest of these taps see.
    fn sight(&self, taps: &[Tap]) -> Sight {
        let reach =
            |tap: Tap| Sight { stride: 1 << (tap.block - 1), reach: self.vgg.config().arch.reach(tap) };
        taps.iter().max().map_or(Sight { stride: 1, reach: 0 }, |tap| reach(*tap))
    }
}
