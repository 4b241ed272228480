//! The scores of additive attention: the kernel against the composed operator and against finite differences.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{additive_scores, reference};
use gdl_tests::{DEV, assert_close, check_gradients};

#[test]
fn the_kernel_agrees_with_the_composed_operator() {
    let rng = SharedRng::seed(3);
    for (n, t, s, h) in [(1, 1, 1, 1), (2, 3, 5, 7), (3, 1, 17, 33), (2, 9, 1, 64)] {
        // Sums of up to 64 products of numbers near 1; f32 has 6e-8 for each, and tanh 4 units of the last place.
        for (dtype, tol) in [(DType::F64, 1e-13), (DType::F32, 2e-5)] {
            let var = |shape: &[usize]| Var::from_tensor(&rng.randn(shape, dtype, &DEV).unwrap()).unwrap();
            let vars = [var(&[n, t, h]), var(&[n, s, h]), var(&[h])];
            let weights = rng.randn((n, t, s), dtype, &DEV).unwrap();
            let grads = |scores: Tensor| (scores * &weights).unwrap().sum_all().unwrap().backward().unwrap();
            let got = additive_scores(&vars[0], &vars[1], &vars[2]).unwrap();
            let want = reference::additive_scores(&vars[0], &vars[1], &vars[2]).unwrap();
            assert_close(&got, &want, tol, tol, "scores");
            let (got, want) = (grads(got), grads(want));
            for (k, var) in vars.iter().enumerate() {
                assert_close(
                    got.get(var).unwrap(),
                    want.get(var).unwrap(),
                    tol,
                    tol,
                    &format!("gradient {k}"),
                );
            }
        }
    }
}

#[test]
fn gradients_are_slopes() {
    let rng = SharedRng::seed(4);
    let inputs = [&[2, 3, 4][..], &[2, 2, 4], &[4]].map(|shape| rng.randn(shape, DType::F64, &DEV).unwrap());
    // Central differences: eps^2 of curvature and 1e-16 / eps of rounding, both near 1e-10.
    check_gradients(|v| additive_scores(&v[0], &v[1], &v[2]), &inputs, 1e-5, 1e-9);
}

#[test]
fn views_are_read_as_they_are() {
    let rng = SharedRng::seed(5);
    let draw = |shape: &[usize]| rng.randn(shape, DType::F64, &DEV).unwrap();
    let (queries, keys, v) = (draw(&[4, 3, 2]), draw(&[2, 6, 4]), draw(&[4]));
    let (queries, keys) = (queries.t().unwrap().narrow(0, 1, 2).unwrap(), keys.narrow(1, 2, 3).unwrap());
    let got = additive_scores(
        &queries.t().unwrap().t().unwrap(),
        &keys.narrow(2, 0, 3).unwrap(),
        &v.narrow(0, 1, 3).unwrap(),
    );
    let want =
        reference::additive_scores(&queries, &keys.narrow(2, 0, 3).unwrap(), &v.narrow(0, 1, 3).unwrap());
    assert_close(&got.unwrap(), &want.unwrap(), 1e-13, 0., "views");
}

#[test]
fn wrong_shapes_are_named() {
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &DEV).unwrap();
    for (q, k, v) in [([2, 3, 4], [1, 3, 4], 4), ([2, 3, 4], [2, 3, 5], 4), ([2, 3, 4], [2, 3, 4], 3)] {
        let error = additive_scores(&ones(&q), &ones(&k), &ones(&[v])).unwrap_err().to_string();
        assert!(error.contains("expected queries (N, T, H)"), "{error}");
    }
}
