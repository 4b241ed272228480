/// A range of values and the distance between its ticks: 1, 2 or 5 times a power of ten.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) from: f64,
    to: f64,
    step: f64,
}

impl Axis {
    /// `whole` widens the range to whole ticks.
    pub(super) fn over(values: impl Iterator<Item = f64>, ticks: f64, whole: bool) -> Self {
        let (mut from, mut to) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if from > to {
            (from, to) = (0.0, 1.0);
        }
        // Nothing to tell apart: give the line a range around it.
        if to - from <= 1e-9 * from.abs().max(to.abs()) {
            let half = if from == 0.0 { 1.0 } else { from.abs() / 2.0 };
            (from, to) = (from - half, to + half);
        }
        let rough = (to - from) / ticks.max(2.0);
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough).unwrap_or(10.0) * power;
        if whole {
            (from, to) = ((from / step).floor() * step, (to / step).ceil() * step);
        }
        Self { from, to, step }
    }

    pub(super) fn part(&self, v: f64) -> f64 {
        (v - self.from) / (self.to - self.from)
    }

    pub(super) fn ticks(&self) -> Vec<f64> {
        let first = (self.from / self.step - 1e-6).ceil();
        // Never many, even where rounding has made the step too small for the range.
        (0..40)
            .map(|i| (first + f64::from(i)) * self.step)
            .take_while(|&t| t <= self.to + self.step * 1e-6)
            .collect()
    }

    pub(super) fn label(&self, tick: f64) -> String {
        let largest = self.from.abs().max(self.to.abs());
        if tick == 0.0 {
            return "0".into();
        }
        if !(1e-4..1e7).contains(&largest) {
            return format!("{tick:.1e}");
        }
        let (tick, step, unit) =
            if largest >= 1e4 { (tick / 1e3, self.step / 1e3, "k") } else { (tick, self.step, "") };
        let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 8.0) as usize;
        format!("{tick:.decimals$}{unit}")
    }
}
