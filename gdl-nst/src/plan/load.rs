//! What a step keeps in memory, tensor by tensor.

use crate::losses::AT_ONCE;
use crate::objective::{Sight, Tile, grid, is_kept};
use crate::{Init, KeepColour, NstConfig, OptimizerKind, Plan, Result, Style};
use candle_core::Tensor;
use gdl_vgg::{Arch, Pooling, Tap, VggWeights};
use std::collections::BTreeSet;

/// Of an f32.
const BYTES: usize = 4;

/// The part of all that goes to what kernels need on their way and to gaps between tensors, inverted: measured.
const SCRATCH: usize = 12;

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
    /// Places with styles of their own.
    regions: usize,
    masked: bool,
    /// Elements of the network and of the pictures as they came.
    fixed: usize,
    /// Whether there is a frame before this one.
    follows: bool,
}

/// What a network that is read at certain taps keeps, in elements.
#[derive(Default)]
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
        (h, w): (usize, usize),
        styles: &[Style],
        follows: bool,
    ) -> Result<Self> {
        let taps = |layers: Vec<crate::Layer>| layers.into_iter().map(|layer| layer.tap).collect();
        let counted: Vec<&Style> = styles.iter().filter(|style| style.weight > 0.0).collect();
        let masks = counted.iter().filter(|style| style.mask.is_some()).count();
        let network: usize = weights.tensors().values().map(Tensor::elem_count).sum();
        let pictures: usize = styles.iter().filter_map(Style::picture).map(Tensor::elem_count).sum();
        let content = if follows { 3 * 3 * h * w } else { 3 * h * w };
        let masks_read = styles.iter().filter_map(|s| s.mask.as_ref()).map(Tensor::elem_count).sum::<usize>();
        // As they were given, and as they are used, where their colours are changed.
        let copies = match (config.keep_color, config.init) {
            (Some(KeepColour::Luma), _) => 3,
            (Some(_), _) | (_, Init::Recoloured) => 2,
            _ => 1,
        };
        Ok(Self {
            config,
            arch: weights.arch(),
            widths: weights.widths(),
            content: taps(config.content_layers_of(weights)),
            style: taps(config.style_layers_of(weights)),
            histogram: taps(config.histogram_layers_of(weights)),
            regions: masks + usize::from(counted.len() > masks),
            masked: masks > 0,
            fixed: 2 * network + copies * (content + pictures) + 2 * masks_read,
            follows,
        })
    }

    /// The most that the process takes at a scale.
    pub(super) fn bytes(&self, sizes: &Sizes, tile: Option<usize>) -> u64 {
        let side = tile.unwrap_or(usize::MAX);
        let (h, w) = sizes.picture;
        let pixels = h * w;
        let work = self.step(sizes.picture, side).max(self.targets(sizes, side));
        let held = self.images() * 3 * pixels + self.held(sizes.picture, side);
        let all = BYTES * (self.fixed + held + work);
        Plan::PROGRAM + (all + all / SCRATCH) as u64
    }

    /// Tensors of the picture's size that are there between the evaluations: the picture, what the optimizer has, and both
    /// once more to go back to, twice; in a film the frame before with where its motion is known, and the way to its loss.
    fn images(&self) -> usize {
        let averages = if self.config.average_decay > 0.0 { 2 } else { 0 };
        let film = if self.follows { 5 } else { 0 };
        match self.config.optimizer {
            OptimizerKind::Adam => 10 + averages + film,
            OptimizerKind::Lbfgs => 4 * self.config.lbfgs_history + 6 + film,
        }
    }

    /// What the targets and masks keep for the whole scale.
    fn held(&self, (h, w): (usize, usize), side: usize) -> usize {
        let kept = self.content.iter().filter(|tap| side >= h.max(w) || is_kept(**tap));
        let maps: usize = kept.map(|tap| self.map(*tap, (h, w))).sum();
        let picture = if self.is_recomputed((h, w), side) { 3 * h * w } else { 0 };
        // Each block's halves add up to a third more.
        let masks = if self.masked { self.regions * 2 * h * w } else { 0 };
        maps + picture + masks
    }

    /// What a step needs beside.
    fn step(&self, size: (usize, usize), side: usize) -> usize {
        let pixels = size.0 * size.1;
        let taps = self.taps();
        let part = self.largest_tile(size, side, &taps);
        let passes = self.passes(part, &taps);
        let content = match self.is_recomputed(size, side) {
            true => self.passes(part, &self.content).taps,
            false => 0,
        };
        let maps = || self.histogram.iter().map(|tap| self.map(*tap, size));
        // In f64 and with positions; the map of a channel or a few at a time.
        let ranks = |largest: usize| 5 * pixels.max(largest.min(AT_ONCE)) + 16 * pixels;
        let ranks = maps().max().map_or(0, ranks);
        let maps: usize = maps().sum();
        let levels = if self.config.style_levels > 1 { 8 * pixels } else { 0 };
        // A gradient that is normalised is looked at as a whole.
        let norms = if self.config.normalize_gradients { 6 * passes.largest } else { 0 };
        let backward = passes.kept + passes.backward.max(norms) + content;
        // A picture that is taken whole has its graph already.
        let ranks = if side >= size.0.max(size.1) { passes.kept + ranks } else { ranks };
        // With the tiles there is the gradient; afterwards also the total variation's, and that of a channel on its way.
        (3 * pixels + levels + self.regions * maps + ranks.max(backward)).max(5 * 3 * pixels)
    }

    /// Whether the content's features are computed again for each tile.
    fn is_recomputed(&self, (h, w): (usize, usize), side: usize) -> bool {
        side < h.max(w) && self.content.iter().any(|tap| !is_kept(*tap))
    }

    /// What taking the targets needs.
    fn targets(&self, sizes: &Sizes, side: usize) -> usize {
        let of = |size: (usize, usize), taps: &[Tap]| {
            let passes = self.passes(self.largest_tile(size, side, taps), taps);
            passes.taps + passes.forward.max(3 * passes.largest)
        };
        let histograms = |size: (usize, usize)| {
            let maps: usize = self.histogram.iter().map(|tap| self.map(*tap, size)).sum();
            // The ranks of a channel for each thread.
            if maps == 0 { 0 } else { of(size, &self.histogram) + 2 * maps + 8 * 4 * size.0 * size.1 }
        };
        let styles = sizes.styles.iter().map(|size| {
            // Its sizes, and what it is prepared by.
            9 * size.0 * size.1 + of(*size, &self.style).max(histograms(*size))
        });
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
        let mut passes = Passes::default();
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
            passes.backward = passes.backward.max(out + 3 * input);
            if pooled > 0 && !fused {
                passes.backward = passes.backward.max(4 * out);
            }
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
