//! gdl-conv against PyTorch, finite differences and its own composed operators.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Module, Result, Tensor, Var};
use gdl_conv::{
    Conv2d, Conv2dConfig, Conv2dParams, ConvTranspose2d, ConvTranspose2dConfig, ConvTranspose2dParams, Pad,
    PadMode, Pool2dParams, avg_pool2d, avg_pool2d_exclude_pad, conv_transpose2d, conv2d, l2_pool2d,
    max_pool2d, pad2d, reference, upsample_nearest2d,
};
use gdl_kernels::rng::Rng;
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, check_gradients, on_device};
use std::collections::HashMap;

type Args = [Tensor];

fn normal(rng: &mut Rng, shape: &[usize], dtype: DType) -> Tensor {
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_vec(values, shape, &DEV).unwrap().to_dtype(dtype).unwrap()
}

fn plain(stride: usize, padding: usize) -> Conv2dParams {
    Conv2dParams { stride: (stride, stride), padding: (padding, padding), ..Default::default() }
}

/// Output and gradients of a case of the fixture. Sums of at most some 300 f32 products of size 1: PyTorch's own
/// order of summation differs from ours by rounding of 300 * 6e-8 at worst, relative to the largest partial sums.
#[track_caller]
fn parity(fixture: &Fixture, name: &str, f: impl Fn(&Args) -> Result<Tensor>) {
    let key = |k: &str| format!("{name}.{k}");
    let vars: Vec<(&str, Var)> = [("x", "gx"), ("w", "gw"), ("b", "gb")]
        .into_iter()
        .filter(|(k, _)| fixture.contains(&key(k)))
        .map(|(k, g)| (g, Var::from_tensor(&fixture.get(&key(k))).unwrap()))
        .collect();
    let args: Vec<Tensor> = vars.iter().map(|(_, v)| v.as_tensor().clone()).collect();
    let y = f(&args).unwrap();
    let (atol, rtol) = (2e-5, 1e-5);
    assert_close(&y, &fixture.get(&key("y")), atol, rtol, &key("y"));
    let grads = (y * fixture.get(&key("gy"))).unwrap().sum_all().unwrap().backward().unwrap();
    for (g, var) in &vars {
        assert_close(grads.get(var).unwrap(), &fixture.get(&key(g)), atol, rtol, &key(g));
    }
}

#[test]
fn convolution_agrees_with_pytorch() {
    let fixture = Fixture::load("conv");
    let mixed = Conv2dParams { stride: (3, 2), padding: (1, 2), dilation: (2, 1), groups: 2 };
    let cases = [
        ("conv_3x3", plain(1, 1)),
        ("conv_7x8_s2", plain(2, 1)),
        ("conv_mixed", mixed),
        ("conv_4x4_s2", plain(2, 1)),
        ("conv_1x1", plain(1, 0)),
        ("conv_few_outputs", plain(1, 2)),
        ("conv_depthwise", Conv2dParams { groups: 6, ..plain(1, 1) }),
    ];
    for (name, params) in cases {
        parity(&fixture, name, |a| conv2d(&a[0], &a[1], a.get(2), &params));
        parity(&fixture, name, |a| reference::conv2d(&a[0], &a[1], a.get(2), &params));
    }
}

#[test]
fn transposed_convolution_agrees_with_pytorch() {
    let fixture = Fixture::load("conv");
    let plain = |stride, padding, output_padding| ConvTranspose2dParams {
        stride: (stride, stride),
        padding: (padding, padding),
        output_padding: (output_padding, output_padding),
        ..Default::default()
    };
    let mixed = ConvTranspose2dParams {
        stride: (3, 2),
        padding: (2, 1),
        output_padding: (2, 0),
        dilation: (1, 2),
        groups: 2,
    };
    let cases = [
        ("transposed_s2", plain(2, 1, 1)),
        ("transposed_4x4", plain(2, 1, 0)),
        ("transposed_s1", plain(1, 1, 0)),
        ("transposed_mixed", mixed),
    ];
    for (name, params) in cases {
        parity(&fixture, name, |a| conv_transpose2d(&a[0], &a[1], a.get(2), &params));
        parity(&fixture, name, |a| reference::conv_transpose2d(&a[0], &a[1], a.get(2), &params));
    }
}

#[test]
fn padding_pooling_and_up_sampling_agree_with_pytorch() {
    let fixture = Fixture::load("conv");
    let pad = Pad { left: 2, right: 1, top: 3, bottom: 0 };
    for (name, mode) in [
        ("pad_constant", PadMode::Zero),
        ("pad_reflect", PadMode::Reflect),
        ("pad_replicate", PadMode::Replicate),
    ] {
        parity(&fixture, name, |a| pad2d(&a[0], pad, mode));
        parity(&fixture, name, |a| reference::pad2d(&a[0], pad, mode));
    }
    let half = Pool2dParams::new(2);
    let overlapping = Pool2dParams::new(3).stride(2).padding(1);
    let oblong = Pool2dParams::new((3, 2)).stride((2, 1));
    parity(&fixture, "max_2x2", |a| max_pool2d(&a[0], &half));
    parity(&fixture, "max_2x2", |a| reference::max_pool2d(&a[0], &half));
    parity(&fixture, "max_ties", |a| max_pool2d(&a[0], &overlapping));
    parity(&fixture, "max_ties", |a| reference::max_pool2d(&a[0], &overlapping));
    parity(&fixture, "avg_2x2", |a| avg_pool2d(&a[0], &half));
    parity(&fixture, "avg_2x2", |a| reference::avg_pool2d(&a[0], &half));
    parity(&fixture, "avg_padded", |a| avg_pool2d(&a[0], &overlapping));
    parity(&fixture, "avg_exclude", |a| avg_pool2d_exclude_pad(&a[0], &overlapping));
    parity(&fixture, "l2_3x2", |a| l2_pool2d(&a[0], &oblong));
    parity(&fixture, "l2_3x2", |a| reference::l2_pool2d(&a[0], &oblong));
    for (name, scale) in [("up_2", 2), ("up_3", 3)] {
        parity(&fixture, name, |a| upsample_nearest2d(&a[0], scale));
        parity(&fixture, name, |a| reference::upsample_nearest2d(&a[0], scale));
    }
}

#[test]
fn a_layer_with_reflection_agrees_with_pytorch() {
    let config = Conv2dConfig::new(3, 4, 3).stride(2).padding(2).pad_mode(PadMode::Reflect);
    parity(&Fixture::load("conv"), "layer_reflect", |a| {
        let weights = HashMap::from([("weight".into(), a[1].clone()), ("bias".into(), a[2].clone())]);
        let vb = candle_nn::VarBuilder::from_tensors(weights, DType::F32, &DEV);
        Conv2d::new(&config, vb)?.forward(&a[0])
    });
}

#[test]
fn gradients_agree_with_finite_differences() {
    let rng = &mut Rng::seed(3);
    let mut args =
        |shapes: &[&[usize]]| -> Vec<Tensor> { shapes.iter().map(|s| normal(rng, s, DType::F64)).collect() };
    // Central differences of linear maps in f64 are exact but for rounding: 1e-16 / 1e-5, times sums of some ten.
    let (eps, tol) = (1e-5, 1e-8);
    let mixed = Conv2dParams { stride: (2, 1), padding: (1, 2), dilation: (1, 2), groups: 2 };
    let sets = [
        (plain(1, 1), args(&[&[2, 2, 4, 3], &[3, 2, 3, 3], &[3]])),
        (plain(2, 1), args(&[&[1, 2, 7, 8], &[2, 2, 3, 3], &[2]])),
        (mixed, args(&[&[2, 2, 5, 4], &[4, 1, 2, 3], &[4]])),
        (plain(1, 1), args(&[&[1, 5, 3, 4], &[1, 5, 3, 3], &[1]])),
    ];
    for (params, args) in &sets {
        check_gradients(|a| conv2d(&a[0], &a[1], Some(&a[2]), params), args, eps, tol);
        check_gradients(|a| reference::conv2d(&a[0], &a[1], Some(&a[2]), params), args, eps, tol);
    }
    let twice = ConvTranspose2dParams {
        stride: (2, 2),
        padding: (1, 1),
        output_padding: (1, 0),
        ..Default::default()
    };
    let grouped = ConvTranspose2dParams { dilation: (2, 1), groups: 2, ..Default::default() };
    let sets = [
        (twice, args(&[&[2, 2, 3, 4], &[2, 3, 3, 3], &[3]])),
        (grouped, args(&[&[1, 4, 3, 2], &[4, 1, 2, 3], &[2]])),
    ];
    for (params, args) in &sets {
        check_gradients(|a| conv_transpose2d(&a[0], &a[1], Some(&a[2]), params), args, eps, tol);
        check_gradients(|a| reference::conv_transpose2d(&a[0], &a[1], Some(&a[2]), params), args, eps, tol);
    }
    let x = args(&[&[2, 2, 5, 4]]);
    let pad = Pad { left: 1, right: 2, top: 3, bottom: 0 };
    for mode in [PadMode::Zero, PadMode::Reflect, PadMode::Replicate] {
        check_gradients(|a| pad2d(&a[0], pad, mode), &x, eps, tol);
    }
    let window = Pool2dParams::new(3).stride(2).padding(1);
    check_gradients(|a| max_pool2d(&a[0], &window), &x, eps, tol);
    check_gradients(|a| avg_pool2d(&a[0], &window), &x, eps, tol);
    check_gradients(|a| avg_pool2d_exclude_pad(&a[0], &window), &x, eps, tol);
    // Curved: the error of the difference is eps^2 times the third derivative.
    check_gradients(|a| l2_pool2d(&a[0], &window), &x, eps, 1e-7);
    check_gradients(|a| upsample_nearest2d(&a[0], 3), &x, eps, tol);
}

/// The same operator by kernel and composed: outputs and gradients for the same arguments, in f64. Views of the
/// arguments go in, so that layouts with gaps, other orders and offsets are met too.
#[track_caller]
fn compare(
    what: &str,
    rng: &mut Rng,
    shapes: &[Vec<usize>],
    kernel: impl Fn(&Args) -> Result<Tensor>,
    composed: impl Fn(&Args) -> Result<Tensor>,
) {
    let form = rng.below(3);
    // candle's own operations, of which the composition is made, take nothing empty on a GPU.
    if on_device() && shapes.iter().flatten().any(|&size| size == 0) {
        return;
    }
    let what = &format!("{what} on {shapes:?}, form {form}");
    let vars: Vec<Var> = shapes
        .iter()
        .map(|s| {
            let mut s = s.clone();
            match form {
                1 => s.reverse(),
                2 => s.iter_mut().for_each(|d| *d += 3),
                _ => {}
            }
            Var::from_tensor(&normal(rng, &s, DType::F64)).unwrap()
        })
        .collect();
    let views: Vec<Tensor> = vars
        .iter()
        .zip(shapes)
        .map(|(v, shape)| {
            let mut t = v.as_tensor().clone();
            match form {
                1 => t = t.permute((0..shape.len()).rev().collect::<Vec<_>>()).unwrap(),
                2 => {
                    for (axis, size) in shape.iter().enumerate() {
                        t = t.narrow(axis, 1 + axis % 2, *size).unwrap();
                    }
                }
                _ => {}
            }
            t
        })
        .collect();
    let got = kernel(&views).unwrap_or_else(|e| panic!("{what}: {e}"));
    let want = composed(&views).unwrap();
    // f64, sums of at most some thousand products of size 1.
    let tol = 1e-11;
    assert_close(&got, &want, tol, tol, what);
    let weights = normal(rng, got.dims(), DType::F64);
    let [got, want] = [got, want].map(|y| (y * &weights).unwrap().sum_all().unwrap().backward().unwrap());
    for (i, var) in vars.iter().enumerate() {
        let what = format!("{what}: gradient {i}");
        let [got, want] = [&got, &want].map(|g| g.get(var).unwrap_or_else(|| panic!("{what} is missing")));
        assert_close(got, want, tol, tol, &what);
    }
}

fn pair(rng: &mut Rng, low: usize, high: usize) -> (usize, usize) {
    let mut one = || low + rng.below(high - low + 1);
    (one(), one())
}

#[test]
fn convolution_kernels_agree_with_the_composition_on_drawn_shapes() {
    let rng = &mut Rng::seed(5);
    let mut done = 0;
    while done < 300 {
        let groups = 1 + rng.below(3);
        let params = Conv2dParams {
            stride: pair(rng, 1, 3),
            padding: pair(rng, 0, 3),
            dilation: pair(rng, 1, 2),
            groups,
        };
        let n = rng.below(5);
        let (c, o) = pair(rng, 1, 9);
        let ((h, w), (kh, kw)) = (pair(rng, 1, 13), pair(rng, 1, 5));
        let shapes = [vec![n, c * groups, h, w], vec![o * groups, c, kh, kw], vec![o * groups]];
        let shapes = &shapes[..2 + rng.below(2)];
        let zeros: Vec<_> =
            shapes.iter().map(|s| Tensor::zeros(s.as_slice(), DType::F64, &DEV).unwrap()).collect();
        if conv2d(&zeros[0], &zeros[1], None, &params).is_err() {
            continue; // the kernel is larger than the image
        }
        done += 1;
        compare(
            &format!("{params:?}"),
            rng,
            shapes,
            |a| conv2d(&a[0], &a[1], a.get(2), &params),
            |a| reference::conv2d(&a[0], &a[1], a.get(2), &params),
        );
    }
}

/// Several blocks of pixels, several chunks of channels, partial sums, and stride 1 with many more channels on one
/// side than on the other, where the kernels exchange the roles of input and output.
#[test]
fn kernels_agree_with_the_composition_on_larger_shapes() {
    let rng = &mut Rng::seed(11);
    let cases = [
        (1, 21, 35, (37, 29), 3, plain(1, 1)),
        (2, 24, 3, (23, 40), 7, plain(1, 3)),
        (2, 3, 24, (23, 40), 7, plain(1, 3)),
        (1, 40, 70, (5, 6), 4, plain(2, 1)),
        (1, 70, 75, (2, 2), 4, plain(2, 1)),
        (2, 66, 50, (21, 17), 1, plain(1, 0)),
        (1, 50, 66, (21, 17), 1, plain(2, 0)),
        (1, 20, 4, (15, 13), 3, Conv2dParams { groups: 2, dilation: (2, 1), ..plain(1, 3) }),
    ];
    for (n, c, o, (h, w), k, params) in cases {
        let shapes = [vec![n, c, h, w], vec![o, c / params.groups, k, k], vec![o]];
        compare(
            &format!("{params:?}"),
            rng,
            &shapes,
            |a| conv2d(&a[0], &a[1], Some(&a[2]), &params),
            |a| reference::conv2d(&a[0], &a[1], Some(&a[2]), &params),
        );
        let Conv2dParams { stride, padding, dilation, groups } = params;
        let params = ConvTranspose2dParams { stride, padding, dilation, groups, output_padding: (0, 0) };
        let shapes = [vec![n, c, h, w], vec![c, o / groups, k, k], vec![o]];
        compare(
            &format!("{params:?}"),
            rng,
            &shapes,
            |a| conv_transpose2d(&a[0], &a[1], Some(&a[2]), &params),
            |a| reference::conv_transpose2d(&a[0], &a[1], Some(&a[2]), &params),
        );
    }
}

#[test]
fn transposed_kernels_agree_with_the_composition_on_drawn_shapes() {
    let rng = &mut Rng::seed(6);
    let mut done = 0;
    while done < 300 {
        let groups = 1 + rng.below(3);
        let params = ConvTranspose2dParams {
            stride: pair(rng, 1, 3),
            padding: pair(rng, 0, 3),
            output_padding: pair(rng, 0, 1),
            dilation: pair(rng, 1, 2),
            groups,
        };
        let n = rng.below(5);
        let (c, o) = pair(rng, 1, 9);
        let ((h, w), (kh, kw)) = (pair(rng, 1, 9), pair(rng, 1, 5));
        let shapes = [vec![n, c * groups, h, w], vec![c * groups, o, kh, kw], vec![o * groups]];
        let shapes = &shapes[..2 + rng.below(2)];
        let zeros: Vec<_> =
            shapes.iter().map(|s| Tensor::zeros(s.as_slice(), DType::F64, &DEV).unwrap()).collect();
        if conv_transpose2d(&zeros[0], &zeros[1], None, &params).is_err() {
            continue;
        }
        done += 1;
        compare(
            &format!("{params:?}"),
            rng,
            shapes,
            |a| conv_transpose2d(&a[0], &a[1], a.get(2), &params),
            |a| reference::conv_transpose2d(&a[0], &a[1], a.get(2), &params),
        );
    }
}

#[test]
fn other_kernels_agree_with_the_composition_on_drawn_shapes() {
    let rng = &mut Rng::seed(7);
    for _ in 0..100 {
        let n = rng.below(5);
        let (c, scale) = pair(rng, 1, 4);
        let (h, w) = pair(rng, 1, 11);
        let shape = [vec![n, c, h, w]];
        for mode in [PadMode::Zero, PadMode::Reflect, PadMode::Replicate] {
            let ((left, right), (top, bottom)) = if mode == PadMode::Reflect {
                ((rng.below(w), rng.below(w)), (rng.below(h), rng.below(h)))
            } else {
                (pair(rng, 0, 12), pair(rng, 0, 12))
            };
            let pad = Pad { left, right, top, bottom };
            let what = format!("{pad:?} {mode:?}");
            compare(&what, rng, &shape, |a| pad2d(&a[0], pad, mode), |a| reference::pad2d(&a[0], pad, mode));
        }
        let kernel = pair(rng, 1, 4);
        let padding = (rng.below(kernel.0 / 2 + 1), rng.below(kernel.1 / 2 + 1));
        let p = Pool2dParams { kernel, stride: pair(rng, 1, 3), padding };
        if kernel.0 <= h && kernel.1 <= w {
            let what = format!("{p:?}");
            compare(&what, rng, &shape, |a| max_pool2d(&a[0], &p), |a| reference::max_pool2d(&a[0], &p));
            compare(&what, rng, &shape, |a| avg_pool2d(&a[0], &p), |a| reference::avg_pool2d(&a[0], &p));
            compare(&what, rng, &shape, |a| l2_pool2d(&a[0], &p), |a| reference::l2_pool2d(&a[0], &p));
        }
        compare(
            &format!("scale {scale}"),
            rng,
            &shape,
            |a| upsample_nearest2d(&a[0], scale),
            |a| reference::upsample_nearest2d(&a[0], scale),
        );
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let rng = &mut Rng::seed(8);
    // More than one block of pixels and more than one chunk of channels; the second takes the mirrored way.
    for (c, o, k, stride) in [(21, 35, 3, 1), (20, 3, 7, 1), (9, 17, 4, 2), (130, 150, 1, 1)] {
        let args = [
            normal(rng, &[2, c, 41, 37], DType::F32),
            normal(rng, &[o, c, k, k], DType::F32),
            normal(rng, &[o], DType::F32),
        ];
        let run = |threads| {
            let pool = rayon_pool(threads);
            pool.install(|| {
                let vars: Vec<Var> = args.iter().map(|a| Var::from_tensor(a).unwrap()).collect();
                let y = conv2d(&vars[0], &vars[1], Some(&vars[2]), &plain(stride, k / 2)).unwrap();
                let z = max_pool2d(&y, &Pool2dParams::new(3).stride(2)).unwrap();
                let grads = (z.sqr().unwrap()).sum_all().unwrap().backward().unwrap();
                let mut all = vec![y, z];
                all.extend(vars.iter().map(|v| grads.get(v).unwrap().clone()));
                all
            })
        };
        let want = run(1);
        for threads in [1, 2, 3] {
            for (i, (got, want)) in run(threads).iter().zip(&want).enumerate() {
                assert_bitwise(got, want, &format!("result {i} of {c} -> {o} with {threads} threads"));
            }
        }
    }
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn f32_kernels_are_as_accurate_as_f32_allows() {
    let rng = &mut Rng::seed(9);
    let (x, w) = (normal(rng, &[1, 64, 20, 20], DType::F64), normal(rng, &[48, 64, 3, 3], DType::F64));
    let exact = conv2d(&x, &w, None, &plain(1, 1)).unwrap();
    let [x, w] = [x, w].map(|t| t.to_dtype(DType::F32).unwrap());
    let got = conv2d(&x, &w, None, &plain(1, 1)).unwrap();
    // Sums of 576 products, standard deviation 24: random rounding of 6e-8 * 24 * sqrt(576) = 3e-5, twice that at 5 sigma.
    assert_close(&got, &exact, 1e-4, 1e-6, "f32 against f64");
}

#[test]
fn candles_defects_are_not_ours() {
    let ones = |shape: &[usize]| Var::ones(shape, DType::F32, &DEV).unwrap();
    // The gradient of a sum of maxima sums to the number of windows, also where windows tie or sizes are odd.
    let x = ones(&[1, 1, 4, 4]);
    let y = max_pool2d(&x, &Pool2dParams::new(2)).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(grads.get(&x).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 4.);

    // A second consumer of the up-sampled tensor keeps its gradient.
    let x = ones(&[1, 1, 2, 2]);
    let y = upsample_nearest2d(&x, 2).unwrap().sum_all().unwrap();
    for sum in [(y.clone() + x.sum_all().unwrap()).unwrap(), (x.sum_all().unwrap() + y).unwrap()] {
        let grads = sum.backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), [5.; 4]);
    }

    // 7x8 with stride 2.
    let (x, w) = (ones(&[1, 1, 7, 8]), ones(&[1, 1, 3, 3]));
    let grads = conv2d(&x, &w, None, &plain(2, 1)).unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(grads.get(&x).unwrap().dims(), [1, 1, 7, 8]);
}

#[test]
fn nobody_computes_a_gradient_that_nobody_asks_for() {
    let x = Var::ones((1, 2, 5, 5), DType::F32, &DEV).unwrap();
    let w = Tensor::ones((3, 2, 3, 3), DType::F32, &DEV).unwrap();
    let grads = conv2d(&x, &w, None, &plain(1, 1)).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some() && grads.get(&w).is_none());
    let (x, w) = (x.as_detached_tensor(), Var::from_tensor(&w).unwrap());
    let grads = conv2d(&x, &w, None, &plain(1, 1)).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_none() && grads.get(&w).is_some());
}

#[test]
fn an_empty_batch_gives_an_empty_output_and_zero_gradients() {
    type Case = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let cases: [(Case, [usize; 4]); 5] = [
        (|x, w| conv2d(x, w, None, &plain(2, 1)), [0, 2, 3, 3]),
        (|x, w| conv_transpose2d(x, w, None, &ConvTranspose2dParams::default()), [0, 2, 7, 7]),
        (|x, _| pad2d(x, Pad::same(1), PadMode::Reflect), [0, 2, 7, 7]),
        (|x, _| l2_pool2d(x, &Pool2dParams::new(2)), [0, 2, 2, 2]),
        (|x, _| upsample_nearest2d(x, 2), [0, 2, 10, 10]),
    ];
    for (f, dims) in cases {
        let x = Var::zeros((0, 2, 5, 5), DType::F32, &DEV).unwrap();
        let w = Var::ones((2, 2, 3, 3), DType::F32, &DEV).unwrap();
        let y = f(&x, &w).unwrap();
        assert_eq!(y.dims(), dims);
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().dims(), [0, 2, 5, 5]);
        if let Some(dw) = grads.get(&w) {
            assert_eq!(dw.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.);
        }
    }
}

#[test]
fn the_norm_of_nothing_has_a_finite_gradient() {
    for f in [l2_pool2d, reference::l2_pool2d] {
        let x = Var::zeros((1, 1, 2, 4), DType::F32, &DEV).unwrap();
        let grads = f(&x, &Pool2dParams::new(2)).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.; 8]);
    }
}

#[test]
fn the_maximum_of_a_window_with_nan_is_nan() {
    let x = Tensor::new(&[[[[1f32, f32::NAN, 2., 3.]]]], &DEV).unwrap();
    for f in [max_pool2d, reference::max_pool2d] {
        let y = f(&x, &Pool2dParams::new((1, 2))).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(y[0].is_nan() && y[1] == 3.);
    }
}

#[test]
fn half_precision_takes_the_composition() {
    let rng = &mut Rng::seed(10);
    let [x, w] = [&[1, 2, 5, 5], &[3, 2, 3, 3]].map(|s| normal(rng, s, DType::F32));
    let want = conv2d(&x, &w, None, &plain(1, 1)).unwrap();
    let [x, w] = [x, w].map(|t| t.to_dtype(DType::BF16).unwrap());
    let got = conv2d(&x, &w, None, &plain(1, 1)).unwrap();
    // Eight bits of mantissa, 18 products.
    assert_close(&got, &want, 0.1, 0.02, "bf16 against f32");
}

#[test]
fn layers_start_as_in_pytorch() {
    let bounds = |t: &Tensor| {
        let t = t.flatten_all().unwrap().abs().unwrap();
        t.max(0).unwrap().to_scalar::<f32>().unwrap()
    };
    let store = gdl_train::ParamStore::new(DType::F32, &DEV, 1);
    let layer = Conv2d::new(&Conv2dConfig::new(16, 32, (3, 5)).groups(2), store.vb().pp("a")).unwrap();
    assert_eq!(layer.weight().dims(), [32, 8, 3, 5]);
    let bound = 1. / (8f32 * 15.).sqrt();
    // 3,840 draws come within 1% of the bound, and do not pass it.
    assert!((0.99..=1.).contains(&(bounds(layer.weight()) / bound)));
    assert!(bounds(layer.bias().unwrap()) <= bound);
    let layer =
        ConvTranspose2d::new(&ConvTranspose2dConfig::new(16, 32, (3, 5)).groups(2), store.vb().pp("b"))
            .unwrap();
    assert_eq!(layer.weight().dims(), [16, 16, 3, 5]);
    // PyTorch counts the fan-in along the weight's second axis.
    let bound = 1. / (16f32 * 15.).sqrt();
    assert!((0.99..=1.).contains(&(bounds(layer.weight()) / bound)));
    let normal = gdl_kernels::init::normal(0., 0.02);
    let zero = gdl_kernels::init::uniform(0.);
    let layer =
        Conv2d::new_with_init(&Conv2dConfig::new(16, 32, 3), normal, zero, store.vb().pp("c")).unwrap();
    let std = layer.weight().sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    // 4,608 draws: the standard deviation is known to 1%; four times that.
    assert!((std / 0.02 - 1.).abs() < 0.04, "{std}");
    assert_eq!(bounds(layer.bias().unwrap()), 0.);
    assert!(store.vars().contains_key("c.weight") && store.vars().contains_key("c.bias"));
}

#[track_caller]
fn fails(result: Result<Tensor>, words: &[&str]) {
    let error = result.unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} does not mention {word:?}");
    }
}

#[test]
fn impossible_shapes_are_errors_that_name_the_numbers() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
    let (x, w) = (&zeros(&[1, 2, 4, 5]), &zeros(&[3, 2, 3, 3]));
    let conv = |x: &Tensor, w: &Tensor, p: Conv2dParams| conv2d(x, w, None, &p);
    fails(conv(x, &zeros(&[3, 2, 7, 3]), plain(1, 1)), &["conv2d", "7x3", "6x7"]);
    fails(conv(x, w, Conv2dParams { dilation: (2, 3), ..plain(1, 0) }), &["conv2d", "5x7", "4x5"]);
    fails(conv(x, w, plain(0, 0)), &["conv2d", "stride", "(0, 0)"]);
    fails(conv(x, w, Conv2dParams { dilation: (0, 1), ..plain(1, 0) }), &["conv2d", "dilation"]);
    fails(conv(x, w, Conv2dParams { groups: 2, ..plain(1, 0) }), &["conv2d", "2 channels", "2 groups"]);
    fails(conv(x, w, Conv2dParams { groups: 0, ..plain(1, 0) }), &["conv2d", "0 groups"]);
    fails(conv(&zeros(&[1, 3, 4, 5]), w, plain(1, 0)), &["conv2d", "3 channels", "[3, 2, 3, 3]"]);
    fails(conv(&zeros(&[2, 4, 5]), w, plain(1, 0)), &["conv2d", "input", "[2, 4, 5]"]);
    fails(conv(x, &zeros(&[3, 2, 3]), plain(1, 0)), &["conv2d", "weight", "[3, 2, 3]"]);
    fails(conv(&zeros(&[1, 2, 0, 5]), w, plain(1, 2)), &["conv2d", "0x5"]);
    fails(conv(x, &zeros(&[3, 2, 0, 3]), plain(1, 2)), &["conv2d", "0x3"]);
    fails(conv2d(x, w, Some(&zeros(&[2])), &plain(1, 0)), &["conv2d", "bias", "[3]", "[2]"]);
    fails(conv(x, &w.to_dtype(DType::F64).unwrap(), plain(1, 0)), &["dtype"]);

    let wt = &zeros(&[2, 3, 3, 3]);
    let transposed = |p: ConvTranspose2dParams| conv_transpose2d(x, wt, None, &p);
    let base = ConvTranspose2dParams::default;
    fails(
        transposed(ConvTranspose2dParams { output_padding: (0, 1), ..base() }),
        &["output padding", "(0, 1)"],
    );
    fails(
        transposed(ConvTranspose2dParams { padding: (3, 0), ..base() }),
        &["conv_transpose2d", "6x7", "(3, 0)"],
    );
    fails(transposed(ConvTranspose2dParams { stride: (0, 1), ..base() }), &["conv_transpose2d", "stride"]);
    fails(conv_transpose2d(x, w, None, &base()), &["conv_transpose2d", "2 channels", "[3, 2, 3, 3]"]);

    fails(pad2d(x, Pad { top: 4, ..Pad::default() }, PadMode::Reflect), &["pad2d", "top: 4", "4x5"]);
    fails(pad2d(&zeros(&[4, 5]), Pad::same(1), PadMode::Zero), &["pad2d", "[4, 5]"]);
    fails(max_pool2d(x, &Pool2dParams::new(5)), &["max_pool2d", "5x5", "4x5"]);
    fails(avg_pool2d(x, &Pool2dParams::new(2).padding(2)), &["avg_pool2d", "padding", "(2, 2)"]);
    fails(l2_pool2d(x, &Pool2dParams::new(2).stride(0)), &["l2_pool2d", "stride"]);
    fails(max_pool2d(x, &Pool2dParams::new(0)), &["max_pool2d", "0x0"]);
    fails(upsample_nearest2d(x, 0), &["upsample_nearest2d", "0"]);
}

#[test]
fn impossible_layers_are_errors() {
    let vb = || candle_nn::VarBuilder::zeros(DType::F32, &DEV);
    let error = |c: Conv2dConfig| Conv2d::new(&c, vb()).unwrap_err().to_string();
    assert!(error(Conv2dConfig::new(3, 4, 3).groups(2)).contains("3 -> 4 channels"));
    assert!(error(Conv2dConfig::new(3, 4, 3).groups(0)).contains("0 groups"));
    assert!(error(Conv2dConfig::new(0, 4, 3)).contains("must not be 0"));
    let c = ConvTranspose2dConfig::new(3, 4, 3).groups(2);
    assert!(ConvTranspose2d::new(&c, vb()).unwrap_err().to_string().contains("3 -> 4 channels"));
}
