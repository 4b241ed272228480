use candle_core::{Result, Tensor};
use gdl_conv::{Conv2dParams, Pad, PadMode, conv2d, pad2d};
use gdl_kernels::numbers;
use gdl_vgg::Tap;

/// The shortest side from which the network can be halved down to every tap.
pub(crate) fn least_side(taps: impl IntoIterator<Item = Tap>) -> usize {
    taps.into_iter().map(|t| 1 << (t.block - 1)).max().unwrap_or(1)
}

/// A picture (1, 3, H, W), and its halves, quarters, … as long as they are large enough.
pub(super) fn levels(image: &Tensor, least: usize) -> impl Iterator<Item = Result<Tensor>> {
    let halve = move |x: &Result<Tensor>| {
        let x = x.as_ref().ok()?;
        let (_, _, h, w) = x.dims4().ok()?;
        (h.min(w) / 2 >= least.max(1)).then(|| halved(x))
    };
    // The network itself says what is wrong with a first level that is too small.
    std::iter::successors(Some(Ok(image.clone())), halve)
}

/// Half the size, each pixel from 4x4 with the weights 1 3 3 1 both ways: windows that only touch would leave their
/// blocks in the picture.
fn halved(x: &Tensor) -> Result<Tensor> {
    let (_, c, _, _) = x.dims4()?;
    let row = [0.125, 0.375, 0.375, 0.125];
    let square = row.iter().flat_map(|a| row.map(|b| a * b)).collect();
    let kernel =
        numbers(square, (1, 1, 4, 4), x.dtype(), x.device())?.broadcast_as((c, 1, 4, 4))?.contiguous()?;
    let params = Conv2dParams { stride: (2, 2), groups: c, ..Conv2dParams::default() };
    conv2d(&pad2d(x, Pad::same(1), PadMode::Replicate)?, &kernel, None, &params)
}
