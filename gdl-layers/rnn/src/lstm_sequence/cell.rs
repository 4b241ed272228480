use crate::rows::Expected;
use candle_core::{D, Result, Tensor, bail};

/// The weights of one LSTM layer in one direction, and what is unusual about it.
///
/// Only `w_ih` and `w_hh` must be there; [`LstmCell::new`] leaves out the rest.
#[derive(Debug, Clone, Copy)]
pub struct LstmCell<'a> {
    /// From the input to the gates i, f, g, o: (4H, I).
    pub w_ih: &'a Tensor,
    /// From the state before to the gates: (4H, P), where P is H but for a projection.
    pub w_hh: &'a Tensor,
    /// Added to the gates: (4H), PyTorch's b_ih + b_hh.
    pub bias: Option<&'a Tensor>,
    /// Projection (P, H): h_t = (sigmoid(o) * tanh(c_t)) W_hr^T.
    pub w_hr: Option<&'a Tensor>,
    /// Layer normalisation inside the cell.
    pub norm: Option<LstmNorm<'a>>,
    /// How much of the state before is kept.
    pub zoneout: Option<Zoneout<'a>>,
}

/// A gain and a shift after a layer normalisation, each as long as what is normalised.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm<'a> {
    /// What the normalised values are multiplied with.
    pub weight: &'a Tensor,
    /// What is added to them then.
    pub bias: &'a Tensor,
}

/// The three layer normalisations of an LSTM cell.
///
/// ```text
/// gates = LN_ih(x_t W_ih^T + bias) + LN_hh(h_{t-1} W_hh^T)     over all four gates together
/// h_t = sigmoid(o) * tanh(LN_c(c_t))                           c_t itself goes on as it is
/// ```
///
/// # Source
///
/// Ba, Kiros, Hinton 2016, <https://arxiv.org/abs/1607.06450>, equations 20 to 22; the constant 1e-5 that is added to
/// the variance is PyTorch's.
#[derive(Debug, Clone, Copy)]
pub struct LstmNorm<'a> {
    /// Of the input's share of the gates (4H).
    pub ih: LayerNorm<'a>,
    /// Of the state's share of the gates (4H).
    pub hh: LayerNorm<'a>,
    /// Of the cell state on its way to the output (H).
    pub c: LayerNorm<'a>,
}

/// How much of the state before every step keeps, element by element, in [0, 1]: drawn zeros and ones in training, the
/// probability outside it. Constants: no gradient is computed for them.
///
/// ```text
/// c_t = k_c * c_{t-1} + (1 - k_c) * c'_t
/// h_t = k_h * h_{t-1} + (1 - k_h) * h'_t        c' and h' being what the cell computes without
/// ```
///
/// # Source
///
/// Krueger et al. 2016, <https://arxiv.org/abs/1606.01305>, where h'_t is computed from c'_t.
#[derive(Debug, Clone, Copy)]
pub struct Zoneout<'a> {
    /// For h: (N, T, P).
    pub h: &'a Tensor,
    /// For c: (N, T, H).
    pub c: &'a Tensor,
}

/// Added to a variance before its root is taken.
pub(crate) const NORM_EPS: f64 = 1e-5;

impl LayerNorm<'_> {
    /// Normalises the last axis.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
        let x = x.broadcast_div(&(variance + NORM_EPS)?.sqrt()?)?;
        x.broadcast_mul(self.weight)?.broadcast_add(self.bias)
    }
}

impl<'a> LstmCell<'a> {
    /// A cell without bias or options.
    pub fn new(w_ih: &'a Tensor, w_hh: &'a Tensor) -> Self {
        Self { w_ih, w_hh, bias: None, w_hr: None, norm: None, zoneout: None }
    }

    /// Whether there is nothing but weights and a bias.
    #[cfg(feature = "cuda")]
    pub(crate) fn is_plain(&self) -> bool {
        self.w_hr.is_none() && self.norm.is_none() && self.zoneout.is_none()
    }

    /// Features H of the cell state.
    pub(crate) fn size(&self) -> Result<usize> {
        match *self.w_hh.dims() {
            [rows, columns] if rows > 0 && rows % 4 == 0 && columns > 0 => Ok(rows / 4),
            _ => bail!("lstm_sequence: expected w_hh (4H, P), got {:?}", self.w_hh.shape()),
        }
    }

    /// Features P of an output.
    pub(crate) fn outputs(&self) -> Result<usize> {
        self.w_hr.map_or_else(|| self.size(), |w| w.dim(0))
    }

    pub(crate) fn check(&self, expected: &Expected) -> Result<()> {
        let (size, outputs) = (expected.size, self.outputs()?);
        if let Some(w_hr) = self.w_hr {
            expected.shape("w_hr (P, H)", w_hr, &[outputs, size])?;
        }
        if let Some(LstmNorm { ih, hh, c }) = self.norm {
            for (name, norm, size) in [("ih", ih, 4 * size), ("hh", hh, 4 * size), ("c", c, size)] {
                expected.shape(&format!("norm {name} weight"), norm.weight, &[size])?;
                expected.shape(&format!("norm {name} bias"), norm.bias, &[size])?;
            }
        }
        if let Some(Zoneout { h, c }) = self.zoneout {
            expected.shape("zoneout h (N, T, P)", h, &[expected.n, expected.t, outputs])?;
            expected.shape("zoneout c (N, T, H)", c, &[expected.n, expected.t, size])?;
        }
        Ok(())
    }
}
