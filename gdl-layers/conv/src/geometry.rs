use candle_core::{Result, Tensor, bail};

/// The sizes that a convolution, its input gradient and its weight gradient share.
///
/// A convolution reads a `big` image and writes a `small` one; a transposed convolution reads the small one
/// and writes the big one; the weight gradient reads both. The weights are `(c_small, c_big / groups, kh, kw)`
/// in all three, so each operator's gradients are the other two with the same geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) c_big: usize,
    pub(crate) big: (usize, usize),
    pub(crate) c_small: usize,
    pub(crate) small: (usize, usize),
    pub(crate) kernel: (usize, usize),
    pub(crate) stride: (usize, usize),
    /// Negative where border pixels of the big image are left out, which mirroring can lead to.
    pub(crate) padding: (isize, isize),
    pub(crate) dilation: (usize, usize),
    pub(crate) groups: usize,
}

impl Geometry {
    pub(crate) fn big_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.c_big, self.big.0, self.big.1)
    }

    pub(crate) fn small_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.c_small, self.small.0, self.small.1)
    }

    /// The padding of a geometry that came from a user, who cannot ask for a negative one.
    pub(crate) fn zero_padding(&self) -> (usize, usize) {
        (self.padding.0.unsigned_abs(), self.padding.1.unsigned_abs())
    }

    /// The channels of one group: (big, small).
    pub(crate) fn group_channels(&self) -> (usize, usize) {
        (self.c_big / self.groups, self.c_small / self.groups)
    }

    /// The number of taps of the kernel.
    pub(crate) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// For stride 1: the same sums with the two images in each other's place, which goes with weights that are
    /// flipped and whose two channel axes change places.
    pub(crate) fn mirrored(&self) -> Self {
        let reach = |k: usize, d: usize, p: isize| (d * (k - 1)) as isize - p;
        Self {
            c_big: self.c_small,
            big: self.small,
            c_small: self.c_big,
            small: self.big,
            padding: (
                reach(self.kernel.0, self.dilation.0, self.padding.0),
                reach(self.kernel.1, self.dilation.1, self.padding.1),
            ),
            ..*self
        }
    }

    pub(crate) fn weight_count(&self) -> usize {
        self.c_small * (self.c_big / self.groups) * self.taps()
    }

    pub(crate) fn weight_shape(&self) -> (usize, usize, usize, usize) {
        (self.c_small, self.c_big / self.groups, self.kernel.0, self.kernel.1)
    }
}

/// The extent of a kernel with its holes, or an error that names the operator.
pub(crate) fn kernel_span(
    op: &str,
    kernel: (usize, usize),
    dilation: (usize, usize),
) -> Result<(usize, usize)> {
    if kernel.0 == 0 || kernel.1 == 0 {
        bail!("{op}: the kernel must be at least 1x1, got {}x{}", kernel.0, kernel.1)
    }
    if dilation.0 == 0 || dilation.1 == 0 {
        bail!("{op}: the dilation must be at least 1, got {dilation:?}")
    }
    Ok((dilation.0 * (kernel.0 - 1) + 1, dilation.1 * (kernel.1 - 1) + 1))
}

/// Output size of a window sliding over a padded input: `floor((size + 2 padding - span) / stride) + 1`.
pub(crate) fn sliding_size(
    op: &str,
    size: (usize, usize),
    span: (usize, usize),
    stride: (usize, usize),
    padding: (usize, usize),
) -> Result<(usize, usize)> {
    if stride.0 == 0 || stride.1 == 0 {
        bail!("{op}: the stride must be at least 1, got {stride:?}")
    }
    if size.0 == 0 || size.1 == 0 {
        bail!("{op}: the input must be at least 1x1, got {}x{}", size.0, size.1)
    }
    let padded = (size.0 + 2 * padding.0, size.1 + 2 * padding.1);
    if span.0 > padded.0 || span.1 > padded.1 {
        bail!(
            "{op}: the kernel spans {}x{} but the padded input is only {}x{} (input {}x{}, padding {padding:?})",
            span.0,
            span.1,
            padded.0,
            padded.1,
            size.0,
            size.1
        )
    }
    Ok(((padded.0 - span.0) / stride.0 + 1, (padded.1 - span.1) / stride.1 + 1))
}

/// `dims4` with an error that names the operator and the argument.
pub(crate) fn dims4(op: &str, what: &str, x: &Tensor) -> Result<(usize, usize, usize, usize)> {
    match *x.dims() {
        [a, b, c, d] => Ok((a, b, c, d)),
        _ => bail!("{op}: the {what} must have 4 dimensions, got shape {:?}", x.dims()),
    }
}

/// Checks that a bias, where there is one, has one number per output channel.
pub(crate) fn check_bias(op: &str, bias: Option<&Tensor>, channels: usize) -> Result<()> {
    match bias {
        Some(b) if b.dims() != [channels] => {
            bail!("{op}: the bias must have shape [{channels}], got {:?}", b.dims())
        }
        _ => Ok(()),
    }
}

/// Adds a per-channel bias to an NCHW tensor.
pub(crate) fn add_bias(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let Some(bias) = bias else { return Ok(y) };
    let bias = bias.reshape((1, bias.elem_count(), 1, 1))?;
    if y.elem_count() == 0 {
        // An empty sum is, for candle, its left argument alone: the bias would get no gradient instead of zeros.
        return Tensor::cat(&[&bias.broadcast_as(y.shape())?, &y], 0);
    }
    y.broadcast_add(&bias)
}
