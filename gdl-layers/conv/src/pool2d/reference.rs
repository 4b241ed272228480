use super::{Kind, Pooling};
use crate::conv2d::windows;
use candle_core::{Result, Tensor};

/// Pooling from plain candle operators, one tensor per position in the window.
pub(crate) fn pool2d(x: &Tensor, p: &Pooling) -> Result<Tensor> {
    let fill = if p.kind == Kind::Max { f64::NEG_INFINITY } else { 0. };
    let windows =
        |x: &Tensor| windows(x, p.out, p.params.kernel, p.params.stride, p.params.padding, (1, 1), fill);
    match p.kind {
        // Only a strictly larger value takes over, or NaN: of equal ones the first stays, and gets the gradient.
        Kind::Max => {
            fold(windows(x)?, |best, new| new.gt(&best)?.maximum(&new.ne(&new)?)?.where_cond(&new, &best))
        }
        Kind::Average => {
            let sum = fold(windows(x)?, |sum, new| sum + new)?;
            sum.affine(1. / (p.params.kernel.0 * p.params.kernel.1) as f64, 0.)
        }
        Kind::L2 => {
            let sum = fold(windows(&x.sqr()?)?, |sum, new| sum + new)?;
            // The root's slope at zero is infinite: the root is taken of 1 there, and the result replaced.
            let zeros = sum.zeros_like()?;
            let positive = sum.gt(&zeros)?;
            let root = positive.where_cond(&sum, &sum.ones_like()?)?.sqrt()?;
            positive.where_cond(&root, &zeros)
        }
    }
}

fn fold(windows: Vec<Tensor>, f: impl Fn(Tensor, Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let mut windows = windows.into_iter();
    match windows.next() {
        Some(first) => windows.try_fold(first, f),
        None => candle_core::bail!("pool2d: the window is empty"),
    }
}
