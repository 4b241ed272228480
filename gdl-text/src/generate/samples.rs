use super::Writer;
use super::reader::Reader;
use crate::sampling::{Draws, Stops, log_prob};
use crate::tokenizer::StreamDecoder;
use crate::{Error, Result};
use gdl_kernels::par;
use serde::{Deserialize, Serialize};
use std::ops::{ControlFlow, Range};

/// One of several texts that go on from the same prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its number, from 0.
    pub sample: usize,
    /// What was written, without the prompt.
    pub text: String,
    /// How many tokens were drawn.
    pub tokens: usize,
    /// The natural logarithm of their probability under the model, at temperature 1 and with nothing banned.
    pub log_prob: f64,
}

/// A sample that is being written.
struct Row<'a> {
    sample: Sample,
    draws: Draws<'a>,
    decoder: StreamDecoder<'a>,
    stops: Stops<'a>,
    /// What it goes on with; none at its end.
    next: Option<u32>,
    failed: Option<Error>,
}

impl Row<'_> {
    fn step(&mut self, logits: &[f32]) {
        if let Err(error) = self.draw(logits) {
            (self.next, self.failed) = (None, Some(error));
        }
    }

    fn draw(&mut self, logits: &[f32]) -> Result<()> {
        self.next = self.draws.next(logits)?;
        let Some(token) = self.next else {
            self.sample.text.push_str(&self.stops.finish());
            return Ok(());
        };
        self.sample.tokens += 1;
        self.sample.log_prob += log_prob(logits, token);
        let (piece, stopped) = self.stops.push(&self.decoder.push(token)?);
        self.sample.text.push_str(&piece);
        if stopped {
            self.next = None;
        }
        Ok(())
    }
}

pub(super) fn write(
    writer: &Writer<'_>,
    numbers: Range<usize>,
    batch: usize,
    mut each: impl FnMut(Sample) -> ControlFlow<()>,
) -> Result<()> {
    if batch == 0 {
        return Err(Error::setting("batch", "must be at least 1, got 0"));
    }
    let mut first = numbers.start;
    while first < numbers.end {
        let last = first.saturating_add(batch).min(numbers.end);
        for sample in side_by_side(writer, first..last)? {
            if each(sample).is_break() {
                return Ok(());
            }
        }
        first = last;
    }
    Ok(())
}

fn side_by_side(writer: &Writer<'_>, numbers: Range<usize>) -> Result<Vec<Sample>> {
    let Writer { prompt, sampler, decoder, config, .. } = writer;
    let row = |sample| -> Result<Row<'_>> {
        Ok(Row {
            sample: Sample { sample, text: String::new(), tokens: 0, log_prob: 0.0 },
            draws: sampler.start(&prompt.ids, decoder.context(), writer.rng(sample), config.length)?,
            decoder: decoder.clone(),
            stops: Stops::new(&config.stop),
            next: None,
            failed: None,
        })
    };
    let mut rows = numbers.map(row).collect::<Result<Vec<_>>>()?;
    let mut done = Vec::with_capacity(rows.len());
    let vocab = prompt.logits.len();
    let state = prompt.state.select(&vec![0; rows.len()])?;
    let mut reader = Reader::new(writer.model, state, prompt.logits.repeat(rows.len()), writer.device)?;
    loop {
        let logits = reader.logits();
        par::chunks_mut(&mut rows, 8, |chunk, rows| {
            for (i, row) in rows.iter_mut().enumerate() {
                row.step(&logits[(8 * chunk + i) * vocab..][..vocab]);
            }
        });
        let before = rows.len();
        let mut kept = Vec::with_capacity(before);
        let mut going = Vec::with_capacity(before);
        for (i, row) in rows.into_iter().enumerate() {
            match (row.next, row.failed) {
                (_, Some(error)) => return Err(error),
                (None, None) => done.push(row.sample),
                (Some(_), None) => {
                    kept.push(i as u32);
                    going.push(Row { failed: None, ..row });
                }
            }
        }
        rows = going;
        if rows.is_empty() {
            done.sort_by_key(|sample| sample.sample);
            return Ok(done);
        }
        if rows.len() < before {
            reader.select(&kept)?;
        }
        let ids: Vec<u32> = rows.iter().filter_map(|row| row.next).collect();
        reader.read(&ids)?;
    }
}
