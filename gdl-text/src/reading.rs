use crate::{Error, Layout, Result, Streams, Tokens, TrainConfig};
use candle_core::{Device, Tensor};
use gdl_train::Rng;
use std::ops::Range;

/// The order in which a training reads its text.
#[derive(Debug)]
pub(crate) struct Reading {
    order: Order,
    /// The pass that was read last, and its steps.
    pass: Option<(usize, Pass)>,
    /// Steps before each of the passes so far, where passes differ.
    before: Vec<usize>,
    /// What has been made ready, and for which step.
    ahead: Option<(usize, candle_core::Result<Batch>)>,
}

#[derive(Debug)]
enum Order {
    Streams { streams: Streams, lengths: Option<Lengths> },
    Windows(Windows),
}

/// What one pass takes its steps from.
#[derive(Debug)]
enum Pass {
    /// The tokens of each stream that each step predicts.
    Ranges(Vec<Range<usize>>),
    /// Where each window begins.
    Starts(Vec<u32>),
}

/// What one step reads.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Tokens, (N, T).
    pub(crate) inputs: Tensor,
    /// What follows each of them, or the last, (N, T) or (N, 1).
    pub(crate) targets: Tensor,
    /// The pass that it belongs to, counted from 1.
    pub(crate) epoch: usize,
    /// Whether it goes on from where the step before has ended.
    pub(crate) goes_on: bool,
    /// Whether the pass ends with it.
    pub(crate) ends_pass: bool,
    /// Its length as a part of the configured one.
    pub(crate) share: f64,
}

/// Lengths of the steps of a pass, drawn anew for each.
///
/// # Source
/// Merity et al. 2017, and the code that came with it.
#[derive(Debug)]
struct Lengths {
    seq: usize,
    seed: u64,
}

impl Lengths {
    const SHORTEST: usize = 5;
    const DEVIATION: f64 = 5.0;

    /// The steps of a pass, counted from 0, over streams of so many tokens.
    fn draw(&self, pass: usize, tokens: usize) -> Vec<Range<usize>> {
        let mut rng = Rng::stream(self.seed, &format!("lengths {pass}"));
        let (mut steps, mut start) = (Vec::new(), 0);
        while start < tokens {
            let around = if rng.chance(0.05) { self.seq as f64 / 2.0 } else { self.seq as f64 };
            let drawn = (around + Self::DEVIATION * rng.normal()) as usize; // A negative one becomes 0.
            let end = tokens.min(start + drawn.max(Self::SHORTEST));
            steps.push(start..end);
            start = end;
        }
        steps
    }
}

/// Every run of `seq` tokens, in an order drawn anew for each pass, which takes 4 bytes for each.
#[derive(Debug)]
struct Windows {
    tokens: Tokens,
    batch: usize,
    seq: usize,
    seed: u64,
}

impl Windows {
    fn steps(&self) -> usize {
        (self.tokens.len() - self.seq) / self.batch
    }

    fn draw(&self, pass: usize) -> Vec<u32> {
        let mut starts: Vec<u32> = (0..(self.tokens.len() - self.seq) as u32).collect();
        Rng::stream(self.seed, &format!("windows {pass}")).shuffle(&mut starts);
        starts
    }

    fn get(&self, starts: &[u32], device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
        let mut rows = Vec::with_capacity(starts.len() * self.seq);
        let mut next = Vec::with_capacity(starts.len());
        for &start in starts {
            let start = start as usize;
            let read = self.tokens.read_into(start..start + self.seq + 1, &mut rows);
            read.map_err(candle_core::Error::wrap)?;
            next.extend(rows.pop());
        }
        let n = starts.len();
        Ok((Tensor::from_vec(rows, (n, self.seq), device)?, Tensor::from_vec(next, (n, 1), device)?))
    }
}

impl Reading {
    /// Lays out the tokens of the part to train on; `origin` names the text in errors.
    pub(crate) fn new(tokens: Tokens, config: &TrainConfig, origin: &str) -> Result<Self> {
        let (&TrainConfig { batch, seq, seed, .. }, part) = (config, "its training part has");
        let order = match config.layout {
            Layout::Streams => Order::Streams {
                streams: Streams::new(tokens, batch, seq, origin, part)?,
                lengths: config.random_seq.then_some(Lengths { seq, seed }),
            },
            Layout::Windows => {
                let (have, need) = (tokens.len(), seq.saturating_add(batch));
                if have < need {
                    return Err(Error::TooShort { origin: origin.into(), part, have, need, batch, seq });
                }
                if u32::try_from(have).is_err() {
                    let message = format!("windows are for texts of less than 4 billion tokens, not {have}");
                    return Err(Error::setting("layout", message));
                }
                Order::Windows(Windows { tokens, batch, seq, seed })
            }
        };
        Ok(Self { order, pass: None, before: vec![0], ahead: None })
    }

    /// The tokens.
    pub(crate) fn tokens(&self) -> &Tokens {
        match &self.order {
            Order::Streams { streams, .. } => streams.tokens(),
            Order::Windows(windows) => &windows.tokens,
        }
    }

    /// Steps in the first pass; with random lengths others may have some more or fewer.
    pub(crate) fn steps_in_pass(&self) -> usize {
        self.steps_of(0)
    }

    fn steps_of(&self, pass: usize) -> usize {
        match &self.order {
            Order::Streams { streams, lengths: Some(lengths) } => {
                lengths.draw(pass, streams.stream_len()).len()
            }
            Order::Streams { streams, lengths: None } => streams.steps(),
            Order::Windows(windows) => windows.steps(),
        }
    }

    /// Whether all passes have as many steps.
    fn is_even(&self) -> bool {
        !matches!(&self.order, Order::Streams { lengths: Some(_), .. })
    }

    /// Steps in so many passes.
    pub(crate) fn steps_in(&mut self, passes: usize) -> usize {
        if self.is_even() {
            return passes.saturating_mul(self.steps_in_pass());
        }
        while self.before.len() <= passes {
            let pass = self.before.len() - 1;
            self.before.push(self.before[pass] + self.steps_of(pass));
        }
        self.before[passes]
    }

    /// The pass of a step, and the step's place in it; all counted from 0.
    fn place(&mut self, step: usize) -> (usize, usize) {
        if self.is_even() {
            let steps = self.steps_in_pass();
            return (step / steps, step % steps);
        }
        let mut pass = self.before.partition_point(|&before| before <= step).saturating_sub(1);
        while self.steps_in(pass + 1) <= step {
            pass += 1;
        }
        (pass, step - self.before[pass])
    }

    /// Makes ready, and uploads, what a step is going to [`get`](Self::get): before a GPU is waited for.
    pub(crate) fn prepare(&mut self, step: usize, device: &Device) {
        self.ahead = Some((step, self.read(step, device)));
    }

    /// What a step reads, counted from 0 since the first ever.
    pub(crate) fn get(&mut self, step: usize, device: &Device) -> candle_core::Result<Batch> {
        match self.ahead.take() {
            Some((at, batch)) if at == step => batch,
            _ => self.read(step, device),
        }
    }

    fn read(&mut self, step: usize, device: &Device) -> candle_core::Result<Batch> {
        let (pass, place) = self.place(step);
        if self.pass.as_ref().is_none_or(|(at, _)| *at != pass) {
            let steps = match &self.order {
                Order::Streams { streams, lengths } => Pass::Ranges(match lengths {
                    Some(lengths) => lengths.draw(pass, streams.stream_len()),
                    None => streams.ranges().collect(),
                }),
                Order::Windows(windows) => Pass::Starts(windows.draw(pass)),
            };
            self.pass = Some((pass, steps));
        }
        let ((inputs, targets), steps, share) = match (&self.order, &self.pass) {
            (Order::Streams { streams, .. }, Some((_, Pass::Ranges(ranges)))) => {
                let range = ranges[place].clone();
                let share = range.len() as f64 / streams.seq() as f64;
                (streams.read(range, device)?, ranges.len(), share)
            }
            (Order::Windows(windows), Some((_, Pass::Starts(starts)))) => {
                let starts = &starts[place * windows.batch..][..windows.batch];
                (windows.get(starts, device)?, windows.steps(), 1.0)
            }
            _ => candle_core::bail!("Reading: the pass is one of another layout"),
        };
        let goes_on = place > 0 && matches!(self.order, Order::Streams { .. });
        let ends_pass = place + 1 == steps;
        Ok(Batch { inputs, targets, epoch: pass + 1, goes_on, ends_pass, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(batch: usize, seq: usize) -> TrainConfig {
        TrainConfig { batch, seq, ..TrainConfig::default() }
    }

    fn rows(t: &Tensor) -> Vec<Vec<u32>> {
        t.to_vec2().unwrap()
    }

    #[test]
    fn random_lengths_read_every_token_of_a_stream_once() {
        let config = TrainConfig { random_seq: true, ..config(2, 20) };
        let mut reading = Reading::new(Tokens::from(Vec::from_iter(0..1001)), &config, "numbers").unwrap();
        let (mut at, mut lengths) = (0, Vec::new());
        let steps = reading.steps_in(1);
        for step in 0..steps {
            let batch = reading.get(step, &Device::Cpu).unwrap();
            let (inputs, targets) = (rows(&batch.inputs), rows(&batch.targets));
            let t = inputs[0].len();
            assert_eq!(inputs[1], (500 + at..500 + at + t as u32).collect::<Vec<_>>());
            assert_eq!(targets[0], (at + 1..at + 1 + t as u32).collect::<Vec<_>>());
            assert_eq!((batch.epoch, batch.goes_on, batch.ends_pass), (1, step > 0, step + 1 == steps));
            assert!((batch.share - t as f64 / 20.0).abs() < 1e-12);
            at += t as u32;
            lengths.push(t);
        }
        assert_eq!(at, 500);
        assert!(lengths.iter().any(|t| *t != lengths[0]), "{lengths:?}");
        let next = reading.get(steps, &Device::Cpu).unwrap();
        assert_eq!((next.epoch, next.goes_on, rows(&next.inputs)[0][0]), (2, false, 0));
        // Whoever begins in the middle finds the same.
        let mut late = Reading::new(Tokens::from(Vec::from_iter(0..1001)), &config, "numbers").unwrap();
        let far = reading.steps_in(7) + 3;
        let (a, b) = (reading.get(far, &Device::Cpu).unwrap(), late.get(far, &Device::Cpu).unwrap());
        assert_eq!((rows(&a.inputs), a.epoch), (rows(&b.inputs), 8));
    }

    #[test]
    fn windows_come_each_once_in_an_order_of_their_own() {
        let config = TrainConfig { layout: Layout::Windows, ..config(3, 4) };
        let mut reading = Reading::new(Tokens::from(Vec::from_iter(0..16)), &config, "numbers").unwrap();
        let mut order = |pass: usize| {
            let mut starts = Vec::new();
            for step in 4 * pass..4 * pass + 4 {
                let batch = reading.get(step, &Device::Cpu).unwrap();
                for (row, next) in rows(&batch.inputs).iter().zip(rows(&batch.targets)) {
                    assert_eq!((row.len(), next[0]), (4, row[3] + 1));
                    starts.push(row[0]);
                }
                assert!(!batch.goes_on);
                assert_eq!((batch.epoch, batch.ends_pass), (pass + 1, step == 4 * pass + 3));
            }
            starts
        };
        let (first, second) = (order(0), order(1));
        assert_ne!(first, second);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..12).collect::<Vec<_>>());
        assert!(Reading::new(Tokens::from(Vec::from_iter(0..6)), &config, "numbers").is_err());
    }
}
