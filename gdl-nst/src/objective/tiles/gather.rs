use super::canvas::Canvas;
use super::grid::Tile;
use super::moments::Merged;
use super::{Sweep, Tiling};
use crate::Statistics;
use crate::objective::network::{Features, Network, at};
use candle_core::{Result, Tensor};
use gdl_vgg::Tap;
use std::collections::BTreeMap;

/// What is wanted of the features of a whole picture: moments, and whole maps.
#[derive(Debug, Default)]
pub(in crate::objective) struct Gather<'a> {
    moments: Vec<(Tap, Option<&'a Tensor>, Merged)>,
    maps: BTreeMap<Tap, Option<Canvas>>,
}

/// What [`Gather`] found.
pub(in crate::objective) struct Gathered {
    /// In the order in which they were asked for, as [`Statistics::moments`] has them.
    pub(in crate::objective) moments: Vec<Vec<Tensor>>,
    pub(in crate::objective) maps: Features,
}

impl<'a> Gather<'a> {
    /// Asks for moments; `places` says how much each position of the map counts.
    pub(in crate::objective) fn moments(
        &mut self,
        tap: Tap,
        statistics: Statistics,
        places: Option<&'a Tensor>,
    ) {
        self.moments.push((tap, places, Merged::new(statistics)));
    }

    /// Asks for a whole map.
    pub(in crate::objective) fn map(&mut self, tap: Tap) {
        self.maps.insert(tap, None);
    }

    /// All the taps, with repetitions.
    fn taps(&self) -> Vec<Tap> {
        self.moments.iter().map(|(tap, ..)| *tap).chain(self.maps.keys().copied()).collect()
    }

    /// Goes over a picture (1, 3, H, W).
    pub(in crate::objective) fn over(
        self,
        network: Network<'_>,
        image: &Tensor,
        tiles: &Tiling,
    ) -> Result<Gathered> {
        let sweep = Sweep::new(network, image, &self.taps(), tiles)?;
        self.during(&sweep, &mut || ())
    }

    pub(super) fn during(mut self, sweep: &Sweep<'_>, done: &mut dyn FnMut()) -> Result<Gathered> {
        let taps = self.taps();
        if !taps.is_empty() {
            for tile in sweep.tiles() {
                let features = sweep.features(tile, taps.iter().copied())?;
                self.add(sweep, tile, &features)?;
                done();
            }
        }
        let (dtype, device) = (sweep.image.dtype(), sweep.image.device());
        let moments = self.moments.into_iter().map(|(_, _, merged)| merged.finish(dtype, device));
        let maps = self.maps.into_iter().filter_map(|(tap, canvas)| Some((tap, canvas?.finish())));
        Ok(Gathered { moments: moments.collect::<Result<_>>()?, maps: maps.collect() })
    }

    fn add(&mut self, sweep: &Sweep<'_>, tile: &Tile, features: &Features) -> Result<()> {
        for (tap, places, merged) in &mut self.moments {
            let Some(f) = tile.within_block(tap.block).of(at(features, *tap)?)? else { continue };
            let places = places.map(|p| tile.at_block(tap.block).of(p)).transpose()?.flatten();
            merged.add(&f, places.as_ref(), sweep.positions(*tap))?;
        }
        for (tap, canvas) in &mut self.maps {
            let Some(f) = tile.within_block(tap.block).of(at(features, *tap)?)? else { continue };
            let (h, w) = sweep.size_at(*tap);
            let canvas = match canvas {
                Some(canvas) => canvas,
                None => canvas.insert(Canvas::new(&f, (h, w))?),
            };
            canvas.put(&tile.at_block(tap.block), &f)?;
        }
        Ok(())
    }
}
