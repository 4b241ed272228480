use crate::DEV;
use candle_core::{DType, Result, Tensor, Var};

/// Checks the gradients of a scalar function by central differences in f64.
///
/// `f` maps the inputs to a scalar (or to any tensor: its elements are then weighted by fixed, irregular numbers and
/// summed, so that no cancellation hides an error). Each element of each input is moved by `eps` to both sides;
/// the slope must agree with the gradient within `tol * (1 + |slope|)`. Keep the inputs away from kinks.
#[track_caller]
pub fn check_gradients(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor], eps: f64, tol: f64) {
    let weigh = |t: Tensor| -> Result<Tensor> {
        let n = t.elem_count();
        let w: Vec<f64> = (0..n).map(|i| ((i * 7 + 3) as f64 * 0.7).sin() + 0.3).collect();
        (t.flatten_all()? * Tensor::from_vec(w, n, &DEV)?)?.sum_all()
    };
    let vars: Vec<Var> =
        inputs.iter().map(|t| Var::from_tensor(&t.to_dtype(DType::F64).unwrap()).unwrap()).collect();
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let grads = weigh(f(&tracked).unwrap()).unwrap().backward().unwrap();
    for (k, var) in vars.iter().enumerate() {
        let grad: Vec<f64> = match grads.get(var) {
            Some(g) => {
                assert_eq!(g.dims(), var.dims(), "input {k}: the gradient's shape");
                g.flatten_all().unwrap().to_vec1().unwrap()
            }
            None => vec![0.0; var.elem_count()],
        };
        let base: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
        let value = |i: usize, x: f64| -> f64 {
            let mut moved = base.clone();
            moved[i] = x;
            let mut at: Vec<Tensor> = inputs.iter().map(|t| t.to_dtype(DType::F64).unwrap()).collect();
            at[k] = Tensor::from_vec(moved, var.shape(), &DEV).unwrap();
            weigh(f(&at).unwrap()).unwrap().to_scalar().unwrap()
        };
        for i in 0..base.len() {
            let slope = (value(i, base[i] + eps) - value(i, base[i] - eps)) / (2.0 * eps);
            let off = (slope - grad[i]).abs();
            assert!(
                off <= tol * (1.0 + slope.abs()),
                "input {k}, element {i}: gradient {}, finite difference {slope}",
                grad[i]
            );
        }
    }
}
