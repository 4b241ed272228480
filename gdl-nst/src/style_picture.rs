use crate::StyleCache;
use candle_core::Tensor;

/// A style, how much it counts beside the others, and where.
#[derive(Debug, Clone)]
pub struct Style {
    /// The picture, or what was taken from it before.
    pub source: StyleSource,
    /// Its share; only the proportion to the other styles' weights matters.
    pub weight: f64,
    /// Its size beside that of the others: larger makes larger strokes. Multiplies
    /// [`style_scale`](crate::NstConfig::style_scale); 1 unless set.
    pub scale: f64,
    /// Where in the result it is painted: (H, W) in [0, 1], of any size, stretched over the picture; at 1 wholly, at
    /// 0 not at all. Without a mask, wherever no other style's mask is.
    pub mask: Option<Tensor>,
}

/// Where the statistics of a [`Style`] come from.
#[derive(Debug, Clone)]
pub enum StyleSource {
    /// A picture (3, H, W), RGB in [0, 1].
    Picture(Tensor),
    /// Statistics that were taken from pictures before, at certain sizes.
    Cache(StyleCache),
}

impl Style {
    pub(crate) fn picture(&self) -> Option<&Tensor> {
        match &self.source {
            StyleSource::Picture(picture) => Some(picture),
            StyleSource::Cache(_) => None,
        }
    }

    pub(crate) fn cache(&self) -> Option<&StyleCache> {
        match &self.source {
            StyleSource::Picture(_) => None,
            StyleSource::Cache(cache) => Some(cache),
        }
    }
}

impl From<StyleSource> for Style {
    fn from(source: StyleSource) -> Self {
        Self { source, weight: 1.0, scale: 1.0, mask: None }
    }
}

impl From<Tensor> for Style {
    fn from(image: Tensor) -> Self {
        StyleSource::Picture(image).into()
    }
}

impl From<StyleCache> for Style {
    fn from(cache: StyleCache) -> Self {
        StyleSource::Cache(cache).into()
    }
}
