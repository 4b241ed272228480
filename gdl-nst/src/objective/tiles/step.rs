use super::canvas::Canvas;
use super::gather::{Gather, Gathered};
use super::grid::Tile;
use super::slope::{Affine, Slope, pulled, squared_norm};
use super::{Sweep, TileReport, Tiling, Traced, Watch};
use crate::losses::{histogram_scale, match_in_place};
use crate::objective::network::{Features, at};
use crate::objective::tally::Tally;
use crate::objective::terms::{Term, What};
use crate::objective::{Objective, Sum};
use candle_core::{Result, Tensor, Var, bail};
use gdl_vgg::Tap;
use std::collections::BTreeMap;

/// A term with what the whole picture says of its gradient.
struct Reader<'a> {
    term: Term<'a>,
    course: Course,
    /// What the gradient is multiplied with.
    factor: f64,
    /// The loss, as far as it is known: the sum of scalars, each times a number.
    value: Vec<(f64, Tensor)>,
}

/// How a gradient with respect to features comes about.
enum Course {
    Affine(Affine),
    /// Twice the scale times the distance to a map; to the content's features, computed for each tile, where there is
    /// no map.
    Toward {
        map: Option<Tensor>,
        scale: f64,
    },
}

/// Counts the tiles of an evaluation.
struct Count<'a> {
    /// None where there is but one tile.
    watch: Option<&'a Watch>,
    report: TileReport,
}

impl Count<'_> {
    fn up(&mut self) {
        self.report.tile += 1;
        if let Some(watch) = self.watch {
            (watch.0)(self.report);
        }
    }
}

impl Objective {
    /// The losses of a picture and the gradient of the total with respect to it.
    pub(in crate::objective) fn in_tiles_of(
        &self,
        tiling: &Tiling,
        image: &Tensor,
    ) -> Result<(Tally, Tensor)> {
        let image = Var::from_tensor(image)?;
        let mut sum = Sum::new(self.unit_gradients, &image)?;
        let images = self.levels_of(&image)?;
        let pictures: Vec<Tensor> = images.iter().map(Tensor::detach).collect();
        let mut work = Vec::new();
        for (level, picture) in pictures.iter().enumerate() {
            let terms = self.terms(level, images.len());
            let taps: Vec<Tap> = terms.iter().map(|term| term.layer.tap).collect();
            work.push((Sweep::new(self.net(), picture, &taps, tiling)?, terms));
        }
        let tiles = work.iter().map(|(sweep, terms)| self.sweeps_of(terms) * sweep.tiles().count()).sum();
        let watch = tiling.watch.as_ref().filter(|_| work.iter().any(|(sweep, _)| sweep.only().is_none()));
        let mut count = Count { watch, report: TileReport { tile: 0, tiles } };
        let mut first = None;
        for (level, (sweep, terms)) in work.into_iter().enumerate() {
            if terms.is_empty() {
                continue;
            }
            let grad = self.level_in_tiles(&mut sum.tally, terms, sweep, &mut count)?;
            if level == 0 {
                first = Some(grad);
            } else {
                sum.slope = (&sum.slope + (&images[level] * grad)?.sum_all()?)?;
            }
        }
        self.add_temporal(&mut sum, &image)?;
        let rest = sum.slope.backward()?.remove(&image);
        drop((images, pictures));
        let tv_grad = self.tv_by_channel(&mut sum.tally, &image.as_detached_tensor())?;
        let mut grad = first;
        for part in [rest, tv_grad].into_iter().flatten() {
            grad = Some(match grad {
                Some(grad) => (grad + part)?,
                None => part,
            });
        }
        let grad = grad.map_or_else(|| image.zeros_like(), Ok)?;
        Ok((sum.tally, grad))
    }

    /// Adds the total variation, and gives its part of the gradient. It is the mean of the channels' own, and one of them takes a
    /// third of the memory.
    fn tv_by_channel(&self, tally: &mut Tally, image: &Tensor) -> Result<Option<Tensor>> {
        if self.weights.tv <= 0.0 {
            return Ok(None);
        }
        let (_, channels, _, _) = image.dims4()?;
        let grad = image.zeros_like()?;
        for channel in 0..channels {
            let leaf = Var::from_tensor(&image.narrow(1, channel, 1)?)?;
            let own = (self.tv.loss(&leaf)? / channels as f64)?;
            tally.tv(&own);
            if let Some(own) = own.backward()?.remove(&leaf) {
                grad.slice_set(&own.contiguous()?, 1, channel)?;
            }
        }
        let norm = if self.unit_gradients { squared_norm(&grad)?.sqrt() } else { 1.0 };
        let factor = if norm > 0.0 { self.weights.tv / norm } else { 1.0 };
        Ok(Some((grad * factor)?))
    }

    /// How often each tile is computed.
    fn sweeps_of(&self, terms: &[Term<'_>]) -> usize {
        let gathers = terms.iter().any(|term| !matches!(term.what, What::Content(_)));
        match terms.is_empty() {
            true => 0,
            false => 1 + usize::from(gathers) + usize::from(self.unit_gradients),
        }
    }

    /// Adds the losses at one level of the picture, and gives the gradient with respect to it.
    fn level_in_tiles(
        &self,
        tally: &mut Tally,
        terms: Vec<Term<'_>>,
        mut sweep: Sweep<'_>,
        count: &mut Count<'_>,
    ) -> Result<Tensor> {
        let taps: Vec<Tap> = terms.iter().map(|term| term.layer.tap).collect();
        if let Some(tile) = sweep.only() {
            sweep.ahead = sweep.traced(tile, &taps)?;
        }
        let mut readers = readers(terms, &sweep, count)?;
        if self.unit_gradients {
            self.normalise(&mut readers, &sweep, count)?;
        }
        let mut ahead = sweep.ahead.take();
        let (_, _, h, w) = sweep.image.dims4()?;
        let mut canvas = Canvas::new(sweep.image, (h, w))?;
        for tile in sweep.tiles() {
            let content = self.content_features(&readers, tile)?;
            let traced = match ahead.take() {
                None => sweep.traced(tile, &taps)?,
                traced => traced,
            };
            if let Some(traced) = traced
                && let Some(grad) = tile_gradient(&mut readers, traced, tile, &content)?
            {
                canvas.add(&tile.around, &grad)?;
            }
            count.up();
        }
        readers.into_iter().for_each(|reader| tally.layer(&reader.term, reader.value));
        Ok(canvas.finish())
    }

    /// Makes the gradient of each term with respect to its features as long as its weight says.
    fn normalise(&self, readers: &mut [Reader<'_>], sweep: &Sweep<'_>, count: &mut Count<'_>) -> Result<()> {
        let mut squares = vec![0.0; readers.len()];
        for tile in sweep.tiles() {
            let content = self.content_features(readers, tile)?;
            let features = sweep.features(tile, readers.iter().map(|r| r.term.layer.tap))?;
            for (square, reader) in squares.iter_mut().zip(readers.iter()) {
                let tap = reader.term.layer.tap;
                if let Some(own) = tile.within_block(tap.block).of(at(&features, tap)?)? {
                    *square += squared_norm(&reader.slope(tile, &content)?.at(&own)?)?;
                }
            }
            count.up();
        }
        for (square, reader) in squares.iter().zip(readers) {
            if *square > 0.0 {
                reader.factor /= square.sqrt();
            }
        }
        Ok(())
    }

    /// The content's features around a tile, where they are needed and not kept.
    fn content_features(&self, readers: &[Reader<'_>], tile: &Tile) -> Result<Features> {
        let taps = readers.iter().filter_map(|reader| match (reader.term.what, &reader.course) {
            (What::Content(_), Course::Toward { map: None, .. }) => Some(reader.term.layer.tap),
            _ => None,
        });
        match self.content.image.as_ref().map(|image| tile.around.of(image)).transpose()?.flatten() {
            Some(part) => self.net().features(&part, taps),
            None => Ok(Features::new()),
        }
    }
}

/// The gradient of a tile with respect to what it and its surroundings are; adds to the losses that are sums over
/// positions.
fn tile_gradient(
    readers: &mut [Reader<'_>],
    traced: Traced,
    tile: &Tile,
    content: &Features,
) -> Result<Option<Tensor>> {
    let Traced { x, features } = traced;
    let mut total = Tensor::zeros((), x.dtype(), x.device())?;
    // From shallow to deep: the backward pass then comes to each when it comes to its features.
    for (tap, f) in &features {
        let within = tile.within_block(tap.block);
        if within.is_empty() {
            continue;
        }
        let mut slopes = Vec::new();
        for reader in readers.iter_mut().filter(|r| r.term.layer.tap == *tap) {
            let slope = reader.slope(tile, content)?;
            if let (Course::Toward { scale, .. }, Some(own)) = (&reader.course, within.of(&f.detach())?) {
                reader.value.extend(slope.distance(&own)?.map(|distance| (*scale, distance)));
            }
            slopes.push(slope.scaled(reader.factor)?);
        }
        total = (total + pulled(f, within, slopes)?)?;
    }
    drop(features);
    Ok(total.backward()?.remove(&x))
}

/// The first sweep: what the losses need to know of the whole picture.
fn readers<'a>(terms: Vec<Term<'a>>, sweep: &Sweep<'_>, count: &mut Count<'_>) -> Result<Vec<Reader<'a>>> {
    let mut gather = Gather::default();
    for term in &terms {
        match term.what {
            What::Content(_) => {}
            What::Style(target) => gather.moments(term.layer.tap, target.statistics(), term.places),
            What::Histogram(_) => gather.map(term.layer.tap),
        }
    }
    let Gathered { moments, mut maps } = gather.during(sweep, &mut || count.up())?;
    let mut moments = moments.into_iter();
    let mut uses: BTreeMap<Tap, usize> = BTreeMap::new();
    for term in terms.iter().filter(|term| matches!(term.what, What::Histogram(_))) {
        *uses.entry(term.layer.tap).or_default() += 1;
    }
    let mut readers = Vec::with_capacity(terms.len());
    for term in terms {
        let tap = term.layer.tap;
        let elements = (sweep.positions(tap) * sweep.network.vgg.config().widths[tap.block - 1]) as f64;
        let (value, course) = match term.what {
            What::Content(content) => {
                (Vec::new(), Course::Toward { map: content.map.clone(), scale: content.scale / elements })
            }
            What::Style(target) => {
                let Some(moments) = moments.next() else { bail!("style transfer: a sweep found no moments") };
                let (loss, affine) = Affine::of(target, &moments, sweep.positions(tap))?;
                (vec![(1.0, loss)], Course::Affine(affine))
            }
            What::Histogram(target) => {
                // The last that reads a map may have it.
                let left = uses.get_mut(&tap).map_or(0, |n| std::mem::replace(n, *n - 1));
                let map = if left == 1 {
                    maps.remove(&tap)
                } else {
                    maps.get(&tap).map(Tensor::copy).transpose()?
                };
                let Some(map) = map else { bail!("style transfer: a sweep left out {tap}") };
                match_in_place(&map, target, term.places)?;
                (Vec::new(), Course::Toward { map: Some(map), scale: histogram_scale(target)? / elements })
            }
        };
        readers.push(Reader { factor: term.weight * term.share, term, course, value });
    }
    Ok(readers)
}

impl Reader<'_> {
    /// The gradient in a tile, before its factor.
    fn slope(&self, tile: &Tile, content: &Features) -> Result<Slope> {
        let tap = self.term.layer.tap;
        let place = tile.at_block(tap.block);
        let places = self.term.places.map(|p| place.of(p)).transpose()?.flatten();
        let target = match &self.course {
            Course::Affine(affine) => return Ok(Slope::Affine { affine: affine.clone(), places }),
            Course::Toward { map: Some(map), .. } => place.of(map)?,
            Course::Toward { map: None, .. } => tile.within_block(tap.block).of(at(content, tap)?)?,
        };
        let (Some(target), Course::Toward { scale, .. }) = (target, &self.course) else {
            bail!("style transfer: a tile without a part of {tap}")
        };
        Ok(Slope::Toward { target, scale: 2.0 * scale, places })
    }
}
