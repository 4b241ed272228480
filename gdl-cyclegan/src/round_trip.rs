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
    /// What the generator into A makes of the pictures of A, and should leave as they are; where the training weighs that.
    pub identity_a: Option<Tensor>,
    /// Real pictures of B.
    pub b: Tensor,
    /// Their translations into A.
    pub fake_a: Tensor,
    /// Those translated back into B.
    pub reconstructed_b: Tensor,
    /// What the generator into B makes of the pictures of B; where the training weighs identity.
    pub identity_b: Option<Tensor>,
}

impl RoundTrip {
    /// The names of a sheet's columns, with identity or without.
    pub fn columns(identity: bool) -> Vec<&'static str> {
        let all = [
            "real A",
            "fake B",
            "reconstructed A",
            "identity A",
            "real B",
            "fake A",
            "reconstructed B",
            "identity B",
        ];
        all.into_iter().filter(|name| identity || !name.starts_with("identity")).collect()
    }

    /// The pictures as columns, one row for each pair: real A, fake B, reconstructed A, identity A if there is one, and the
    /// same of B. [`columns`](Self::columns) names them.
    ///
    /// # Shape
    /// Pictures (3, H, W) in [0, 1], on the CPU.
    ///
    /// # Errors
    /// When there are not as many pictures of B as of A.
    pub fn rows(&self) -> Result<Vec<Vec<Tensor>>> {
        let a = [Some(&self.a), Some(&self.fake_b), Some(&self.reconstructed_a), self.identity_a.as_ref()];
        let b = [Some(&self.b), Some(&self.fake_a), Some(&self.reconstructed_b), self.identity_b.as_ref()];
        let columns: Vec<_> = a.into_iter().chain(b).flatten().collect();
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
