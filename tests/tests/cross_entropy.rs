//! Cross-entropy, alone and fused with the linear layer before it, and the linear layer and embedding themselves.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Module, Result, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{
    CrossEntropy, Embedding, EmbeddingConfig, Linear, cross_entropy, linear, linear_cross_entropy,
    token_losses,
};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, check_gradients, on_device};
use std::collections::HashMap;

fn layer(weight: &Tensor, bias: &Tensor) -> Linear {
    let (outputs, inputs) = weight.dims2().unwrap();
    let tensors = HashMap::from([("weight".into(), weight.clone()), ("bias".into(), bias.clone())]);
    linear(inputs, outputs, VarBuilder::from_tensors(tensors, weight.dtype(), &DEV)).unwrap()
}

#[test]
fn agrees_with_pytorch() {
    let fixture = Fixture::load("rnn_options");
    for (name, ignore_index, label_smoothing) in
        [("ce", None, 0.), ("ce_ignore", Some(0), 0.), ("ce_smooth", None, 0.1), ("ce_both", Some(3), 0.3)]
    {
        // f64: a few sums of 12 terms; f32: the same at 6e-8.
        for (dtype, tol) in [(DType::F64, 1e-14), (DType::F32, 1e-6)] {
            let get = |key: &str| fixture.get(&format!("{name}.{key}"));
            let var = |key: &str| Var::from_tensor(&get(key).to_dtype(dtype).unwrap()).unwrap();
            let config = CrossEntropy { ignore_index, label_smoothing };
            let (x, w, b, logits) = (var("x"), var("weight"), var("bias"), var("logits"));
            let loss = cross_entropy(&logits, &get("targets"), &config).unwrap();
            assert_close(&loss, &get("loss"), tol, tol, &format!("{name} {dtype:?}"));
            let grads = loss.backward().unwrap();
            assert_close(grads.get(&logits).unwrap(), &get("grad.logits"), tol, tol, name);

            // One by one: their mean over those that count, and its gradient.
            let losses = token_losses(&logits, &get("targets"), &config).unwrap();
            assert_eq!(losses.dims(), get("targets").dims());
            let targets = get("targets").flatten_all().unwrap().to_dtype(DType::U32).unwrap();
            let ignored = |id: &u32| Some(*id) == ignore_index;
            let count = targets.to_vec1::<u32>().unwrap().iter().filter(|id| !ignored(id)).count();
            let mean = (losses.sum_all().unwrap() / count as f64).unwrap();
            assert_close(&mean, &get("loss"), tol, tol, &format!("{name} one by one {dtype:?}"));
            let grads = mean.backward().unwrap();
            assert_close(grads.get(&logits).unwrap(), &get("grad.logits"), tol, tol, name);

            let loss = linear_cross_entropy(&x, &layer(&w, &b), &get("targets"), &config).unwrap();
            assert_close(&loss, &get("loss"), tol, tol, &format!("{name} fused {dtype:?}"));
            // Twice: the gradients computed on the way are kept, and scaled by what comes from above.
            for scale in [1., 2.] {
                let grads = (&loss * scale).unwrap().backward().unwrap();
                for (key, var) in [("grad.x", &x), ("grad.weight", &w), ("grad.bias", &b)] {
                    let want = (get(key) * scale).unwrap();
                    assert_close(grads.get(var).unwrap(), &want, 2. * tol, tol, &format!("{name} {key}"));
                }
            }
        }
    }
}

#[test]
fn gradients_are_slopes() {
    let rng = SharedRng::seed(5);
    let targets = Tensor::new(&[2u32, 0, 4, 1], &DEV).unwrap();
    let inputs = [&[4, 3][..], &[5, 3], &[5]].map(|shape| rng.randn(shape, DType::F64, &DEV).unwrap());
    for config in [
        CrossEntropy::default(),
        CrossEntropy { ignore_index: Some(4), label_smoothing: 0. },
        CrossEntropy { ignore_index: Some(0), label_smoothing: 0.2 },
    ] {
        // Central differences: eps^2 of curvature and 1e-16 / eps of rounding, both near 1e-10.
        let f = |v: &[Tensor]| linear_cross_entropy(&v[0], &layer(&v[1], &v[2]), &targets, &config);
        check_gradients(f, &inputs, 1e-5, 1e-9);
        let f = |v: &[Tensor]| cross_entropy(&layer(&v[1], &v[2]).forward(&v[0])?, &targets, &config);
        check_gradients(f, &inputs, 1e-5, 1e-9);
        let f = |v: &[Tensor]| token_losses(&layer(&v[1], &v[2]).forward(&v[0])?, &targets, &config);
        check_gradients(f, &inputs, 1e-5, 1e-9);
    }
}

/// A vocabulary of 50,000: several pieces of logits, the last one short.
#[test]
fn a_large_vocabulary_comes_in_pieces() {
    let rng = SharedRng::seed(5);
    let (rows, size, vocab) = (190, 5, 50_000);
    let draw = |shape: &[usize]| rng.randn(shape, DType::F32, &DEV).unwrap();
    let [x, w, b] = [draw(&[rows, size]), draw(&[vocab, size]), draw(&[vocab])];
    let targets = rng.with(|rng| (0..rows).map(|_| rng.below(vocab) as u32).collect::<Vec<_>>());
    let targets = Tensor::from_vec(targets, rows, &DEV).unwrap();
    let config = CrossEntropy { ignore_index: Some(7), label_smoothing: 0.1 };
    let run = |fused: bool, threads: usize| -> Vec<Tensor> {
        let vars = [&x, &w, &b].map(|t| Var::from_tensor(t).unwrap());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let loss = |layer: &Linear, x: &Tensor| -> Result<Tensor> {
            match fused {
                true => linear_cross_entropy(x, layer, &targets, &config),
                false => cross_entropy(&layer.forward(x)?, &targets, &config),
            }
        };
        pool.install(|| {
            let loss = loss(&layer(&vars[1], &vars[2]), &vars[0]).unwrap();
            let grads = loss.backward().unwrap();
            let grads = vars.each_ref().map(|v| grads.get(v).unwrap().clone());
            [vec![loss], grads.to_vec()].concat()
        })
    };
    let (fused, whole) = (run(true, 2), run(false, 2));
    for (k, (got, want)) in fused.iter().zip(&whole).enumerate() {
        // Gradients below 1/190, sums of up to 190 or 50,000 terms at 6e-8 of their size; a loss near 15.
        assert_close(got, want, 1e-7, 1e-5, &format!("{k}"));
    }
    for (got, want) in run(true, 3).iter().zip(&fused) {
        assert_bitwise(got, want, "3 threads");
    }
}

#[test]
fn only_what_is_wanted_gets_a_gradient() {
    let rng = SharedRng::seed(5);
    let draw = |shape: &[usize]| rng.randn(shape, DType::F32, &DEV).unwrap();
    let (x, w, b) = (Var::from_tensor(&draw(&[4, 3])).unwrap(), draw(&[5, 3]), draw(&[5]));
    let targets = Tensor::new(&[2u32, 0, 4, 1], &DEV).unwrap();
    let frozen = layer(&w, &b);
    let fused = linear_cross_entropy(&x, &frozen, &targets, &CrossEntropy::default()).unwrap();
    let apart = cross_entropy(&frozen.forward(&x).unwrap(), &targets, &CrossEntropy::default()).unwrap();
    let [fused, apart] = [fused, apart].map(|loss| loss.backward().unwrap());
    assert!(fused.get(&w).is_none() && apart.get(&w).is_none());
    // Sums of five terms, in another order.
    assert_close(fused.get(&x).unwrap(), apart.get(&x).unwrap(), 1e-7, 1e-6, "x");
}

#[test]
fn embeddings_add_up_like_candle_s() {
    let rng = SharedRng::seed(5);
    let table = Var::from_tensor(&rng.randn((300, 100), DType::F32, &DEV).unwrap()).unwrap();
    let ids = rng.with(|rng| (0..1000).map(|_| rng.below(300) as u32).collect::<Vec<_>>());
    let ids = Tensor::from_vec(ids, (10, 100), &DEV).unwrap();
    let weigh = rng.randn((10, 100, 100), DType::F32, &DEV).unwrap();
    let tensors = HashMap::from([("weight".into(), table.as_tensor().clone())]);
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &DEV);
    let embedding = Embedding::new(&EmbeddingConfig::new(300, 100), vb).unwrap();
    let ours = embedding.forward(&ids).unwrap();
    let theirs = table.index_select(&ids.flatten_all().unwrap(), 0).unwrap().reshape((10, 100, 100)).unwrap();
    assert_bitwise(&ours, &theirs, "rows");
    let grad = |y: Tensor| {
        let grads = (y * &weigh).unwrap().sum_all().unwrap().backward().unwrap();
        grads.get(&table).unwrap().clone()
    };
    // Both add the rows of a token in their order.
    assert_bitwise(&grad(ours), &grad(theirs), "gradient");
    // A GPU would have to be waited for; there such rows are NaN.
    for ids in [Tensor::new(&[300u32], &DEV).unwrap(), Tensor::new(&[-1i64], &DEV).unwrap()] {
        assert!(on_device() || embedding.forward(&ids).is_err());
    }
}

#[test]
fn errors_say_what_was_expected() {
    let logits = Tensor::zeros((2, 3, 5), DType::F32, &DEV).unwrap();
    let ids = |values: [[u32; 3]; 2]| Tensor::new(&values, &DEV).unwrap();
    let fine = ids([[0, 1, 2], [3, 4, 0]]);
    let message = |targets: &Tensor, config: &CrossEntropy| {
        cross_entropy(&logits, targets, config).unwrap_err().to_string()
    };
    let config = CrossEntropy::default();
    assert!(message(&fine.flatten_all().unwrap(), &config).contains("[2, 3]"));
    if !on_device() {
        // A GPU would have to be waited for; there the loss is NaN.
        assert!(message(&ids([[0, 1, 2], [3, 5, 0]]), &config).contains("below the 5 logits, got 5"));
        let ignoring = CrossEntropy { ignore_index: Some(0), ..config };
        assert!(message(&ids([[0; 3]; 2]), &ignoring).contains("every target"));
    }
    assert!(message(&fine, &CrossEntropy { label_smoothing: 1.5, ..config }).contains("label_smoothing"));
    let head = layer(&logits.get(0).unwrap(), &Tensor::zeros(3, DType::F32, &DEV).unwrap());
    let x = Tensor::zeros((2, 3, 4), DType::F32, &DEV).unwrap();
    let error = linear_cross_entropy(&x, &head, &fine, &config).unwrap_err().to_string();
    assert!(error.contains("(..., 5)"), "{error}");
    assert!(head.forward(&x).unwrap_err().to_string().contains("(..., 5)"));
}
