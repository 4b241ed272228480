//! A line search for the strong Wolfe conditions, as `torch.optim.LBFGS` does it (after minFunc's `lswolfe`).

use candle_core::{Result, Tensor};

const C1: f64 = 1e-4;
const C2: f64 = 0.9;

/// A step length tried, and what was found there.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    pub(crate) t: f64,
    pub(crate) loss: f64,
    pub(crate) grad: Tensor,
    /// The derivative along the search direction.
    pub(crate) slope: f64,
}

/// Searches from `start` (step length 0) with the first guess `t`; gives the best point and the number of evaluations.
///
/// `d_max` is the largest absolute element of the direction: a bracket shorter than `tolerance_change / d_max` ends the search.
pub(crate) fn strong_wolfe(
    start: &Trial,
    t: f64,
    d_max: f64,
    tolerance_change: f64,
    max_trials: usize,
    mut evaluate: impl FnMut(f64) -> Result<Trial>,
) -> Result<(Trial, usize)> {
    let mut new = evaluate(t)?;
    let mut evaluations = 1;
    let mut trials = 0;
    let mut previous = start.clone();
    let too_high = |x: &Trial| x.loss > start.loss + C1 * x.t * start.slope;
    let flat = |x: &Trial| x.slope.abs() <= -C2 * start.slope;

    // Bracket an interval that holds a point satisfying the conditions.
    let mut bracket = None;
    while trials < max_trials {
        if too_high(&new) || (trials > 1 && new.loss >= previous.loss) {
            bracket = Some([previous.clone(), new.clone()]);
            break;
        }
        if flat(&new) {
            return Ok((new, evaluations));
        }
        if new.slope >= 0.0 {
            bracket = Some([previous.clone(), new.clone()]);
            break;
        }
        let bounds = (new.t + 0.01 * (new.t - previous.t), new.t * 10.0);
        let t = cubic_minimum(&previous, &new, bounds);
        previous = new;
        new = evaluate(t)?;
        evaluations += 1;
        trials += 1;
    }
    let mut bracket = bracket.unwrap_or_else(|| [start.clone(), new]);

    // Narrow it down.
    let mut insufficient = false;
    let order = |b: &[Trial; 2]| if b[0].loss <= b[1].loss { (0, 1) } else { (1, 0) };
    let (mut low, mut high) = order(&bracket);
    while trials < max_trials {
        let (from, to) = (bracket[0].t.min(bracket[1].t), bracket[0].t.max(bracket[1].t));
        if (to - from) * d_max < tolerance_change {
            break;
        }
        let mut t = cubic_minimum(&bracket[0], &bracket[1], (from, to));
        // Too near an end, twice running or outright on it: step away from that end by a tenth of the bracket.
        let margin = 0.1 * (to - from);
        if (to - t).min(t - from) < margin {
            if insufficient || t >= to || t <= from {
                t = if (t - to).abs() < (t - from).abs() { to - margin } else { from + margin };
                insufficient = false;
            } else {
                insufficient = true;
            }
        } else {
            insufficient = false;
        }

        let new = evaluate(t)?;
        evaluations += 1;
        trials += 1;
        if too_high(&new) || new.loss >= bracket[low].loss {
            bracket[high] = new;
            (low, high) = order(&bracket);
        } else {
            let done = flat(&new);
            if !done && new.slope * (bracket[high].t - bracket[low].t) >= 0.0 {
                bracket[high] = bracket[low].clone();
            }
            bracket[low] = new;
            if done {
                break;
            }
        }
    }
    let [a, b] = bracket;
    Ok((if low == 0 { a } else { b }, evaluations))
}

/// The minimum within `bounds` of the cubic through two points with their slopes; the middle where it has none.
fn cubic_minimum(a: &Trial, b: &Trial, (lo, hi): (f64, f64)) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    if square >= 0.0 {
        let d2 = square.sqrt();
        let t = if a.t <= b.t {
            b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
        } else {
            a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2.0 * d2))
        };
        t.max(lo).min(hi)
    } else {
        (lo + hi) / 2.0
    }
}
