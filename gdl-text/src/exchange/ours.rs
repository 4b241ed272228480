use super::parts::{ATTENTION, KINDS, Parts, width};
use crate::tokenizer::UNKNOWN;
use crate::{ModelConfig, Result, Window};
use candle_core::Tensor;
use gdl_train::Tensors;

/// The score of the unknown token where the imported model has none: so low that it is never drawn.
const NEVER: f32 = -1e4;

/// Where each row of our order comes from.
pub(super) struct Order {
    /// The row of the unknown token, where there is one.
    unknown: Option<u32>,
    rows: Vec<u32>,
}

impl Order {
    /// The unknown token first, and the others behind it as they were; it is taken out of `tokens`.
    pub(super) fn new(tokens: &mut Vec<String>) -> Self {
        let unknown = tokens.iter().position(|token| token == UNKNOWN);
        let mut rows: Vec<u32> = (0..tokens.len() as u32).collect();
        if let Some(at) = unknown {
            tokens.remove(at);
            rows[..=at].rotate_right(1);
        }
        Self { unknown: unknown.map(|at| at as u32), rows }
    }

    /// As it is.
    pub(super) fn same(count: usize) -> Self {
        Self { unknown: Some(0), rows: (0..count as u32).collect() }
    }

    /// Whether the unknown token is a new one.
    pub(super) fn adds_unknown(&self) -> bool {
        self.unknown.is_none()
    }

    /// Rows in our order; that of an added token holds `value`.
    fn of(&self, rows: &Tensor, value: f32) -> Result<Tensor> {
        let ours = rows.index_select(&Tensor::new(&self.rows[..], rows.device())?, 0)?;
        if self.unknown.is_some() {
            return Ok(ours);
        }
        let added = (rows.narrow(0, 0, 1)?.zeros_like()? + f64::from(value))?;
        Ok(Tensor::cat(&[&added, &ours], 0)?)
    }
}

impl Parts {
    /// Whether tokens are scored by the vectors they are read with.
    fn tied(&self) -> std::result::Result<bool, String> {
        let Some(head) = &self.head else { return Ok(true) };
        if head.dims() != self.embedding.dims() {
            return Ok(false);
        }
        let values = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        let both = (values(head), values(&self.embedding));
        let (Ok(a), Ok(b)) = both else { return Err("its vectors cannot be read".into()) };
        Ok(a == b)
    }

    /// What our model of these parts is made of.
    pub(super) fn config(&self, window: Option<Window>) -> std::result::Result<ModelConfig, String> {
        if !self.rest.is_empty() {
            let names: Vec<&str> = self.rest.keys().take(4).map(String::as_str).collect();
            let more = self.rest.len() - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Err(format!("{}{more}: no part of a recurrent language model", names.join(", ")));
        }
        let tied = self.tied()?;
        let widths: Vec<usize> = self.layers.iter().map(|layer| width(&layer[1], 1)).collect();
        let embedding = width(&self.embedding, 1);
        let mut below = embedding;
        for (number, (layer, &hidden)) in self.layers.iter().zip(&widths).enumerate() {
            let inputs = width(&layer[0], 1);
            if inputs != below {
                return Err(format!(
                    "layer {number} reads {inputs} features, and what is below it gives {below}"
                ));
            }
            below = hidden;
        }
        let hidden = widths.first().copied().unwrap_or(0);
        let model = ModelConfig {
            tied,
            window,
            ..ModelConfig::new(self.cell, hidden, widths.len()).embedding(embedding)
        };
        if model.widths() != widths {
            let ours = "all alike, but for the last with tied vectors";
            return Err(format!("its layers have {widths:?} features; ours are {ours}"));
        }
        if let Some(head) = &self.head
            && width(head, 1) != model.outputs()
        {
            return Err(format!(
                "tokens are scored by {} features, and the layers give {}",
                width(head, 1),
                model.outputs()
            ));
        }
        Ok(model)
    }

    /// The tensors under our names.
    pub(super) fn weights(&self, model: &ModelConfig, order: &Order) -> Result<Tensors> {
        let mut weights = Tensors::new();
        let bias = match &self.bias {
            Some(bias) => bias.clone(),
            None => self.embedding.narrow(1, 0, 1)?.zeros_like()?.flatten_all()?,
        };
        weights.insert("embedding.weight".into(), order.of(&self.embedding, 0.0)?);
        weights.insert("head.bias".into(), order.of(&bias, NEVER)?);
        if let (false, Some(head)) = (model.tied, &self.head) {
            weights.insert("head.weight".into(), order.of(head, 0.0)?);
        }
        if let Some(attention) = &self.attention {
            weights.insert(ATTENTION.into(), attention.clone());
        }
        let apart = model.layers > 1 && model.outputs() != model.hidden;
        for (number, layer) in self.layers.iter().enumerate() {
            let (network, number) = match (model.window, apart && number + 1 == model.layers) {
                (Some(_), _) => (format!("rnns.{number}"), 0),
                (None, true) => ("rnn_last".to_string(), 0),
                (None, false) => ("rnn".to_string(), number),
            };
            for (kind, tensor) in KINDS.iter().zip(layer) {
                weights.insert(format!("{network}.{kind}_l{number}"), tensor.contiguous()?);
            }
        }
        Ok(weights)
    }
}
