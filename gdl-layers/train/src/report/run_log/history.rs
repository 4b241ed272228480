use crate::Record;
use std::collections::BTreeMap;

/// Every metric's course in a bounded number of points: when they become too many, each two neighbours become their mean.
#[derive(Debug, Default)]
pub(super) struct History {
    curves: BTreeMap<String, Curve>,
}

/// Points at most; a chart has no more pixels.
const POINTS: usize = 800;

#[derive(Debug, Default)]
struct Curve {
    points: Vec<Mean>,
    /// Records in each point but the last, as a power of two.
    doublings: u32,
}

/// The mean of some records: of their steps, and of those values that are finite.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    count: u64,
    steps: f64,
    finite: u64,
    sum: f64,
}

impl Mean {
    fn of(step: u64, value: f64) -> Self {
        let finite = value.is_finite();
        Self { count: 1, steps: step as f64, finite: finite.into(), sum: if finite { value } else { 0.0 } }
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            steps: self.steps + other.steps,
            finite: self.finite + other.finite,
            sum: self.sum + other.sum,
        }
    }

    /// NaN, which interrupts the line, where no value was finite.
    fn point(self) -> (f64, f64) {
        (self.steps / self.count as f64, self.sum / self.finite as f64)
    }
}

impl Curve {
    fn push(&mut self, step: u64, value: f64) {
        let new = Mean::of(step, value);
        match self.points.last_mut() {
            Some(last) if last.count < 1 << self.doublings => *last = last.and(new),
            _ => self.points.push(new),
        }
        if self.points.len() > POINTS {
            let pairs = self.points.chunks(2);
            self.points = pairs.map(|pair| pair.iter().copied().fold(Mean::default(), Mean::and)).collect();
            self.doublings += 1;
        }
    }
}

impl History {
    /// The course so far, out of a log.
    pub(super) fn of(records: &[Record]) -> Self {
        let mut history = Self::default();
        history.extend(records);
        history
    }

    /// Takes in the records of a log.
    pub(super) fn extend(&mut self, records: &[Record]) {
        for record in records {
            for (name, &value) in &record.values {
                self.push(name, record.step, value);
            }
        }
    }

    /// Takes in one value.
    pub(super) fn push(&mut self, name: &str, step: u64, value: f64) {
        match self.curves.get_mut(name) {
            Some(curve) => curve.push(step, value),
            None => self.curves.entry(name.to_string()).or_default().push(step, value),
        }
    }

    /// The metrics there are, by name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.curves.keys().map(String::as_str)
    }

    /// A metric's course; empty when there is none.
    pub(super) fn points(&self, name: &str) -> Vec<(f64, f64)> {
        self.curves.get(name).map_or(Vec::new(), |curve| curve.points.iter().map(|m| m.point()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_course_keeps_its_shape_in_few_points() {
        let mut history = History::default();
        for step in 1..=100_000 {
            history.push("loss", step, step as f64);
        }
        let points = history.points("loss");
        assert!(points.len() > POINTS / 2 && points.len() <= POINTS, "{}", points.len());
        // On the diagonal, and evenly.
        for pair in points.windows(2) {
            assert_eq!(pair[0].0, pair[0].1);
            assert!(pair[1].0 > pair[0].0 && pair[1].0 - pair[0].0 <= 256.0);
        }
    }

    #[test]
    fn what_is_no_number_counts_for_nothing() {
        let mut history = History::default();
        for (step, value) in [(1, f64::NAN), (2, 3.0)] {
            history.push("loss", step, value);
        }
        let points = history.points("loss");
        assert!(points[0].1.is_nan() && points[1] == (2.0, 3.0));
        for step in 3..=2000 {
            history.push("loss", step, if step % 2 == 0 { f64::INFINITY } else { 3.0 });
        }
        assert!(history.points("loss").iter().all(|p| p.1 == 3.0));
        assert!(history.points("no such").is_empty());
    }
}
