use crate::on_device;
use candle_core::{DType, Tensor};

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts `|got - want| <= atol + rtol * |want|` for every element, and that the shapes agree.
///
/// NaN never passes. The message names the worst element. On a device ([`DEV`](crate::DEV)), where sums come in another order and
/// convolutions by other ways, 1e-4 of the largest number passes too (in f64 1e-9), as in gdl-check.
#[track_caller]
pub fn assert_close(got: &Tensor, want: &Tensor, atol: f64, rtol: f64, what: &str) {
    assert_eq!(got.dims(), want.dims(), "{what}: shapes differ");
    let bound = if got.dtype() == DType::F64 && want.dtype() == DType::F64 { 1e-9 } else { 1e-4 };
    let (got, want) = (values(got), values(want));
    let largest = want.iter().fold(0f64, |most, w| most.max(w.abs()));
    let slack = if on_device() { bound * largest } else { 0.0 };
    let mut worst = (0usize, 0f64);
    for (i, (&g, &w)) in got.iter().zip(&want).enumerate() {
        let excess = (g - w).abs() - (atol + rtol * w.abs()).max(slack);
        assert!(!excess.is_nan(), "{what}: element {i} is {g}, expected {w}");
        if excess > worst.1 {
            worst = (i, excess);
        }
    }
    assert!(
        worst.1 == 0.0,
        "{what}: element {} is {}, expected {} (atol {atol}, rtol {rtol})",
        worst.0,
        got[worst.0],
        want[worst.0]
    );
}

/// Asserts that two tensors hold the same bits (as f64, which every narrower float maps into exactly); on a device, whose sums may
/// come in another order each time, that they are close.
#[track_caller]
pub fn assert_bitwise(got: &Tensor, want: &Tensor, what: &str) {
    assert_eq!(got.dims(), want.dims(), "{what}: shapes differ");
    if on_device() {
        return assert_close(got, want, 0.0, 0.0, what);
    }
    for (i, (g, w)) in values(got).iter().zip(&values(want)).enumerate() {
        assert_eq!(g.to_bits(), w.to_bits(), "{what}: element {i} is {g}, expected exactly {w}");
    }
}

/// The largest absolute difference between two tensors of one shape.
#[track_caller]
pub fn max_abs_diff(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims(), "shapes differ");
    values(a).iter().zip(&values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
