use super::Objective;
use super::measured::Measured;
use super::network::Network;
use super::region::{Maker, Region};
use super::tiles::Tiling;
use crate::{Error, NstConfig, Result, Style};
use candle_core::DType;
use gdl_vgg::{Vgg, VggWeights};

/// What the styles ask of a picture at one size. Nothing in it depends on the content, but for the size that masks are
/// stretched to; so several pictures can share it.
#[derive(Debug, Clone)]
pub(crate) struct StyleTargets {
    pub(super) regions: Vec<Region>,
}

impl Objective {
    /// Takes the styles' targets for a picture of that height and width, in tiles of `side` pixels, where that is given.
    pub(crate) fn targets(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: &Vgg,
        (size, dtype): ((usize, usize), DType),
        styles: &[Style],
        side: Option<usize>,
    ) -> Result<StyleTargets> {
        check_weights(styles)?;
        let tiles = side.map(Tiling::new);
        let maker = Maker {
            config,
            network: Network { vgg, preprocess: weights.preprocess() },
            style_layers: &config.style_layers_of(weights),
            histogram_layers: &config.histogram_layers_of(weights),
            size,
            dtype,
            tiles: tiles.as_ref(),
        };
        Ok(StyleTargets { regions: maker.regions(styles)? })
    }

    /// What the styles come to at the size they have, in tiles of `side` pixels.
    pub(crate) fn measured(
        config: &NstConfig,
        weights: &VggWeights,
        vgg: &Vgg,
        styles: &[Style],
        side: usize,
    ) -> Result<Measured> {
        check_weights(styles)?;
        let tiles = Tiling::new(side);
        let maker = Maker {
            config,
            network: Network { vgg, preprocess: weights.preprocess() },
            style_layers: &config.style_layers_of(weights),
            histogram_layers: &config.histogram_layers_of(weights),
            // There is no picture for masks to be stretched over.
            size: (0, 0),
            dtype: DType::F32,
            tiles: Some(&tiles),
        };
        maker.mixed(&styles.iter().filter(|s| s.weight > 0.0).collect::<Vec<_>>())
    }
}

fn check_weights(styles: &[Style]) -> Result<()> {
    let sum: f64 = styles.iter().map(|s| s.weight).sum();
    if !sum.is_finite() || sum <= 0.0 || styles.iter().any(|s| s.weight < 0.0) {
        let weights: Vec<_> = styles.iter().map(|s| s.weight).collect();
        let message =
            format!("there must be a style, with weights of 0 or more and one above 0; they are {weights:?}");
        return Err(Error::Setting { key: "styles", message });
    }
    Ok(())
}
