//! Instance norm against PyTorch, against finite differences and against its own composed form.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Module, Result, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_instance_norm::{
    Definition, InstanceNorm2d, InstanceNormConfig, instance_norm, instance_norm_jvp, reference,
};
use gdl_kernels::{Activation, rng::SharedRng};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, check_gradients, max_abs_diff, on_device};

const DEFINITIONS: [(&str, Definition); 2] =
    [("torch", Definition::Torch), ("keras", Definition::KerasContrib)];
const ACTIVATIONS: [(&str, Activation); 4] = [
    ("identity", Activation::Identity),
    ("relu", Activation::Relu),
    ("leaky", Activation::LeakyRelu(0.2)),
    ("tanh", Activation::Tanh),
];

type View = fn(&Tensor) -> Result<Tensor>;
type Function = fn(&Tensor, Option<&Tensor>, Option<&Tensor>, f64, Definition, Activation) -> Result<Tensor>;

#[test]
fn parity_with_pytorch() {
    let fixture = Fixture::load("instance_norm");
    for (path, function) in [("kernel", instance_norm as Function), ("reference", reference::instance_norm)] {
        for (definition_name, definition) in DEFINITIONS {
            for affine in [false, true] {
                for (activation_name, activation) in ACTIVATIONS {
                    let kind = if affine { "affine" } else { "plain" };
                    let case = format!("{definition_name}.{kind}.{activation_name}");
                    let get = |name: &str| fixture.get(&format!("{case}.{name}"));
                    let x = Var::from_tensor(&get("x")).unwrap();
                    let params = affine.then(|| {
                        (Var::from_tensor(&get("weight")).unwrap(), Var::from_tensor(&get("bias")).unwrap())
                    });
                    let (weight, bias) = params.as_ref().map(|(w, b)| (w.as_tensor(), b.as_tensor())).unzip();
                    let y =
                        function(&x, weight, bias, definition.default_eps(), definition, activation).unwrap();
                    let grads = (&y * get("gy")).unwrap().sum_all().unwrap().backward().unwrap();

                    let what = |name: &str| format!("{path} {case} {name}");
                    // The kernel carries its sums in f64: what is left is the rounding of the last operations in f32, of
                    // results up to 8 and gradients up to 60. The reference has f32 sums besides: the mean of the channel
                    // at 3 with deviation 0.05 is off by 2e-7, 5e-6 of the deviation, and its gradient by 20 times that.
                    let by_kernel = path == "kernel" && !gdl_kernels::force_reference();
                    let [y_tol, dx_tol, param_tol] =
                        if by_kernel { [1e-6, 1e-5, 3e-6] } else { [1e-5, 4e-4, 1e-4] };
                    assert_close(&y, &get("y"), y_tol, 1e-6, &what("y"));
                    assert_close(grads.get(&x).unwrap(), &get("dx"), dx_tol, 1e-6, &what("dx"));
                    if let Some((w, b)) = &params {
                        assert_close(
                            grads.get(w).unwrap(),
                            &get("dweight"),
                            param_tol,
                            1e-6,
                            &what("dweight"),
                        );
                        assert_close(grads.get(b).unwrap(), &get("dbias"), param_tol, 1e-6, &what("dbias"));
                    }
                }
            }
        }
    }
}

#[test]
fn directional_derivative_has_pytorch_s_values_and_gradients() {
    let fixture = Fixture::load("instance_norm");
    for (name, definition) in DEFINITIONS {
        let get = |part: &str| fixture.get(&format!("jvp.{name}.{part}"));
        let [x, dx, weight, bias] =
            ["x", "dx", "weight", "bias"].map(|part| Var::from_tensor(&get(part)).unwrap());
        let (y, dy) =
            instance_norm_jvp(&x, &dx, Some(&weight), Some(&bias), definition.default_eps(), definition)
                .unwrap();
        let loss = ((&y * get("gy")).unwrap().sum_all().unwrap()
            + (&dy * get("gdy")).unwrap().sum_all().unwrap())
        .unwrap();
        let grads = loss.backward().unwrap();
        // Values of order 1, sums over 12 pixels: a few f32 roundings.
        assert_close(&y, &get("y"), 3e-6, 3e-6, "y");
        assert_close(&dy, &get("dy"), 3e-6, 3e-6, "dy");
        for (part, var) in [("x", &x), ("dx", &dx), ("weight", &weight), ("bias", &bias)] {
            let want = get(&format!("grad.{part}"));
            assert_close(grads.get(var).unwrap(), &want, 1e-5, 1e-5, &format!("{name}: gradient of {part}"));
        }
    }
}

fn drawn(rng: &SharedRng, shape: &[usize]) -> Tensor {
    rng.randn(shape, DType::F64, &DEV).unwrap()
}

#[test]
fn finite_differences() {
    let rng = SharedRng::seed(11);
    let inputs = [drawn(&rng, &[2, 2, 3, 4]), (drawn(&rng, &[2]) + 1.5).unwrap(), drawn(&rng, &[2])];
    for (_, definition) in DEFINITIONS {
        for (_, activation) in ACTIVATIONS {
            for function in [instance_norm as Function, reference::instance_norm] {
                // Central differences with 1e-6 in f64 are good to about 1e-9; no value lies that close to a kink.
                check_gradients(
                    |t| function(&t[0], Some(&t[1]), Some(&t[2]), 1e-3, definition, activation),
                    &inputs,
                    1e-6,
                    1e-7,
                );
                check_gradients(
                    |t| function(&t[0], None, None, 1e-3, definition, activation),
                    &inputs[..1],
                    1e-6,
                    1e-7,
                );
            }
        }
        let direction = drawn(&rng, &[2, 2, 3, 4]);
        let [x, weight, bias] = inputs.clone();
        check_gradients(
            |t| {
                instance_norm_jvp(&t[0], &t[1], Some(&t[2]), Some(&t[3]), 1e-3, definition).map(|both| both.1)
            },
            &[x, direction, weight, bias],
            1e-6,
            1e-7,
        );
    }
}

#[test]
fn the_direction_is_the_limit_of_differences() {
    let rng = SharedRng::seed(12);
    let (x, dx) = (drawn(&rng, &[2, 3, 4, 5]), drawn(&rng, &[2, 3, 4, 5]));
    for (_, definition) in DEFINITIONS {
        for activation in [Activation::Identity, Activation::LeakyRelu(0.2)] {
            let config = InstanceNormConfig { definition, activation, ..InstanceNormConfig::new(3) };
            let norm = InstanceNorm2d::new(&config, VarBuilder::zeros(DType::F64, &DEV)).unwrap();
            let (y, dy) = norm.forward_jvp(&x, &dx).unwrap();
            let step = (&dx * 1e-6).unwrap();
            let (hi, lo) = (norm.forward(&(&x + &step).unwrap()), norm.forward(&(&x - &step).unwrap()));
            let slope = ((hi.unwrap() - lo.unwrap()).unwrap() / 2e-6).unwrap();
            assert_close(&dy, &slope, 1e-8, 1e-8, "central differences in f64");
            assert_close(&y, &norm.forward(&x).unwrap(), 1e-12, 0.0, "the value");
        }
    }
}

/// y and the gradients of x, weight and bias of one path.
fn all(
    function: Function,
    x: &Tensor,
    view: impl Fn(&Tensor) -> Result<Tensor>,
    affine: Option<(&Tensor, &Tensor)>,
    definition: Definition,
    activation: Activation,
) -> Vec<Tensor> {
    let x = Var::from_tensor(x).unwrap();
    let affine = affine.map(|(w, b)| (Var::from_tensor(w).unwrap(), Var::from_tensor(b).unwrap()));
    let (weight, bias) = affine.as_ref().map(|(w, b)| (w.as_tensor(), b.as_tensor())).unzip();
    let input = view(&x).unwrap();
    let y = function(&input, weight, bias, 1e-3, definition, activation).unwrap();
    let weights: Vec<f64> = (0..y.elem_count()).map(|i| (i as f64 * 0.7).sin()).collect();
    let weights = Tensor::from_vec(weights, y.shape(), &DEV).unwrap().to_dtype(y.dtype()).unwrap();
    let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
    // candle forgets the graph of an empty batch.
    let dx = grads.get(&x).cloned().unwrap_or_else(|| x.zeros_like().unwrap());
    let mut result = vec![y, dx];
    if let Some((w, b)) = &affine {
        result.extend([w, b].map(|p| grads.get(p).cloned().unwrap_or_else(|| p.zeros_like().unwrap())));
    }
    result
}

#[test]
fn kernel_agrees_with_reference_over_drawn_shapes() {
    let rng = SharedRng::seed(13);
    let mut shapes: Vec<[usize; 4]> = vec![
        [0, 3, 4, 4],
        [2, 1, 1, 1],
        [1, 300, 1, 1],
        [1, 2, 1, 2],
        [3, 2, 1, 31],
        [1, 1, 33, 65], // more than one block of the sums
        [2, 5, 2, 2],
    ];
    for _ in 0..12 {
        let size = |n: usize| 1 + rng.with(|r| r.below(n));
        shapes.push([size(3), size(6), size(20), size(20)]);
    }
    // candle's own operations, of which the reference is made, take nothing empty on a GPU.
    for shape in shapes.into_iter().filter(|shape| !(on_device() && shape.contains(&0))) {
        let [n, c, h, w] = shape;
        for (_, definition) in DEFINITIONS {
            for (name, activation) in ACTIVATIONS {
                for affine in [false, true] {
                    let (weight, bias) = (drawn(&rng, &[c]), drawn(&rng, &[c]));
                    let affine = affine.then_some((&weight, &bias));
                    // The same numbers as a plain tensor, as a transposed one and as a window of a larger one.
                    let views: [(&[usize], View); 3] = [
                        (&[n, c, h, w], |x| Ok(x.clone())),
                        (&[n, w, h, c], |x| x.transpose(1, 3)),
                        (&[n, c + 1, h + 1, w + 2], |x| {
                            let [_, c, h, w] = *x.dims() else { unreachable!() };
                            x.narrow(1, 1, c - 1)?.narrow(2, 0, h - 1)?.narrow(3, 1, w - 2)
                        }),
                    ];
                    for (dims, view) in views {
                        let x = drawn(&rng, dims);
                        let got = all(instance_norm, &x, view, affine, definition, activation);
                        let want = all(reference::instance_norm, &x, view, affine, definition, activation);
                        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                            // Both in f64; a one-pixel plane divides by 1e-3 at worst.
                            let what = format!("{shape:?} {definition:?} {name} output {i}");
                            assert_close(got, want, 1e-10, 1e-10, &what);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn large_f32_planes_keep_their_precision() {
    if gdl_kernels::force_reference() {
        return; // the kernel's own promise
    }
    let rng = SharedRng::seed(14);
    // A bright, nearly flat channel: f32 sums over 40,000 pixels would lose the deviations.
    let x = (rng.randn((1, 2, 200, 201), DType::F64, &DEV).unwrap() * 0.01).unwrap();
    let x = (x + 100.0).unwrap().to_dtype(DType::F32).unwrap();
    let y = instance_norm(&x, None, None, 1e-5, Definition::Torch, Activation::Identity).unwrap();
    let wide = x.to_dtype(DType::F64).unwrap();
    let want =
        reference::instance_norm(&wide, None, None, 1e-5, Definition::Torch, Activation::Identity).unwrap();
    // Only the last operations round to f32: values up to 5.
    assert_close(&y, &want, 2e-6, 2e-7, "against f64");
}

#[test]
fn constant_planes_have_finite_gradients_in_both_definitions() {
    for (_, definition) in DEFINITIONS {
        for function in [instance_norm as Function, reference::instance_norm] {
            let x = Var::from_tensor(&Tensor::full(0.3f32, (1, 1, 3, 5), &DEV).unwrap()).unwrap();
            let y =
                function(&x, None, None, definition.default_eps(), definition, Activation::Identity).unwrap();
            // Rounding of the mean over eps at worst: 3e-8 / 1e-3.
            assert!(max_abs_diff(&y, &y.zeros_like().unwrap()) < 1e-4);
            let first = y.flatten_all().unwrap().get(0).unwrap();
            let grads = first.backward().unwrap();
            for g in grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap() {
                assert!(g.is_finite() && g.abs() <= 1000.0, "{definition:?}: {g}");
            }
        }
    }
}

#[test]
fn one_pixel_gives_the_bias() {
    let x = Tensor::new(&[[[[7f32]], [[-3.]]]], &DEV).unwrap();
    let weight = Tensor::new(&[2f32, 3.], &DEV).unwrap();
    let bias = Tensor::new(&[0.5f32, -0.5], &DEV).unwrap();
    for (_, definition) in DEFINITIONS {
        let y =
            instance_norm(&x, Some(&weight), Some(&bias), 1e-5, definition, Activation::Identity).unwrap();
        assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.5, -0.5]);
    }
}

#[test]
fn nan_is_not_hidden_by_the_activation() {
    let x = Tensor::new(&[[[[1f32, f32::NAN, 2.]]]], &DEV).unwrap();
    for activation in [Activation::Relu, Activation::LeakyRelu(0.2)] {
        let y = instance_norm(&x, None, None, 1e-5, Definition::Torch, activation).unwrap();
        assert!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|v| v.is_nan()));
    }
}

#[test]
fn half_precision_goes_through_f32() {
    let rng = SharedRng::seed(15);
    let x = (rng.randn((1, 2, 40, 40), DType::F32, &DEV).unwrap() * 300.0).unwrap();
    let half = x.to_dtype(DType::F16).unwrap();
    let y = instance_norm(&half, None, None, 1e-5, Definition::Torch, Activation::Relu).unwrap();
    assert_eq!(y.dtype(), DType::F16);
    let want = instance_norm(&x, None, None, 1e-5, Definition::Torch, Activation::Relu).unwrap();
    // f16 keeps 11 bits: 2^-11 of values up to 4, twice.
    assert_close(&y, &want, 1e-3, 2e-3, "against f32");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let rng = SharedRng::seed(16);
    let x = rng.randn((2, 24, 37, 41), DType::F32, &DEV).unwrap();
    let (weight, bias) = (rng.randn(24, DType::F32, &DEV).unwrap(), rng.randn(24, DType::F32, &DEV).unwrap());
    let with = |threads: usize| {
        let pool = rayon_pool(threads);
        pool.install(|| {
            all(
                instance_norm,
                &x,
                |x| Ok(x.clone()),
                Some((&weight, &bias)),
                Definition::Torch,
                Activation::LeakyRelu(0.2),
            )
        })
    };
    for (one, five) in with(1).iter().zip(&with(5)) {
        assert_bitwise(five, one, "five threads against one");
    }
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn layer_has_pytorch_s_parameters_and_says_what_is_wrong() {
    let store = gdl_train::ParamStore::new(DType::F32, &DEV, 1);
    let norm =
        InstanceNorm2d::new(&InstanceNormConfig::keras_contrib(3, true), store.vb().pp("norm")).unwrap();
    let vars = store.vars();
    assert_eq!(vars.keys().collect::<Vec<_>>(), ["norm.bias", "norm.weight"]);
    assert_eq!(vars["norm.weight"].to_vec1::<f32>().unwrap(), [1.0; 3]);
    assert_eq!(vars["norm.bias"].to_vec1::<f32>().unwrap(), [0.0; 3]);
    let error = |shape: &[usize]| {
        norm.forward(&Tensor::zeros(shape, DType::F32, &DEV).unwrap()).unwrap_err().to_string()
    };
    assert!(error(&[1, 2, 4, 4]).contains("(N, 3, H, W), got [1, 2, 4, 4]"), "{}", error(&[1, 2, 4, 4]));
    assert!(error(&[3, 4, 4]).contains("[3, 4, 4]"));
    assert!(error(&[1, 3, 0, 4]).contains("at least 1x1"));
    assert_eq!(
        norm.forward(&Tensor::zeros((0, 3, 4, 4), DType::F32, &DEV).unwrap()).unwrap().dims(),
        [0, 3, 4, 4]
    );
    assert!(InstanceNorm2d::new(&InstanceNormConfig::new(0), store.vb()).is_err());
    assert!(InstanceNorm2d::new(&InstanceNormConfig::new(3).eps(-1.0), store.vb()).is_err());
}
