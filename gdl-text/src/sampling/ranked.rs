use super::SamplingConfig;
use gdl_train::Rng;

/// Tokens with their weights, sorted only as far as it has been asked for: the likeliest first, of equals the lower id, so
/// that nothing depends on how it is sorted.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranked {
    items: Vec<(u32, f64)>,
    sorted: usize,
}

impl Ranked {
    /// Takes the tokens that are not banned.
    pub(super) fn fill(&mut self, scores: &[f64]) {
        self.items.clear();
        let items = (0u32..).zip(scores.iter().copied());
        self.items.extend(items.filter(|(_, score)| *score > f64::NEG_INFINITY));
        self.sorted = 0;
    }

    /// The token at that place, and what it has.
    pub(super) fn get(&mut self, place: usize) -> Option<(u32, f64)> {
        if place >= self.sorted && place < self.items.len() {
            let (from, to) = (self.sorted, (2 * self.sorted).max(64).max(place + 1).min(self.items.len()));
            let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            let rest = &mut self.items[from..];
            if to - from < rest.len() {
                rest.select_nth_unstable_by(to - from, order);
            }
            rest[..to - from].sort_unstable_by(order);
            self.sorted = to;
        }
        self.items.get(place).copied()
    }

    /// Leaves those that the settings leave, and makes their scores weights, the likeliest one's 1.
    pub(super) fn cut(&mut self, config: &SamplingConfig) {
        let Some((_, top)) = self.get(0) else { return };
        if config.temperature == 0.0 {
            self.truncate(1);
        }
        if let Some(k) = config.top_k {
            self.truncate(k);
        }
        for (_, score) in &mut self.items {
            // Where the temperature is 0, one is left.
            *score = if *score == top { 1.0 } else { ((*score - top) / config.temperature).exp() };
        }
        if let Some(p) = config.top_p {
            self.top_p(p);
        }
        if let Some(min_p) = config.min_p {
            self.items.retain(|(_, weight)| *weight >= min_p);
            self.sorted = self.sorted.min(self.items.len());
        }
        if let Some(mass) = config.typical {
            self.typical(mass);
        }
    }

    fn truncate(&mut self, n: usize) {
        self.get(n.saturating_sub(1));
        self.items.truncate(n);
    }

    /// The sum of the weights.
    pub(super) fn total(&self) -> f64 {
        self.items.iter().map(|(_, weight)| weight).sum()
    }

    fn top_p(&mut self, p: f64) {
        let (total, mut sum, mut place) = (self.total(), 0.0, 0);
        while sum < p * total
            && let Some((_, weight)) = self.get(place)
        {
            sum += weight;
            place += 1;
        }
        self.items.truncate(place.max(1));
    }

    fn typical(&mut self, mass: f64) {
        let log_total = self.total().ln();
        let surprise = |weight: f64| log_total - weight.ln();
        let entropy: f64 = self.items.iter().map(|&(_, w)| if w > 0.0 { w * surprise(w) } else { 0.0 }).sum();
        let entropy = entropy / log_total.exp();
        let distance = |weight: f64| (surprise(weight) - entropy).abs();
        let mut order: Vec<(f64, f64)> = self.items.iter().map(|&(_, w)| (distance(w), w)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut sum, mut limit) = (0.0, 0.0);
        for (distance, weight) in order {
            limit = distance;
            sum += weight;
            if sum >= mass * log_total.exp() {
                break;
            }
        }
        self.items.retain(|&(_, weight)| distance(weight) <= limit);
        self.sorted = 0;
    }

    /// Draws one by its weight.
    pub(super) fn draw(&mut self, rng: &mut Rng) -> Option<u32> {
        if self.items.len() < 2 {
            return self.items.first().map(|(token, _)| *token);
        }
        let mut left = rng.uniform() * self.total();
        let mut place = 0;
        while let Some((token, weight)) = self.get(place) {
            left -= weight;
            if left < 0.0 {
                return Some(token);
            }
            place += 1;
        }
        // Rounding can leave a hair; the likeliest takes it.
        self.get(0).map(|(token, _)| token)
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}
