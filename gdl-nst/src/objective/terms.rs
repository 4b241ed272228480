use super::Objective;
use super::contents::Content;
use super::target::Target;
use crate::losses::{histogram_loss, scaled_mse};
use crate::{Layer, LossKind};
use candle_core::{Result, Tensor, bail};

/// One layer's part of the losses.
pub(super) struct Term<'a> {
    pub(super) layer: Layer,
    pub(super) level: usize,
    /// Its part of the loss of its kind.
    pub(super) share: f64,
    /// What the loss of its kind counts in the total.
    pub(super) weight: f64,
    pub(super) what: What<'a>,
    /// How much each position counts; None where all count alike.
    pub(super) places: Option<&'a Tensor>,
}

/// What features are compared with.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    Content(&'a Content),
    Style(&'a Target),
    /// The quantiles of each channel.
    Histogram(&'a Tensor),
}

impl Term<'_> {
    pub(super) fn kind(&self) -> LossKind {
        match self.what {
            What::Content(_) => LossKind::Content,
            What::Style(_) => LossKind::Style,
            What::Histogram(_) => LossKind::Histogram,
        }
    }

    /// The loss of features of the whole picture, without share and weight.
    pub(super) fn loss(&self, f: &Tensor) -> Result<Tensor> {
        match self.what {
            What::Content(content) => match &content.map {
                Some(target) => scaled_mse(f, target, content.scale),
                None => bail!("style transfer: the content's features at {} are not kept", self.layer.tap),
            },
            What::Style(target) => target.loss(f, self.places),
            What::Histogram(target) => histogram_loss(f, target, self.places),
        }
    }
}

impl Objective {
    /// What is read from the network at one of so many levels of the picture.
    pub(super) fn terms(&self, level: usize, levels: usize) -> Vec<Term<'_>> {
        let (first, w) = (level == 0, self.weights);
        let mut terms = Vec::new();
        if first && w.content > 0.0 {
            let all: f64 = self.content.layers.iter().map(|content| content.layer.weight).sum();
            terms.extend(self.content.layers.iter().map(|content| Term {
                layer: content.layer,
                level,
                share: content.layer.weight / all,
                weight: w.content,
                what: What::Content(content),
                places: None,
            }));
        }
        for region in &self.regions {
            if w.style > 0.0 {
                let used = region.style.iter().take(levels).flatten();
                let all: f64 = used.map(|(layer, _)| layer.weight).sum();
                terms.extend(region.style.get(level).into_iter().flatten().map(|(layer, target)| Term {
                    layer: *layer,
                    level,
                    share: region.share * layer.weight / all,
                    weight: w.style,
                    what: What::Style(target),
                    places: region.places(level, layer.tap),
                }));
            }
            if first && w.histogram > 0.0 {
                let all: f64 = region.histograms.iter().map(|(layer, _)| layer.weight).sum();
                terms.extend(region.histograms.iter().map(|(layer, target)| Term {
                    layer: *layer,
                    level,
                    share: region.share * layer.weight / all,
                    weight: w.histogram,
                    what: What::Histogram(target),
                    places: region.places(level, layer.tap),
                }));
            }
        }
        terms
    }
}
