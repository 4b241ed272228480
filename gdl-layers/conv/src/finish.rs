use gdl_kernels::gemm::Float;

/// What a kernel does to the channels of its result while they are in the cache: adds a bias, applies a rectifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish<'a, T> {
    /// One number for each channel.
    pub(crate) bias: Option<&'a [T]>,
    /// Slope of the rectifier below 0, itself 0 or more.
    pub(crate) slope: Option<T>,
}

impl<'a, T: Float> Finish<'a, T> {
    /// Nothing at all, as for gradients.
    pub(crate) const NOTHING: Self = Self { bias: None, slope: None };

    /// The bias of some channels.
    pub(crate) fn bias_of(&self, channels: std::ops::Range<usize>) -> Option<&'a [T]> {
        self.bias.map(|bias| &bias[channels])
    }

    /// Finishes values of one channel.
    pub(crate) fn apply(&self, channel: usize, values: &mut [T]) {
        if let Some(bias) = self.bias {
            let bias = bias[channel];
            values.iter_mut().for_each(|y| *y += bias);
        }
        self.rectify(values);
    }

    /// Finishes values that have their bias already.
    pub(crate) fn rectify(&self, values: &mut [T]) {
        match self.slope {
            None => {}
            // Not a product, which would make NaN of an infinity.
            Some(slope) if slope == T::ZERO => {
                values.iter_mut().for_each(|y| *y = if *y <= T::ZERO { T::ZERO } else { *y })
            }
            Some(slope) => values.iter_mut().for_each(|y| *y = if *y <= T::ZERO { *y * slope } else { *y }),
        }
    }
}
