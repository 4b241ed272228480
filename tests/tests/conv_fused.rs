//! Operators in one against the same one after the other, and gradients added up in place against candle's store.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Module, Result, Tensor, Var};
use gdl_conv::{
    Conv2dParams, ConvTranspose2dParams, Pool2dParams, conv_transpose2d, conv2d, conv2d_activated,
    conv2d_pooled, max_pool2d, reference,
};
use gdl_kernels::rng::Rng;
use gdl_kernels::{Activation, Gradients};
use gdl_tests::{DEV, assert_bitwise, assert_close, check_gradients};
use gdl_vgg::gram_matrix;

fn normal(rng: &mut Rng, shape: &[usize], dtype: DType) -> Tensor {
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_vec(values, shape, &DEV).unwrap().to_dtype(dtype).unwrap()
}

/// The result and the gradients of all inputs.
fn run(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Var]) -> Vec<Tensor> {
    let args: Vec<Tensor> = inputs.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&args).unwrap();
    let weights = normal(&mut Rng::seed(9), y.dims(), y.dtype());
    let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let mut all = vec![y];
    all.extend(inputs.iter().map(|v| grads.get(v).unwrap().clone()));
    all
}

const ACTIVATIONS: [Activation; 4] =
    [Activation::Identity, Activation::Relu, Activation::LeakyRelu(0.2), Activation::Tanh];

/// Shapes (x, w), padding, stride: of the plain sums, of Winograd's, with odd sizes and of a single window.
const SHAPES: [([usize; 4], [usize; 4], usize, usize); 5] = [
    ([2, 3, 7, 8], [5, 3, 3, 3], 1, 1),
    ([1, 16, 25, 30], [17, 16, 3, 3], 1, 1),
    ([1, 2, 11, 9], [4, 2, 4, 4], 1, 2),
    ([1, 20, 6, 5], [3, 20, 1, 1], 0, 1),
    ([3, 1, 4, 4], [2, 1, 3, 3], 0, 1),
];

#[test]
fn an_activation_in_the_same_pass_changes_nothing() {
    let rng = &mut Rng::seed(3);
    for dtype in [DType::F32, DType::F64] {
        for (x, w, padding, stride) in SHAPES {
            let params =
                Conv2dParams { padding: (padding, padding), stride: (stride, stride), ..Default::default() };
            let inputs = [normal(rng, &x, dtype), normal(rng, &w, dtype), normal(rng, &w[..1], dtype)]
                .map(|t| Var::from_tensor(&t).unwrap());
            for act in ACTIVATIONS {
                let together = run(|a| conv2d_activated(&a[0], &a[1], Some(&a[2]), &params, act), &inputs);
                let apart = run(|a| act.forward(&conv2d(&a[0], &a[1], Some(&a[2]), &params)?), &inputs);
                for (got, want) in together.iter().zip(&apart) {
                    // The same sums in the same order.
                    assert_bitwise(got, want, &format!("{act:?} {x:?} {w:?} {dtype:?}"));
                }
                // Without a bias, and with weights that nobody trains: the gradient takes another way.
                let x = &inputs[..1];
                let w = inputs[1].as_detached_tensor();
                let frozen = run(|a| conv2d_activated(&a[0], &w, None, &params, act), x);
                let want = run(|a| act.forward(&conv2d(&a[0], &w, None, &params)?), x);
                for (got, want) in frozen.iter().zip(&want) {
                    assert_bitwise(got, want, &format!("frozen {act:?} {w:?} {dtype:?}"));
                }
            }
        }
    }
}

#[test]
fn a_maximum_in_the_same_pass_changes_nothing() {
    let rng = &mut Rng::seed(4);
    for dtype in [DType::F32, DType::F64] {
        for (x, w, padding, stride) in SHAPES {
            let params =
                Conv2dParams { padding: (padding, padding), stride: (stride, stride), ..Default::default() };
            let inputs = [normal(rng, &x, dtype), normal(rng, &w, dtype), normal(rng, &w[..1], dtype)]
                .map(|t| Var::from_tensor(&t).unwrap());
            for act in ACTIVATIONS {
                let together = run(|a| conv2d_pooled(&a[0], &a[1], Some(&a[2]), &params, act), &inputs);
                let composed = |a: &[Tensor]| {
                    let y = act.forward(&reference::conv2d(&a[0], &a[1], Some(&a[2]), &params)?)?;
                    reference::max_pool2d(&y, &Pool2dParams::new(2))
                };
                let want = run(composed, &inputs);
                // f32: sums of at most 180 products of size 1, and Winograd's rounding, some 1e-6 of sums of size 12.
                let (atol, rtol) = if dtype == DType::F32 { (2e-4, 1e-4) } else { (1e-11, 1e-11) };
                for (got, want) in together.iter().zip(&want) {
                    assert_close(got, want, atol, rtol, &format!("{act:?} {x:?} {w:?} {dtype:?}"));
                }
            }
        }
    }
    let (x, w) = (normal(rng, &[1, 2, 3, 3], DType::F32), normal(rng, &[2, 2, 3, 3], DType::F32));
    let bias = Tensor::zeros(2, DType::F32, &DEV).unwrap();
    let small = conv2d_pooled(&x, &w, Some(&bias), &Conv2dParams::default(), Activation::Relu);
    assert!(small.is_err(), "one pixel cannot be halved");
}

#[test]
fn the_halving_maximum_takes_the_first_of_equals_and_keeps_nan() {
    let values = [[1f32, 1., 5., 2.], [1., 0., 5., f32::NAN]];
    let x = Var::new(&[[values]], &DEV).unwrap();
    let y = max_pool2d(&x, &Pool2dParams::new(2)).unwrap();
    assert_eq!(
        y.get(0).unwrap().get(0).unwrap().get(0).unwrap().get(0).unwrap().to_scalar::<f32>().unwrap(),
        1.0
    );
    assert!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap()[1].is_nan());
    let grads = y.sum_all().unwrap().backward().unwrap();
    let got: Vec<f32> = grads.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(got, [1., 0., 0., 0., 0., 0., 0., 1.]);
}

#[test]
fn gram_gradients_are_those_of_finite_differences() {
    let rng = &mut Rng::seed(5);
    let f = normal(rng, &[2, 3, 4, 5], DType::F64);
    check_gradients(|a| gram_matrix(&a[0]), std::slice::from_ref(&f), 1e-5, 1e-7);
    for (shape, dtype, tolerance) in [
        ([1, 5, 3, 7], DType::F64, 1e-13),
        // More than one stretch of positions: f32 sums of 70,000 products of size 1, over 350,000.
        ([1, 5, 200, 350], DType::F32, 1e-6),
    ] {
        let x = [Var::from_tensor(&normal(rng, &shape, dtype)).unwrap()];
        let (got, want) =
            (run(|a| gram_matrix(&a[0]), &x), run(|a| gdl_vgg::reference::gram_matrix(&a[0]), &x));
        for (got, want) in got.iter().zip(&want) {
            assert_close(got, want, tolerance, tolerance, "gram matrix");
        }
    }
}

/// A small image under many weights (which wait), a large one under few (which do not), one weight twice, a transposed
/// convolution, and a variable that only candle's own operators meet.
#[test]
fn gradients_added_up_in_place_are_candle_s() {
    let rng = &mut Rng::seed(6);
    let mut var = |shape: &[usize]| Var::from_tensor(&normal(rng, shape, DType::F64)).unwrap();
    let (many, few, up, scale) = (var(&[24, 24, 4, 4]), var(&[2, 24, 3, 3]), var(&[2, 3, 4, 4]), var(&[1]));
    let images: Vec<Tensor> = (0..3).map(|_| normal(rng, &[1, 24, 6, 6], DType::F64)).collect();
    let params =
        |stride: usize| Conv2dParams { stride: (stride, stride), padding: (1, 1), ..Default::default() };
    let doubled = ConvTranspose2dParams { stride: (2, 2), padding: (1, 1), ..Default::default() };
    let loss = |x: &Tensor, twice: bool| -> Result<Tensor> {
        let mut y = conv2d(x, &many, None, &params(2))?;
        if twice {
            y = conv2d(&y.pad_with_zeros(2, 1, 2)?.pad_with_zeros(3, 1, 2)?, &many, None, &params(2))?;
        }
        let y = conv_transpose2d(&conv2d(&y, &few, None, &params(1))?, &up, None, &doubled)?;
        y.broadcast_mul(&scale)?.sqr()?.mean_all()
    };
    let vars = [&many, &few, &up, &scale];
    let mut ours = Gradients::default();
    let mut theirs: Option<candle_core::backprop::GradStore> = None;
    for (i, image) in images.iter().enumerate() {
        let loss = loss(image, i == 1).unwrap();
        ours.backward(&loss).unwrap();
        let store = loss.backward().unwrap();
        match &mut theirs {
            None => theirs = Some(store),
            Some(all) => all.extend(store).unwrap(),
        }
    }
    let theirs = theirs.unwrap();
    for var in vars {
        let (got, want) = (ours.take(var).unwrap().unwrap(), theirs.get(var).unwrap());
        // The same f64 sums in another order; the gradients are of size up to 1e5.
        assert_close(&got, want, 1e-8, 1e-11, &format!("{:?}", var.dims()));
        assert!(ours.take(var).unwrap().is_none(), "taken once");
    }
}
