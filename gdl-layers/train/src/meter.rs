use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How fast a job goes and when it will be done, from its last half minute or so.
///
/// # Example
/// ```
/// let mut meter = gdl_train::ThroughputMeter::new(0, Some(1000));
/// for step in 1..=3 {
///     meter.update(step);
/// }
/// let _steps_per_second: Option<f64> = meter.rate();
/// let _time_left: Option<std::time::Duration> = meter.time_left();
/// ```
#[derive(Debug, Clone)]
pub struct ThroughputMeter {
    marks: VecDeque<(Instant, u64)>,
    total: Option<u64>,
}

impl ThroughputMeter {
    const WINDOW: Duration = Duration::from_secs(30);
    /// Enough to smooth the rate, few enough to forget a slow beginning.
    const MARKS: usize = 256;

    /// A job that starts at `done` (not 0 when it is resumed) and ends at `total`, where that is known.
    pub fn new(done: u64, total: Option<u64>) -> Self {
        Self::starting_at(Instant::now(), done, total)
    }

    fn starting_at(now: Instant, done: u64, total: Option<u64>) -> Self {
        Self { marks: VecDeque::from([(now, done)]), total }
    }

    /// Notes how much is done.
    pub fn update(&mut self, done: u64) {
        self.update_at(Instant::now(), done);
    }

    fn update_at(&mut self, now: Instant, done: u64) {
        self.marks.push_back((now, done));
        while self.marks.len() > 2
            && (self.marks.len() > Self::MARKS || now.duration_since(self.marks[1].0) > Self::WINDOW)
        {
            self.marks.pop_front();
        }
    }

    /// Steps per second; `None` before the first has been measured.
    pub fn rate(&self) -> Option<f64> {
        let (&(t0, n0), &(t1, n1)) = (self.marks.front()?, self.marks.back()?);
        let seconds = t1.duration_since(t0).as_secs_f64();
        (n1 > n0 && seconds > 0.0).then(|| (n1 - n0) as f64 / seconds)
    }

    /// The time left at that rate; `None` when the rate or the total is not known.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.marks.back()?.1);
        Duration::try_from_secs_f64(left as f64 / self.rate()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut meter = ThroughputMeter::starting_at(start, 100, Some(1000));
        assert_eq!((meter.rate(), meter.time_left()), (None, None));
        meter.update_at(at(10), 150);
        assert_eq!(meter.rate(), Some(5.0));
        assert_eq!(meter.time_left(), Some(Duration::from_secs(170)));
        // The first, slow minute is forgotten.
        for s in 11..=120 {
            meter.update_at(at(s), 150 + (s - 10) * 2);
        }
        assert_eq!(meter.rate(), Some(2.0));
        meter.update_at(at(121), 2000);
        assert_eq!(meter.time_left(), Some(Duration::ZERO));
    }
}
