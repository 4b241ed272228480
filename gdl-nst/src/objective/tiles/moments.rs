use crate::Statistics;
use crate::losses::{in_f64, value};
use candle_core::{DType, Device, Result, Tensor, bail};

/// The moments of features that come part by part.
///
/// Those of the parts are about the parts' own means, and are joined in f64 about the common one: sums of squares about
/// zero would lose what a large mean leaves of the variation.
///
/// # Source
/// Chan, Golub and LeVeque 1979, *Updating Formulae and a Pairwise Algorithm for Computing Sample Variances*.
#[derive(Debug)]
pub(super) struct Merged {
    statistics: Statistics,
    /// Of the whole, by how much its positions count.
    share: f64,
    /// As [`Statistics::moments`] has them, those of a single part; of several in f64.
    moments: Vec<Tensor>,
}

impl Merged {
    pub(super) fn new(statistics: Statistics) -> Self {
        Self { statistics, share: 0.0, moments: Vec::new() }
    }

    /// Adds a part of a map of so many positions, and how much its positions count, in the mean of the whole map 1.
    pub(super) fn add(&mut self, f: &Tensor, places: Option<&Tensor>, positions: usize) -> Result<()> {
        let (_, _, h, w) = f.dims4()?;
        let mean = match places {
            // By how they are made; and to ask a GPU is to wait for it.
            Some(places) if h * w < positions => value(&places.mean_all()?)?,
            _ => 1.0,
        };
        // A part where nothing counts; NaN is for the loss to tell.
        if mean <= 0.0 {
            return Ok(());
        }
        let places = places.map(|p| p / mean).transpose()?;
        let own = self.statistics.moments(f, places.as_ref())?;
        let share = mean * (h * w) as f64 / positions as f64;
        let both = self.share + share;
        self.moments = if self.share == 0.0 { own } else { self.joined(&own, share / both)? };
        self.share = both;
        Ok(())
    }

    /// With another's, which are that part of both.
    fn joined(&self, other: &[Tensor], part: f64) -> Result<Vec<Tensor>> {
        let mix = |a: &Tensor, b: &Tensor| (a * (1.0 - part))? + (b * part)?;
        let wide = |all: &[Tensor]| all.iter().map(in_f64).collect::<Result<Vec<_>>>();
        match (wide(&self.moments)?.as_slice(), wide(other)?.as_slice()) {
            ([a], [b]) => Ok(vec![mix(a, b)?]),
            ([mean, spread], [other_mean, other_spread]) => {
                let off = (other_mean - mean)?;
                let between = match self.statistics {
                    Statistics::MeanStd => off.sqr()?,
                    _ => (off.matmul(&off.t()?)? / off.dim(1)? as f64)?,
                };
                let spread = (mix(spread, other_spread)? + (between * (part * (1.0 - part)))?)?;
                Ok(vec![mix(mean, other_mean)?, spread])
            }
            _ => bail!("style transfer: {} and {} moments", self.moments.len(), other.len()),
        }
    }

    /// The moments of the whole.
    pub(super) fn finish(self, dtype: DType, device: &Device) -> Result<Vec<Tensor>> {
        if self.moments.is_empty() {
            bail!("style transfer: no position of the map counts")
        }
        self.moments.iter().map(|t| t.to_dtype(dtype)?.to_device(device)).collect()
    }
}
