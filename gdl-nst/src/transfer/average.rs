use candle_core::{Result, Tensor};

/// An exponential moving average, corrected for its start as Adam's moments are:
/// `a = d a + (1 - d) x`, shown as `a / (1 - d^n)` after n pictures.
///
/// # Source
/// crowsonkb/style-transfer-pytorch, `EMA`, which counts the picture it starts from as well.
#[derive(Debug, Clone)]
pub(super) struct Average {
    decay: f64,
    pub(super) sum: Option<Tensor>,
    pub(super) count: u64,
}

impl Average {
    pub(super) fn new(decay: f64) -> Self {
        Self { decay, sum: None, count: 0 }
    }

    pub(super) fn add(&mut self, x: &Tensor) -> Result<()> {
        let new = (x * (1.0 - self.decay))?;
        self.sum = Some(match &self.sum {
            None => new,
            Some(sum) => ((sum * self.decay)? + new)?,
        });
        self.count += 1;
        Ok(())
    }

    /// None before the first picture.
    pub(super) fn get(&self) -> Result<Option<Tensor>> {
        let correction = 1.0 - self.decay.powf(self.count as f64);
        self.sum.as_ref().map(|sum| sum / correction).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_mean_of_what_came_weighted_by_age() {
        let mut average = Average::new(0.5);
        assert!(average.get().unwrap().is_none());
        let mut got = Vec::new();
        for x in [8.0, 2.0, 1.0] {
            average.add(&Tensor::new(x, &Device::Cpu).unwrap()).unwrap();
            got.push(average.get().unwrap().unwrap().to_scalar::<f64>().unwrap());
        }
        let want = [8.0, (2.0 * 2.0 + 8.0) / 3.0, (4.0 + 2.0 * 2.0 + 8.0) / 7.0];
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }
}
