use crate::Case;
use candle_core::{Result, Tensor};
use gdl_conv::{
    Conv2dParams, ConvTranspose2dParams, Pad, PadMode, Pool2dParams, avg_pool2d, avg_pool2d_exclude_pad,
    conv_transpose2d, conv2d, conv2d_activated, conv2d_pooled, l2_pool2d, max_pool2d, pad2d,
    upsample_nearest2d,
};
use gdl_kernels::Activation;
use gdl_kernels::rng::Rng;

type Size = (usize, usize);

fn params(stride: Size, padding: Size, dilation: Size, groups: usize) -> Conv2dParams {
    Conv2dParams { stride, padding, dilation, groups }
}

/// Convolutions, padding, pooling and up-sampling.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = convolutions();
    cases.extend(transposed());
    cases.extend(images());
    let mut rng = Rng::seed(23);
    cases.extend((0..DRAWN).map(|_| drawn_convolution(&mut rng)));
    cases.extend((0..DRAWN).map(|_| drawn_transposed(&mut rng)));
    cases.extend((0..DRAWN).map(|_| drawn_pooling(&mut rng)));
    cases
}

/// Shapes of each operator that are drawn, beside those above.
const DRAWN: usize = 8;

/// Two numbers in `lo..=hi`.
fn pair(rng: &mut Rng, lo: usize, hi: usize) -> Size {
    (lo + rng.below(hi - lo + 1), lo + rng.below(hi - lo + 1))
}

fn drawn_convolution(rng: &mut Rng) -> Case {
    let (kernel, stride, dilation) = (pair(rng, 1, 4), pair(rng, 1, 3), pair(rng, 1, 2));
    let (padding, groups) = (pair(rng, 0, 2), 1 + rng.below(2));
    // Of a single output channel the bias's gradient is one number, which may cancel to nothing.
    let channels = (1 + rng.below(4), 2 + rng.below(3));
    // Large enough for the kernel with its holes, whatever the padding.
    let (h, w) = (dilation.0 * kernel.0 + rng.below(9), dilation.1 * kernel.1 + rng.below(9));
    let x = [1 + rng.below(3), channels.0 * groups, h, w];
    let weight = [channels.1 * groups, channels.0, kernel.0, kernel.1];
    let params = params(stride, padding, dilation, groups);
    let variant = format!("drawn: {x:?}, {weight:?}, {stride:?} {padding:?} {dilation:?}");
    Case::new("conv2d", variant, &[&x, &weight, &[weight[0]]], move |t| {
        Ok(vec![conv2d(&t[0], &t[1], Some(&t[2]), &params)?])
    })
}

fn drawn_transposed(rng: &mut Rng) -> Case {
    let (kernel, stride, dilation) = (pair(rng, 1, 4), pair(rng, 1, 3), pair(rng, 1, 2));
    let (groups, channels) = (1 + rng.below(2), (1 + rng.below(4), 2 + rng.below(3)));
    let output_padding = (rng.below(stride.0), rng.below(stride.1));
    // What is cut away on both sides leaves something over.
    let padding = (rng.below(kernel.0.div_ceil(2)), rng.below(kernel.1.div_ceil(2)));
    let x = [1 + rng.below(3), channels.0 * groups, 2 + rng.below(6), 2 + rng.below(6)];
    let weight = [channels.0 * groups, channels.1, kernel.0, kernel.1];
    let params = ConvTranspose2dParams { stride, padding, output_padding, dilation, groups };
    let variant = format!("drawn: {x:?}, {weight:?}, {stride:?} {padding:?} {output_padding:?} {dilation:?}");
    Case::new("conv_transpose2d", variant, &[&x, &weight, &[channels.1 * groups]], move |t| {
        Ok(vec![conv_transpose2d(&t[0], &t[1], Some(&t[2]), &params)?])
    })
}

fn drawn_pooling(rng: &mut Rng) -> Case {
    let (kernel, stride) = (pair(rng, 1, 4), pair(rng, 1, 3));
    let padding = (rng.below(kernel.0 / 2 + 1), rng.below(kernel.1 / 2 + 1));
    let x = [1 + rng.below(2), 1 + rng.below(3), kernel.0 + rng.below(8), kernel.1 + rng.below(8)];
    let params = Pool2dParams { kernel, stride, padding };
    let variant = format!("drawn: {x:?}, {kernel:?} {stride:?} {padding:?}");
    let pooling = |operator, pool: fn(&Tensor, &Pool2dParams) -> Result<Tensor>| {
        Case::new(operator, variant, &[&x], move |t| Ok(vec![pool(&t[0], &params)?]))
    };
    match rng.below(3) {
        0 => pooling("max_pool2d", max_pool2d),
        1 => pooling("avg_pool2d", avg_pool2d),
        _ => pooling("l2_pool2d", l2_pool2d),
    }
}

fn convolutions() -> Vec<Case> {
    let conv = |variant: &str, x: [usize; 4], w: [usize; 4], params: Conv2dParams| {
        Case::new("conv2d", variant, &[&x, &w, &[w[0]]], move |t| {
            Ok(vec![conv2d(&t[0], &t[1], Some(&t[2]), &params)?])
        })
    };
    vec![
        conv("3x3", [2, 5, 9, 7], [6, 5, 3, 3], params((1, 1), (1, 1), (1, 1), 1)),
        conv("3x3, 16 channels of 26x27", [1, 16, 26, 27], [16, 16, 3, 3], params((1, 1), (1, 1), (1, 1), 1)),
        conv("4x4, stride 2", [2, 3, 12, 10], [8, 3, 4, 4], params((2, 2), (1, 1), (1, 1), 1)),
        conv("stride 2 of 7x8", [1, 3, 7, 8], [4, 3, 3, 3], params((2, 2), (1, 1), (1, 1), 1)),
        conv("7x7", [1, 3, 15, 14], [8, 3, 7, 7], params((1, 1), (3, 3), (1, 1), 1)),
        conv("1x1", [3, 6, 5, 4], [4, 6, 1, 1], params((1, 1), (0, 0), (1, 1), 1)),
        conv("dilated, not square", [1, 2, 13, 11], [3, 2, 3, 2], params((2, 1), (2, 1), (2, 3), 1)),
        conv("groups", [2, 6, 8, 8], [9, 2, 3, 3], params((1, 2), (1, 0), (1, 1), 3)),
        Case::new("conv2d", "without bias, of a part", &[&[2, 4, 8, 9], &[5, 4, 3, 3]], |t| {
            let part = t[0].narrow(3, 1, 7)?;
            Ok(vec![conv2d(&part, &t[1], None, &params((1, 1), (0, 0), (1, 1), 1))?])
        }),
        Case::new("conv2d_activated", "leaky relu", &[&[2, 4, 8, 8], &[6, 4, 3, 3], &[6]], |t| {
            let (params, act) = (params((1, 1), (1, 1), (1, 1), 1), Activation::LeakyRelu(0.2));
            Ok(vec![conv2d_activated(&t[0], &t[1], Some(&t[2]), &params, act)?])
        }),
        Case::new("conv2d_activated", "with frozen weights", &[&[2, 4, 8, 8]], |t| {
            let weights =
                (Tensor::arange(0f32, 96.0, &candle_core::Device::Cpu)? / 48.0)?.affine(1.0, -1.0)?;
            let weights =
                weights.sin()?.reshape((6, 4, 2, 2))?.to_dtype(t[0].dtype())?.to_device(t[0].device())?;
            let (params, act) = (params((1, 1), (1, 1), (1, 1), 1), Activation::Relu);
            Ok(vec![conv2d_activated(&t[0], &weights, None, &params, act)?])
        }),
        Case::new("conv2d_pooled", "", &[&[1, 4, 9, 8], &[6, 4, 3, 3], &[6]], |t| {
            let params = params((1, 1), (1, 1), (1, 1), 1);
            Ok(vec![conv2d_pooled(&t[0], &t[1], Some(&t[2]), &params, Activation::Relu)?])
        })
        .not_in_half(),
    ]
}

fn transposed() -> Vec<Case> {
    let conv = |variant: &str, x: [usize; 4], w: [usize; 4], params: ConvTranspose2dParams| {
        let outputs = w[1] * params.groups;
        Case::new("conv_transpose2d", variant, &[&x, &w, &[outputs]], move |t| {
            Ok(vec![conv_transpose2d(&t[0], &t[1], Some(&t[2]), &params)?])
        })
    };
    let params = |stride: Size, padding: Size, output_padding: Size, dilation: Size, groups: usize| {
        ConvTranspose2dParams { stride, padding, output_padding, dilation, groups }
    };
    vec![
        conv("3x3, stride 2", [2, 6, 5, 7], [6, 4, 3, 3], params((2, 2), (1, 1), (1, 1), (1, 1), 1)),
        conv("4x4, stride 2", [1, 4, 6, 5], [4, 3, 4, 4], params((2, 2), (1, 1), (0, 0), (1, 1), 1)),
        conv("groups, dilated", [2, 4, 5, 4], [4, 3, 2, 3], params((1, 2), (0, 1), (0, 1), (2, 1), 2)),
    ]
}

fn images() -> Vec<Case> {
    let pad = |variant: &str, mode: PadMode| {
        Case::new("pad2d", variant, &[&[2, 3, 5, 6]], move |x| {
            let sides = Pad { left: 2, right: 1, top: 3, bottom: 4 };
            Ok(vec![pad2d(&x[0], sides, mode)?])
        })
    };
    let overlapping = || Pool2dParams::new(3).stride(2).padding(1);
    vec![
        pad("zero", PadMode::Zero),
        pad("reflect", PadMode::Reflect),
        pad("replicate", PadMode::Replicate),
        Case::new("max_pool2d", "2x2", &[&[2, 3, 8, 7]], |x| {
            Ok(vec![max_pool2d(&x[0], &Pool2dParams::new(2))?])
        }),
        Case::new("max_pool2d", "overlapping", &[&[2, 3, 9, 7]], move |x| {
            Ok(vec![max_pool2d(&x[0], &overlapping())?])
        }),
        Case::new("avg_pool2d", "overlapping", &[&[2, 3, 9, 7]], move |x| {
            Ok(vec![avg_pool2d(&x[0], &overlapping())?])
        }),
        Case::new("avg_pool2d_exclude_pad", "", &[&[1, 3, 9, 7]], move |x| {
            Ok(vec![avg_pool2d_exclude_pad(&x[0], &overlapping())?])
        }),
        Case::new("l2_pool2d", "overlapping", &[&[2, 3, 9, 7]], move |x| {
            Ok(vec![l2_pool2d(&x[0], &overlapping())?])
        }),
        Case::new("upsample_nearest2d", "by 3", &[&[2, 3, 4, 5]], |x| {
            Ok(vec![upsample_nearest2d(&x[0], 3)?])
        }),
    ]
}
