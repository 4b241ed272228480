use candle_core::{DType, Device, Result, Tensor};

/// Pictures, their translations, and what becomes of those when they are translated back.
#[derive(Debug, Clone)]
pub struct RoundTrip {
    /// Real pictures of A.
    pub a: Tensor,
    /// Their translations into B.
    pub fake_b: Tensor,
    /// Those translated back into A.
    pub reconstructed_a: Tensor,
    /// Real pictures of B.
    pub b: Tensor,
    /// Their translations into A.
    pub fake_a: Tensor,
    /// Those translated back into B.
    pub reconstructed_b: Tensor,
}

impl RoundTrip {
    /// The pictures as six columns, one row for each pair: real A, fake B, reconstructed A, real B, fake A, reconstructed B.
    ///
    /// # Shape
    /// Pictures (3, H, W) in [0, 1], on the CPU.
    ///
    /// # Errors
    /// When there are not as many pictures of B as of A.
    pub fn rows(&self) -> Result<Vec<Vec<Tensor>>> {
        let columns =
            [&self.a, &self.fake_b, &self.reconstructed_a, &self.b, &self.fake_a, &self.reconstructed_b];
        (0..self.a.dim(0)?)
            .map(|i| columns.iter().map(|batch| to_picture(&batch.get(i)?)).collect())
            .collect()
    }

    /// All the [`rows`](Self::rows) of several round trips on one sheet.
    ///
    /// # Shape
    /// (3, H', W') in [0, 1], on the CPU.
    ///
    /// # Errors
    /// When there are no pictures, or they have neither 1 nor 3 channels.
    pub fn sheet(trips: &[Self]) -> Result<Tensor> {
        let rows = trips.iter().map(Self::rows).collect::<Result<Vec<_>>>()?.concat();
        gdl_image_io::grid(&rows, 2)
    }
}

/// From a network's range to a file's: [-1, 1] to [0, 1], on the CPU.
pub(crate) fn to_picture(x: &Tensor) -> Result<Tensor> {
    let unit = gdl_image_io::Range::Symmetric.to_unit(&x.detach().to_dtype(DType::F32)?)?;
    unit.clamp(0f32, 1f32)?.to_device(&Device::Cpu)
}
