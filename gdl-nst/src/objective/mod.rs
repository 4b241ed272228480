mod contents;
mod levels;
mod measured;
mod network;
mod previous;
mod region;
mod tally;
mod target;
mod targets;
mod terms;
mod tiles;

pub(crate) use contents::is_kept;
pub(crate) use levels::least_side;
pub(crate) use measured::Measured;
pub(crate) use previous::Previous;
pub(crate) use targets::StyleTargets;
pub use tiles::TileReport;
pub(crate) use tiles::{Sight, Tile, Watch, grid};

use crate::losses::{tv_l1_loss, tv_loss, tv_nine_point_loss, with_unit_gradient};
use crate::{Error, LossWeights, Losses, NstConfig, Result, Style, TotalVariation};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use contents::Contents;
use gdl_vgg::{Preprocess, Tap, Vgg, VggWeights};
use levels::levels;
use network::{Network, at};
use region::Region;
use tally::Tally;
use terms::Term;
use tiles::Tiling;

/// What is minimised at one size: the targets taken from content and styles, and the weights of the losses.
///
/// `total = content_weight * content + style_weight * style + histogram_weight * histogram + tv_weight * tv`, and in a film
/// `+ temporal_weight * temporal`; each of the first three is the mean over its layers, by their weights (style: over the levels
/// of the picture too), of [`content_loss`](crate::content_loss), of the loss of the chosen
/// [`Statistics`](crate::Statistics), and of [`histogram_loss`](crate::histogram_loss).
///
/// The statistics of several styles are mixed with their weights, where they share a place; a style with a mask has a
/// style loss of its own, of the features under the mask.
#[derive(Debug, Clone)]
pub struct Objective {
    vgg: Vgg,
    preprocess: Preprocess,
    tv: TotalVariation,
    unit_gradients: bool,
    content: Contents,
    regions: Vec<Region>,
    least: usize,
    weights: LossWeights,
    tiles: Option<Tiling>,
    previous: Option<Previous>,
}

/// The losses of a picture, and what to differentiate for the gradient.
struct Sum {
    tally: Tally,
    slope: Tensor,
    unit_gradients: bool,
}

impl Objective {
    /// Builds the network as far as the taps need it.
    ///
    /// # Errors
    /// When the weights do not reach a tap.
    pub fn network(config: &NstConfig, weights: &VggWeights, dtype: DType, device: &Device) -> Result<Vgg> {
        let mut vgg = weights.config(Self::last_tap(config, weights)?)?;
        vgg.pooling = config.pooling;
        vgg.first_padding = config.first_padding();
        Ok(weights.vgg(&vgg, dtype, device)?)
    }

    /// The deepest tap that is read.
    pub(crate) fn last_tap(config: &NstConfig, weights: &VggWeights) -> Result<Tap> {
        let mut layers = config.content_layers_of(weights);
        layers.extend(config.style_layers_of(weights));
        layers.extend(config.histogram_layers_of(weights));
        // Each, since a shorter network lacks taps in the middle too.
        layers.iter().try_for_each(|l| weights.config(l.tap).map(drop))?;
        Ok(layers.iter().map(|l| l.tap).fold(Tap::conv(1, 1), Tap::max))
    }

    /// Takes the targets from pictures at the size at which they are to be seen.
    ///
    /// # Shape
    /// `content` (1, 3, H, W); each style (3, H', W'), any size; RGB in [0, 1], of the network's type and device. Masks
    /// are stretched over the content. A [`StyleCache`](crate::StyleCache) must hold one size, as
    /// [`StyleCache::at`](crate::StyleCache::at) gives it.
    ///
    /// # Errors
    /// When there is no style, or no weight among them; when a picture is too small for the taps; when a mask is
    /// empty, or the masks leave no place for the styles without.
    pub fn new(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: Vgg,
        content: &Tensor,
        styles: &[Style],
    ) -> Result<Self> {
        Self::build(config, weights, vgg, (content, styles), None)
    }

    /// [`Objective::new`] for pictures whose features do not fit into memory: targets, losses and gradients are computed
    /// in tiles of `side` pixels, rounded up to what the network's halvings need.
    ///
    /// Nothing is approximated. A first sweep over the tiles adds up the statistics of the whole picture; the losses
    /// and their gradients with respect to the statistics follow from those; a second sweep carries these back to the
    /// pixels. Each tile is computed with as much of the picture around it as its features see. So losses and
    /// gradients are those without tiles, but for rounding; and as what the tiles share is computed twice, and most of it for both
    /// sweeps, a step takes longer.
    ///
    /// With a `side` no smaller than the picture it is computed once and as fast as by [`Objective::new`], in less memory:
    /// the graph ends at the features. This is what [`StyleTransfer`](crate::StyleTransfer) uses throughout.
    ///
    /// # Shape, Errors
    /// As [`Objective::new`]; and when `side` is 0.
    pub fn in_tiles(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: Vgg,
        content: &Tensor,
        styles: &[Style],
        side: usize,
    ) -> Result<Self> {
        if side == 0 {
            return Err(Error::Setting { key: "tile", message: "must be at least 1, not 0".to_string() });
        }
        Self::build(config, weights, vgg, (content, styles), Some(side))
    }

    fn build(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: Vgg,
        (content, styles): (&Tensor, &[Style]),
        side: Option<usize>,
    ) -> Result<Self> {
        styles.iter().filter_map(Style::cache).try_for_each(|cache| cache.check(config, weights))?;
        let ((_, _, h, w), dtype) = (content.dims4()?, content.dtype());
        let targets = Self::targets(config, weights, &vgg, ((h, w), dtype), styles, side)?;
        Self::with_targets(config, weights, vgg, (content, targets), side)
    }

    /// [`Objective::new`], or in tiles of that side, with the styles' targets already taken.
    pub(crate) fn with_targets(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: Vgg,
        (content, targets): (&Tensor, StyleTargets),
        side: Option<usize>,
    ) -> Result<Self> {
        let (tiles, preprocess) = (side.map(Tiling::new), weights.preprocess().clone());
        let network = Network { vgg: &vgg, preprocess: &preprocess };
        let content = Contents::new(network, config.content_layers_of(weights), content, tiles.as_ref())?;
        let least = least_side(config.style_layers_of(weights).iter().map(|l| l.tap));
        Ok(Self {
            tv: config.tv,
            unit_gradients: config.normalize_gradients,
            content,
            regions: targets.regions,
            least,
            weights: config.loss_weights(),
            vgg,
            preprocess,
            tiles,
            previous: None,
        })
    }

    /// With the frame before, which the temporal loss compares with.
    ///
    /// # Shape
    /// `image`, what was painted there and moved along, (1, 3, H, W), RGB in [0, 1]; `known` (1, 1, H, W), 1 where the
    /// motion is known and 0 elsewhere; H and W those of the content.
    ///
    /// # Errors
    /// When they have another shape.
    pub fn with_previous(self, image: &Tensor, known: &Tensor) -> Result<Self> {
        let (_, _, h, w) = image.dims4()?;
        Ok(self.after(Some(Previous::new(image.detach(), known.detach(), (h, w))?)))
    }

    pub(crate) fn after(self, previous: Option<Previous>) -> Self {
        Self { previous, ..self }
    }

    /// The weights of the losses.
    pub fn weights(&self) -> LossWeights {
        self.weights
    }

    /// Changes the weights of the losses. A histogram loss that was not among the settings when the targets were
    /// taken has no layers, and stays 0.
    pub fn set_weights(&mut self, weights: LossWeights) {
        self.weights = weights;
    }

    /// The losses of a picture, and a scalar to differentiate: the total; or what has the total's gradient, where that is
    /// computed in tiles; or with normalised gradients what has them (see [`with_unit_gradient`]). A loss whose weight is
    /// 0 is not computed and counts as 0.
    ///
    /// # Shape
    /// (1, 3, H, W), RGB in [0, 1], H and W those of the content.
    ///
    /// # Errors
    /// When the picture has another size than the content.
    pub fn losses(&self, image: &Tensor) -> candle_core::Result<(Losses, Tensor)> {
        let (tally, slope) = match &self.tiles {
            Some(tiles) => {
                let (tally, grad) = self.in_tiles_of(tiles, image)?;
                (tally, (image * grad)?.sum_all()?)
            }
            None => self.whole(image)?,
        };
        let (losses, _) = tally.read(&self.weights, &slope)?;
        Ok((losses, slope))
    }

    /// [`Objective::losses`] without tiles.
    fn whole(&self, image: &Tensor) -> candle_core::Result<(Tally, Tensor)> {
        let mut sum = Sum::new(self.unit_gradients, image)?;
        let images = self.levels_of(image)?;
        for (level, image) in images.iter().enumerate() {
            self.add_level(&mut sum, &self.terms(level, images.len()), image)?;
        }
        if self.weights.tv > 0.0 {
            let tv = sum.term(image, self.weights.tv, |x| self.tv.loss(x))?;
            sum.tally.tv(&tv);
        }
        self.add_temporal(&mut sum, image)?;
        Ok((sum.tally, sum.slope))
    }

    /// The losses of a picture and the gradient of the total with respect to it.
    ///
    /// # Errors
    /// As [`Objective::losses`].
    pub fn gradients(&self, image: &Tensor) -> candle_core::Result<(Losses, GradStore)> {
        let (losses, grads, _) = self.sized_gradients(image)?;
        Ok((losses, grads))
    }

    /// [`Objective::gradients`], and how large the gradient's elements are on average: all is waited for at once.
    pub(crate) fn sized_gradients(&self, image: &Tensor) -> candle_core::Result<(Losses, GradStore, f64)> {
        let (tally, grads) = match &self.tiles {
            Some(tiles) => {
                let (tally, grad) = self.in_tiles_of(tiles, image)?;
                let mut grads = GradStore::default();
                grads.insert(image, grad);
                (tally, grads)
            }
            None => {
                let (tally, slope) = self.whole(image)?;
                (tally, slope.backward()?)
            }
        };
        let size = match grads.get(image) {
            Some(grad) => grad.abs()?.mean_all()?,
            None => Tensor::zeros((), image.dtype(), image.device())?,
        };
        let (losses, size) = tally.read(&self.weights, &size)?;
        Ok((losses, grads, size))
    }

    /// The sizes at which the picture is looked at.
    fn levels_of(&self, image: &Tensor) -> candle_core::Result<Vec<Tensor>> {
        let styled = self.weights.style > 0.0;
        let deepest = self.regions.iter().map(|r| r.style.len()).max().unwrap_or(0);
        let count = if styled { deepest.max(1) } else { 1 };
        levels(image, self.least).take(count).collect()
    }

    fn add_temporal(&self, sum: &mut Sum, image: &Tensor) -> candle_core::Result<()> {
        if let Some(previous) = self.previous.as_ref().filter(|_| self.weights.temporal > 0.0) {
            let temporal = sum.term(image, self.weights.temporal, |x| previous.loss(x))?;
            sum.tally.temporal(&temporal);
        }
        Ok(())
    }

    /// Everything that is read from the network at one of the levels of the picture.
    fn add_level(&self, sum: &mut Sum, terms: &[Term<'_>], image: &Tensor) -> candle_core::Result<()> {
        let features = self.net().features(image, terms.iter().map(|term| term.layer.tap))?;
        for term in terms {
            sum.layer(term, at(&features, term.layer.tap)?)?;
        }
        Ok(())
    }

    fn net(&self) -> Network<'_> {
        Network { vgg: &self.vgg, preprocess: &self.preprocess }
    }
}

impl TotalVariation {
    fn loss(self, image: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Squared => tv_loss(image),
            Self::L1 => tv_l1_loss(image),
            Self::NinePoint => tv_nine_point_loss(image),
        }
    }
}

impl Sum {
    fn new(unit_gradients: bool, image: &Tensor) -> candle_core::Result<Self> {
        let slope = Tensor::zeros((), image.dtype(), image.device())?;
        Ok(Self { tally: Tally::default(), slope, unit_gradients })
    }

    /// Adds a loss of `x` with a weight, and gives it.
    fn term(
        &mut self,
        x: &Tensor,
        weight: f64,
        loss: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Tensor> {
        let (loss, slope) = if self.unit_gradients {
            with_unit_gradient(x, weight, loss)?
        } else {
            let loss = loss(x)?;
            let weighted = (&loss * weight)?;
            (loss, weighted)
        };
        self.slope = (&self.slope + slope)?;
        Ok(loss)
    }

    fn layer(&mut self, term: &Term<'_>, f: &Tensor) -> candle_core::Result<()> {
        let loss = self.term(f, term.weight * term.share, |f| term.loss(f))?;
        self.tally.layer(term, [(1.0, loss)]);
        Ok(())
    }
}
