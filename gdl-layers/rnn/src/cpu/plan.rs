//! Which rows and steps of a batch there are, and where their values stand.

use super::simd::Real;
use super::slices;
use crate::rows::{SequenceInput, SequenceParams};
use candle_core::{Result, Tensor};
use gdl_kernels::par;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Sizes of a batch, and which steps of it there are.
///
/// Values of the steps that there are stand one after the other, row by row: "packed". Padding has no place there, so
/// that nothing is computed for it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Rows N.
    pub(crate) n: usize,
    /// Steps T, padding included.
    pub(crate) t: usize,
    reverse: bool,
    /// How many steps there are in the rows before each, and in all.
    starts: Vec<usize>,
}

impl Plan {
    pub(crate) fn new((n, t): (usize, usize), params: SequenceParams<'_>) -> Self {
        let mut starts = vec![0];
        for row in 0..n {
            starts.push(starts[row] + params.lengths.map_or(t, |lengths| lengths[row]));
        }
        Self { n, t, reverse: params.reverse, starts }
    }

    /// What of an input is multiplied with the weights: its vectors, or the rows of its table together with the token
    /// of every packed step. A table with more rows than there are steps is looked up first.
    pub(crate) fn tokens(&self, input: &SequenceInput<'_>) -> Result<(Tensor, Option<Arc<[u32]>>)> {
        match input {
            SequenceInput::Tokens { table, ids } if table.dim(0)? < self.steps() => {
                let ids = slices::ids("Embedding", ids, table.dim(0)?)?;
                Ok(((*table).clone(), Some(self.pack(&ids, 1, 0..1).into())))
            }
            input => Ok((input.vectors()?, None)),
        }
    }

    /// All steps that there are.
    pub(crate) fn steps(&self) -> usize {
        self.starts[self.n]
    }

    /// The steps of some rows that there are.
    pub(crate) fn steps_of(&self, rows: &Range<usize>) -> Range<usize> {
        self.starts[rows.start]..self.starts[rows.end]
    }

    /// Steps of one row.
    pub(crate) fn length(&self, row: usize) -> usize {
        self.starts[row + 1] - self.starts[row]
    }

    fn is_padded(&self) -> bool {
        self.steps() < self.n * self.t
    }

    /// The packed place of the step of a row that is visited as its s-th.
    pub(crate) fn at(&self, row: usize, s: usize) -> usize {
        self.starts[row] + if self.reverse { self.length(row) - 1 - s } else { s }
    }

    /// The rows of each parallel piece of work, with about equally many steps. Rows do not depend on each other, so
    /// that this may depend on the number of threads without the results doing so.
    pub(crate) fn pieces(&self) -> Vec<Range<usize>> {
        let threads = par::threads().clamp(1, self.n);
        let mut ends: Vec<usize> = (1..=threads)
            .map(|k| self.starts.partition_point(|&start| start * threads < self.steps() * k))
            .collect();
        ends.dedup();
        let mut from = 0;
        ends.into_iter()
            .filter(|&end| end > 0)
            .map(|end| std::mem::replace(&mut from, end)..end)
            .filter(|rows| !rows.is_empty())
            .collect()
    }

    /// Some rows, the longest first, so that the rows still running always come first.
    pub(crate) fn order(&self, rows: Range<usize>) -> Vec<usize> {
        let mut rows: Vec<usize> = rows.collect();
        rows.sort_by_key(|&row| std::cmp::Reverse(self.length(row)));
        rows
    }

    /// How many of the ordered rows have an s-th step.
    pub(crate) fn running(&self, order: &[usize], s: usize) -> usize {
        order.partition_point(|&row| self.length(row) > s)
    }

    /// Packs `width` columns from `offset` on of a batch (N, T, `stride`).
    pub(crate) fn pack<'a, T: Copy>(
        &self,
        data: &'a [T],
        stride: usize,
        columns: Range<usize>,
    ) -> Cow<'a, [T]> {
        if !self.is_padded() && columns.len() == stride {
            return Cow::Borrowed(data);
        }
        let mut out = Vec::with_capacity(self.steps() * columns.len());
        for row in 0..self.n {
            for step in 0..self.length(row) {
                out.extend_from_slice(&data[(row * self.t + step) * stride..][columns.clone()]);
            }
        }
        Cow::Owned(out)
    }

    /// The batch (N, T, widths together) of packed values that stand side by side, 0 in the padding.
    pub(crate) fn unpack<T: Real>(&self, mut parts: Vec<Vec<T>>) -> Vec<T> {
        if parts.len() == 1 && !self.is_padded() {
            return parts.swap_remove(0);
        }
        let widths: Vec<usize> = parts.iter().map(|part| part.len() / self.steps()).collect();
        let stride: usize = widths.iter().sum();
        let mut out = par::zeros(self.n * self.t * stride);
        par::chunks_mut(&mut out, (self.t * stride).max(1), |row, out| {
            for (step, mut out) in out.chunks_exact_mut(stride).take(self.length(row)).enumerate() {
                for (part, &width) in parts.iter().zip(&widths) {
                    let (to, rest) = out.split_at_mut(width);
                    to.copy_from_slice(&part[(self.starts[row] + step) * width..][..width]);
                    out = rest;
                }
            }
        });
        out
    }

    /// The packed state (`size` features) before every step.
    pub(crate) fn before<T: Real>(&self, states: &[T], initial: &[T], size: usize) -> Vec<T> {
        let mut out = par::zeros(states.len());
        let pieces = self.split(&mut out, size, &(0..self.n).map(|row| row..row + 1).collect::<Vec<_>>());
        let mut pieces: Vec<_> = pieces.into_iter().enumerate().collect();
        par::chunks_mut(&mut pieces, 1, |_, piece| {
            let (row, out) = (piece[0].0, &mut *piece[0].1);
            for s in 0..self.length(row) {
                let from = match s {
                    0 => &initial[row * size..][..size],
                    _ => &states[self.at(row, s - 1) * size..][..size],
                };
                out[(self.at(row, s) - self.starts[row]) * size..][..size].copy_from_slice(from);
            }
        });
        out
    }

    /// Packed values of `width` features cut into those of each range of rows, which follow each other.
    pub(crate) fn split<'a, T>(
        &self,
        data: &'a mut [T],
        width: usize,
        rows: &[Range<usize>],
    ) -> Vec<&'a mut [T]> {
        let mut rest = data;
        rows.iter()
            .map(|rows| {
                let (piece, left) = std::mem::take(&mut rest).split_at_mut(self.steps_of(rows).len() * width);
                rest = left;
                piece
            })
            .collect()
    }
}

/// Values of `width` features per row cut into those of each range of rows, which follow each other.
pub(crate) fn split_rows<'a, T>(data: &'a mut [T], width: usize, rows: &[Range<usize>]) -> Vec<&'a mut [T]> {
    let mut rest = data;
    rows.iter()
        .map(|rows| {
            let (piece, left) = std::mem::take(&mut rest).split_at_mut(rows.len() * width);
            rest = left;
            piece
        })
        .collect()
}
