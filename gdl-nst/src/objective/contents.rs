use super::network::{Network, at};
use super::tiles::{Gather, Tiling};
use crate::losses::{content_scale, inverse_or_one, value};
use crate::{Layer, Statistics};
use candle_core::{Result, Tensor};
use gdl_vgg::Tap;

/// What the content loss compares with.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    pub(super) layers: Vec<Content>,
    /// The picture itself, (1, 3, H, W), where the features of some layer are not kept.
    pub(super) image: Option<Tensor>,
}

/// The content's features at one layer.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) layer: Layer,
    /// None where they are computed again for each tile.
    pub(super) map: Option<Tensor>,
    /// What the mean squared difference is multiplied with.
    pub(super) scale: f64,
}

impl Contents {
    pub(super) fn new(
        network: Network<'_>,
        layers: Vec<Layer>,
        image: &Tensor,
        tiles: Option<&Tiling>,
    ) -> Result<Self> {
        let taps = layers.iter().map(|layer| layer.tap);
        let Some(tiles) = tiles else {
            let features = network.features(image, taps)?;
            let layers = layers.into_iter().map(|layer| {
                let f = at(&features, layer.tap)?;
                Ok(Content { layer, map: Some(f.detach()), scale: content_scale(f)? })
            });
            return Ok(Self { layers: layers.collect::<Result<_>>()?, image: None });
        };
        let (_, _, h, w) = image.dims4()?;
        let mut gather = Gather::default();
        for tap in taps.clone() {
            gather.moments(tap, Statistics::MeanStd, None);
            if is_kept(tap) || tiles.is_whole((h, w)) {
                gather.map(tap);
            }
        }
        let mut gathered = gather.over(network, image, tiles)?;
        let mut own = Vec::new();
        for (layer, moments) in layers.into_iter().zip(gathered.moments) {
            let variance = value(&moments[1].mean_all()?)?;
            let map = gathered.maps.get(&layer.tap).cloned();
            own.push(Content { layer, map, scale: inverse_or_one(variance) });
        }
        gathered.maps.clear();
        let image = own.iter().any(|content| content.map.is_none()).then(|| image.detach());
        Ok(Self { layers: own, image })
    }
}

/// Whether the content's features at a tap are kept for a picture in tiles. Those of the first blocks are larger than
/// anything else that such a picture needs.
pub(crate) fn is_kept(tap: Tap) -> bool {
    tap.block >= 4
}
