use candle_core::Tensor;

/// A style picture, how much it counts beside the others, and where.
#[derive(Debug, Clone)]
pub struct Style {
    /// (3, H, W), RGB in [0, 1].
    pub image: Tensor,
    /// Its share; only the proportion to the other styles' weights matters.
    pub weight: f64,
    /// Its size beside that of the others: larger makes larger strokes. Multiplies
    /// [`style_scale`](crate::NstConfig::style_scale); 1 unless set.
    pub scale: f64,
    /// Where in the result it is painted: (H, W) in [0, 1], of any size, stretched over the picture; at 1 wholly, at
    /// 0 not at all. Without a mask, wherever no other style's mask is.
    pub mask: Option<Tensor>,
}

impl From<Tensor> for Style {
    fn from(image: Tensor) -> Self {
        Self { image, weight: 1.0, scale: 1.0, mask: None }
    }
}
