use crate::NstConfig;
use gdl_vgg::Tap;
use serde::{Deserialize, Serialize};

/// How much each loss counts; see [`NstConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Of the content loss.
    pub content: f64,
    /// Of the style loss.
    pub style: f64,
    /// Of the total variation.
    pub tv: f64,
    /// Of the histogram loss.
    pub histogram: f64,
    /// Of the temporal loss, which only the later frames of a film have.
    #[serde(default)]
    pub temporal: f64,
}

/// The losses of one picture, without their weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// The content loss.
    pub content: f64,
    /// The style loss.
    pub style: f64,
    /// The total variation.
    pub tv: f64,
    /// The histogram loss.
    pub histogram: f64,
    /// The temporal loss; 0 but in the later frames of a film.
    #[serde(default)]
    pub temporal: f64,
    /// The sum of them, each times its weight: what is minimised.
    pub total: f64,
    /// What content, style and histogram loss are made of. A loss of weight 0 has none.
    pub layers: Vec<LayerLoss>,
}

/// A loss at one layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerLoss {
    /// Of which loss it is a part.
    pub kind: LossKind,
    /// Where its features are read.
    pub tap: Tap,
    /// At which size of the picture: 0 as it is, 1 halved, and so on. With masks each region has entries of its own.
    pub level: usize,
    /// Its part of the loss; the shares of one kind add up to 1.
    pub share: f64,
    /// What it comes to, without its share.
    pub value: f64,
}

/// The losses that are read from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossKind {
    /// [`content_loss`](crate::content_loss)
    Content,
    /// The loss of the chosen [`Statistics`](crate::Statistics).
    Style,
    /// [`histogram_loss`](crate::histogram_loss)
    Histogram,
}

impl NstConfig {
    /// The weights of the losses.
    pub fn loss_weights(&self) -> LossWeights {
        LossWeights {
            content: self.content_weight,
            style: self.style_weight,
            tv: self.tv_weight,
            histogram: self.histogram_weight,
            temporal: self.temporal_weight,
        }
    }

    /// The same settings with other weights of the losses.
    pub fn with_loss_weights(&self, weights: LossWeights) -> Self {
        Self {
            content_weight: weights.content,
            style_weight: weights.style,
            tv_weight: weights.tv,
            histogram_weight: weights.histogram,
            temporal_weight: weights.temporal,
            ..self.clone()
        }
    }
}
