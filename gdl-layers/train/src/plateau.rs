use serde::{Deserialize, Serialize};

/// A factor on the learning rate that falls whenever a value has stopped falling.
///
/// A value counts as fallen when it is below the best so far by more than the share `threshold` of it. After more than
/// `patience` values in a row that have not, the factor is multiplied by `factor`. It is plain data: saved in a checkpoint, it
/// goes on where it stood.
///
/// # Example
/// ```
/// use gdl_train::Plateau;
///
/// let mut plateau = Plateau::default();
/// plateau.patience = 1;
/// let factors: Vec<f64> = [4.0, 3.0, 3.0, 3.0, 2.0].map(|loss| plateau.observe(loss)).into();
/// assert_eq!(factors, [1.0, 1.0, 1.0, 0.2, 0.2]);
/// ```
///
/// # Source
/// `torch.optim.lr_scheduler.ReduceLROnPlateau` in its `min` mode with a relative threshold; the defaults are those of
/// pytorch-CycleGAN-and-pix2pix. PyTorch does not lower a rate by less than 1e-8; here it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// What the rate is multiplied by; 0.2.
    pub factor: f64,
    /// By which share of the best value another must be below it; 0.01.
    pub threshold: f64,
    /// How many values in a row may fail to; 5.
    pub patience: u64,
    best: Option<f64>,
    failed: u64,
    current: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { factor: 0.2, threshold: 0.01, patience: 5, best: None, failed: 0, current: 1.0 }
    }
}

impl Plateau {
    /// The factor as it stands.
    pub fn current(&self) -> f64 {
        self.current
    }

    /// Takes the next value and gives the factor from here on.
    pub fn observe(&mut self, value: f64) -> f64 {
        if self.best.is_none_or(|best| value < best * (1.0 - self.threshold)) {
            (self.best, self.failed) = (Some(value), 0);
        } else {
            self.failed += 1;
        }
        if self.failed > self.patience {
            self.current *= self.factor;
            self.failed = 0;
        }
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_pytorch_s() {
        // torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, mode="min", factor=0.2, threshold=0.01, patience=2), lr 1.
        let values = [5.0, 4.0, 3.99, 3.97, 3.95, 3.9, 3.9, 3.9, 3.9, 1.0, 2.0, 2.0, 2.0, 2.0];
        let want = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2, 0.2, 0.2, 0.04, 0.04];
        let mut plateau = Plateau { patience: 2, ..Plateau::default() };
        for (i, (value, want)) in values.into_iter().zip(want).enumerate() {
            let got = plateau.observe(value);
            assert!((got - want).abs() < 1e-12, "{i}: {got}, not {want}");
            let saved = serde_json::to_string(&plateau).unwrap();
            assert_eq!(serde_json::from_str::<Plateau>(&saved).unwrap(), plateau);
        }
    }
}
