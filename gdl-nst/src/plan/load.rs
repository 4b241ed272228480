//! What a step keeps in memory, tensor by tensor.

use crate::objective::{Sight, Tile, grid, is_kept, least_side};
use crate::{KeepColour, NstConfig, OptimizerKind, Result, Statistics, Style};
use candle_core::Tensor;
use gdl_vgg::{Arch, Pooling, Tap, VggWeights};
use std::collections::BTreeSet;

/// Of the program itself, its threads and what its kernels set aside for their threads.
const PROGRAM: usize = 150 << 20;
/// Of an f32.
const BYTES: usize = 4;

/// Heights and widths at one scale.
pub(super) struct Sizes {
    pub(super) picture: (usize, usize),
    pub(super) styles: Vec<(usize, usize)>,
}

/// What does not depend on the scale.
pub(super) struct Load<'a> {
    config: &'a NstConfig,
    arch: Arch,
    widths: [usize; 5],
    content: Vec<Tap>,
    style: Vec<Tap>,
    histogram: Vec<Tap>,
    /// Regions, and how many of them have a mask.
    regions: usize,
    masked: bool,
    /// Elements of the network and of the pictures as they came.
    fixed: usize,
}

/// What a network that is read at certain taps keeps, in elements.
struct Passes {
    /// The features at the taps.
    taps: usize,
    /// What the graph keeps, with the features at the taps.
    kept: usize,
    /// What the backward pass needs beside, where it needs most.
    backward: usize,
    /// What a pass without the graph needs beside the features at the taps.
    forward: usize,
    /// The largest of the maps at the taps.
    largest: usize,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        config: &'a NstConfig,
        weights: &VggWeights,
        content: &Tensor,
        styles: &[Style],
    ) -> Result<Self> {
        let taps = |layers: Vec<crate::Layer>| layers.into_iter().map(|layer| layer.tap).collect();
        let counted: Vec<&Style> = styles.iter().filter(|style| style.weight > 0.0).collect();
        let masks = counted.iter().filter(|style| style.mask.is_some()).count();
        let network: usize = weights.tensors().values().map(Tensor::elem_count).sum();
        let pictures: usize = styles.iter().map(|style| style.image.elem_count()).sum();
        let masks_read = styles.iter().filter_map(|s| s.mask.as_ref()).map(Tensor::elem_count).sum::<usize>();
        // As they were given, and as they are used: with other colours perhaps.
        let copies = if config.keep_color == Some(KeepColour::Luma) { 3 } else { 2 };
        Ok(Self {
            config,
            arch: weights.arch(),
            widths: weights.widths(),
            content: taps(config.content_layers_of(weights)),
            style: taps(config.style_layers_of(weights)),
            histogram: taps(config.histogram_layers_of(weights)),
            regions: masks + usize::from(counted.len() > masks),
            masked: masks > 0,
            fixed: 2 * network + copies * (content.elem_count() + pictures) + 2 * masks_read,
        })
    }

    /// The most that the process takes at a scale.
    pub(super) fn bytes(&self, sizes: &Sizes, tile: Option<usize>) -> u64 {
        let (h, w) = sizes.picture;
        let pixels = h * w;
        let targets = self.targets(sizes, tile);
        let step = match tile {
            None => self.step(sizes.picture),
            Some(side) => self.step_in_tiles(sizes.picture, side),
        };
        let held = self.images() * 3 * pixels + self.held(sizes.picture, tile);
        (PROGRAM + BYTES * (self.fixed + held + step.max(targets))) as u64
    }

    /// Tensors of the picture's size that are there between the evaluations: the picture, what the optimizer has, and both
    /// once more to go back to, twice.
    fn images(&self) -> usize {
        let averages = if self.config.average_decay > 0.0 { 2 } else { 0 };
        match self.config.optimizer {
            OptimizerKind::Adam => 10 + averages,
            OptimizerKind::Lbfgs => 4 * self.config.lbfgs_history + 10,
        }
    }

    /// What the targets and masks keep for the whole scale.
    fn held(&self, (h, w): (usize, usize), tile: Option<usize>) -> usize {
        let kept = self.content.iter().filter(|tap| tile.is_none() || is_kept(**tap));
        let maps: usize = kept.map(|tap| self.map(*tap, (h, w))).sum();
        let picture = if self.content.iter().all(|tap| is_kept(*tap)) { 0 } else { 3 * h * w };
        // Each block's halves add up to a third more.
        let masks = if self.masked { self.regions * 2 * h * w } else { 0 };
        maps + picture + masks
    }

    /// A step over the whole picture.
    fn step(&self, size: (usize, usize)) -> usize {
        let passes = self.passes(size, &self.taps());
        let mut kept = passes.kept;
        let mut pending = 0;
        let weighted = usize::from(self.masked);
        let normalised = if self.config.normalize_gradients { 2 } else { 0 };
        for tap in &self.style {
            let copies = match self.config.statistics {
                Statistics::Gram => 0,
                Statistics::Covariance | Statistics::Wasserstein => 1,
                Statistics::MeanStd => 2,
            };
            kept += self.regions * (copies + weighted + normalised) * self.map(*tap, size);
            pending += self.map(*tap, size);
        }
        for tap in &self.histogram {
            kept += self.regions * (3 + weighted + normalised) * self.map(*tap, size);
            // The ranks of all channels, in f64.
            pending += 6 * self.map(*tap, size);
        }
        for tap in &self.content {
            kept += (2 + normalised) * self.map(*tap, size);
        }
        let tv = 12 * 3 * size.0 * size.1;
        let levels = self.levels(size);
        kept + passes.backward.max(passes.largest * 2) + pending + tv + levels
    }

    /// What smaller levels of the picture add, where they are all in one graph: each has a quarter of the positions.
    fn levels(&self, size: (usize, usize)) -> usize {
        let least = least_side(self.style.iter().copied());
        let mut sum = 0;
        let (mut h, mut w) = size;
        for _ in 1..self.config.style_levels {
            (h, w) = (h / 2, w / 2);
            if h.min(w) < least.max(1) {
                break;
            }
            let passes = self.passes((h, w), &self.style);
            sum += passes.kept + self.regions * 2 * passes.taps + 6 * 3 * h * w;
        }
        sum
    }

    fn step_in_tiles(&self, size: (usize, usize), side: usize) -> usize {
        let taps = self.taps();
        let passes = self.passes(self.largest_tile(size, side, &taps), &taps);
        let pixels = size.0 * size.1;
        let recomputed: Vec<Tap> = self.content.iter().copied().filter(|tap| !is_kept(*tap)).collect();
        let content = self.passes(self.largest_tile(size, side, &taps), &recomputed);
        let maps: usize = self.histogram.iter().map(|tap| self.map(*tap, size)).sum();
        let ranks = if self.histogram.is_empty() { 0 } else { 12 * pixels };
        // The gradient, or the total variation's and that of a channel.
        let images = 3 * pixels * 3;
        let levels = if self.config.style_levels > 1 { 8 * pixels } else { 0 };
        let tile = passes.kept + passes.backward + content.taps + content.forward;
        images + levels + self.regions * maps + ranks.max(tile)
    }

    /// What taking the targets needs.
    fn targets(&self, sizes: &Sizes, tile: Option<usize>) -> usize {
        let of = |size: (usize, usize), taps: &[Tap]| {
            let part = tile.map_or(size, |side| self.largest_tile(size, side, taps));
            let passes = self.passes(part, taps);
            passes.taps + passes.forward.max(3 * passes.largest)
        };
        let histograms = |size| {
            let maps: usize = self.histogram.iter().map(|tap| self.map(*tap, size)).sum();
            let own = of(size, &self.histogram);
            // The ranks of a channel for each thread.
            if maps == 0 { 0 } else { own + maps + 8 * 4 * size.0 * size.1 }
        };
        let styles = sizes
            .styles
            .iter()
            .map(|size| 9 * size.0 * size.1 + of(*size, &self.style).max(histograms(*size)));
        styles.chain([of(sizes.picture, &self.content)]).max().unwrap_or(0)
    }

    fn taps(&self) -> Vec<Tap> {
        let all: BTreeSet<Tap> =
            self.content.iter().chain(&self.style).chain(&self.histogram).copied().collect();
        all.into_iter().collect()
    }

    /// Height and width of the largest tile with what is around it.
    fn largest_tile(&self, size: (usize, usize), side: usize, taps: &[Tap]) -> (usize, usize) {
        let Some(&last) = taps.iter().max() else { return (0, 0) };
        let sight = Sight { stride: 1 << (last.block - 1), reach: self.arch.reach(last) };
        let measure = |tile: &Tile| (tile.around.rows.len(), tile.around.columns.len());
        let tiles = grid(size, side, sight);
        tiles.iter().flatten().map(measure).max_by_key(|(h, w)| h * w).unwrap_or(size)
    }

    /// Elements of the map at a tap.
    fn map(&self, tap: Tap, size: (usize, usize)) -> usize {
        self.widths[tap.block - 1] * positions(size, tap.block)
    }

    fn passes(&self, size: (usize, usize), taps: &[Tap]) -> Passes {
        let mut passes = Passes { taps: 0, kept: 0, backward: 0, forward: 0, largest: 0 };
        let Some(&last) = taps.iter().max() else { return passes };
        let mut input = 3 * positions(size, 1);
        // The picture, on its way through the preparation and the padding.
        passes.kept = 6 * input;
        let convs: Vec<_> =
            self.arch.convs().filter(|c| (c.block, c.index) <= (last.block, last.index)).collect();
        for (i, conv) in convs.iter().enumerate() {
            let out = self.widths[conv.block - 1] * positions(size, conv.block);
            let (tap, relu) = (Tap::conv(conv.block, conv.index), Tap::relu(conv.block, conv.index));
            let read = [tap, relu].into_iter().filter(|tap| taps.contains(tap)).count();
            let pooled = match convs.get(i + 1) {
                Some(next) if next.block > conv.block => out / 4,
                _ => 0,
            };
            let fused = pooled > 0 && self.config.pooling == Pooling::Max && read == 0;
            passes.taps += read * out;
            // Where the maximum stood takes a byte.
            passes.kept += match fused {
                true => pooled + pooled / 4,
                false => out * (1 + usize::from(taps.contains(&tap))) + 2 * pooled,
            };
            // The gradient of the result, that of the input, and the two that candle adds up.
            passes.backward = passes.backward.max(out * if pooled > 0 && !fused { 3 } else { 1 } + 3 * input);
            passes.forward = passes.forward.max(input + out);
            if read > 0 {
                passes.largest = passes.largest.max(out);
            }
            input = if pooled > 0 { pooled } else { out };
        }
        passes
    }
}

/// Positions of the maps in a block of the network.
fn positions((h, w): (usize, usize), block: usize) -> usize {
    (h >> (block - 1)) * (w >> (block - 1))
}
