use super::terms::Term;
use crate::{LayerLoss, LossKind, LossWeights, Losses};
use candle_core::{Result, Tensor};

/// The losses of an evaluation while they are computed: scalars wherever the picture lies. They are read at once, when
/// everything is on its way; a GPU that is waited for at each would stand still in between.
#[derive(Default)]
pub(super) struct Tally {
    layers: Vec<LayerLoss>,
    scalars: Vec<Tensor>,
    /// For each scalar what it is a part of, and what it is multiplied with there.
    parts: Vec<(Part, f64)>,
}

/// What a scalar is a part of.
#[derive(Clone, Copy)]
enum Part {
    /// The loss at a layer, by its place in the list.
    Layer(usize),
    Tv,
    Temporal,
}

impl Tally {
    /// A layer's loss, which is the sum of scalars, each times a number.
    pub(super) fn layer(&mut self, term: &Term<'_>, parts: impl IntoIterator<Item = (f64, Tensor)>) {
        let (kind, tap, level, share) = (term.kind(), term.layer.tap, term.level, term.share);
        let part = Part::Layer(self.layers.len());
        self.layers.push(LayerLoss { kind, tap, level, share, value: 0.0 });
        parts.into_iter().for_each(|(factor, scalar)| self.push(part, factor, &scalar));
    }

    /// Adds to the total variation.
    pub(super) fn tv(&mut self, scalar: &Tensor) {
        self.push(Part::Tv, 1.0, scalar);
    }

    /// Adds to the temporal loss.
    pub(super) fn temporal(&mut self, scalar: &Tensor) {
        self.push(Part::Temporal, 1.0, scalar);
    }

    fn push(&mut self, part: Part, factor: f64, scalar: &Tensor) {
        self.parts.push((part, factor));
        self.scalars.push(scalar.detach());
    }

    /// The losses, and the value of one more scalar.
    pub(super) fn read(mut self, weights: &LossWeights, another: &Tensor) -> Result<(Losses, f64)> {
        self.scalars.push(another.detach());
        let values = gdl_kernels::read(&self.scalars)?;
        let mut losses = Losses { layers: self.layers, ..Losses::default() };
        for ((part, factor), value) in self.parts.into_iter().zip(&values) {
            let sum = match part {
                Part::Layer(i) => &mut losses.layers[i].value,
                Part::Tv => &mut losses.tv,
                Part::Temporal => &mut losses.temporal,
            };
            *sum += factor * value;
        }
        for LayerLoss { kind, share, value, .. } in &losses.layers {
            let sum = match kind {
                LossKind::Content => &mut losses.content,
                LossKind::Style => &mut losses.style,
                LossKind::Histogram => &mut losses.histogram,
            };
            *sum += share * value;
        }
        let (l, w) = (&losses, weights);
        losses.total = w.content * l.content + w.style * l.style + w.histogram * l.histogram + w.tv * l.tv;
        losses.total += w.temporal * losses.temporal;
        Ok((losses, values.last().copied().unwrap_or(f64::NAN)))
    }
}
