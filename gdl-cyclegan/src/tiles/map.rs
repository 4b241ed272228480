//! Maps that are kept between two sweeps, by rows: in memory as far as that goes, else in a temporary file.

use super::rect::Rect;
use crate::{Error, Result};
use candle_core::{DType, Device, Storage, Tensor};
use gdl_kernels::{par, view};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

/// Where rows come from and go to.
#[derive(Debug)]
pub(super) struct Rows {
    /// Bytes of memory that may be used, and that are.
    memory: u64,
    used: u64,
    /// Rows that are done with, all of one length, for the next map: an allocator would part such blocks.
    spare: Vec<Vec<f32>>,
    file: Option<File>,
    /// Where the file ends, and the places in it that are free, by their length in numbers.
    end: u64,
    free: HashMap<usize, Vec<u64>>,
}

#[derive(Debug, Default)]
enum Row {
    #[default]
    Gone,
    Memory(Vec<f32>),
    File(u64),
}

impl Rows {
    pub(super) fn new(memory: u64) -> Self {
        Self { memory, used: 0, spare: Vec::new(), file: None, end: 0, free: HashMap::new() }
    }

    /// Memory for a row, with any content.
    fn take(&mut self, length: usize) -> Vec<f32> {
        if self.spare.first().is_some_and(|row| row.len() != length) {
            self.drop_spare();
        }
        match self.spare.pop() {
            Some(row) => {
                self.used -= bytes(length);
                row
            }
            None => vec![0f32; length],
        }
    }

    /// Keeps a row where there is room.
    fn keep(&mut self, row: Vec<f32>) -> Result<Row> {
        if self.used + bytes(row.len()) <= self.memory {
            self.used += bytes(row.len());
            return Ok(Row::Memory(row));
        }
        self.write(&row).map(Row::File).map_err(fault)
    }

    /// Gives back the memory of rows that are done with.
    pub(super) fn drop_spare(&mut self) {
        self.used -= self.spare.iter().map(|row| bytes(row.len())).sum::<u64>();
        self.spare.clear();
    }

    fn write(&mut self, row: &[f32]) -> std::io::Result<u64> {
        let place = match self.free.get_mut(&row.len()).and_then(Vec::pop) {
            Some(place) => place,
            None => {
                let place = self.end;
                self.end += bytes(row.len());
                place
            }
        };
        let mut file = match &self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_ne_bytes()).collect();
        file.seek(SeekFrom::Start(place))?;
        file.write_all(&bytes)?;
        Ok(place)
    }

    fn read(&self, place: u64, length: usize) -> std::io::Result<Vec<f32>> {
        let Some(mut file) = self.file.as_ref() else { return Err(std::io::ErrorKind::NotFound.into()) };
        let mut read = vec![0; 4 * length];
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(&mut read)?;
        Ok(read.as_chunks().0.iter().map(|&value| f32::from_ne_bytes(value)).collect())
    }

    fn release(&mut self, row: Row, length: usize) {
        match row {
            Row::Gone => {}
            Row::Memory(row) if self.spare.first().is_none_or(|other| other.len() == row.len()) => {
                self.spare.push(row);
            }
            Row::Memory(row) => self.used -= bytes(row.len()),
            Row::File(place) => self.free.entry(length).or_default().push(place),
        }
    }
}

/// Runs `f` over the numbers of a tensor in row-major order.
pub(super) fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(f(&view::contiguous(storage, layout)?)),
        _ => Err(candle_core::Error::Msg("a tensor left the CPU".into()).into()),
    }
}

fn bytes(numbers: usize) -> u64 {
    4 * numbers as u64
}

fn fault(source: std::io::Error) -> Error {
    Error::Io { action: "keep a part of the picture in", path: std::env::temp_dir(), source }
}

/// One map, (channels, height, width); its rows lie as (channels, width).
#[derive(Debug)]
pub(super) struct Map {
    channels: usize,
    width: usize,
    rows: Vec<Row>,
    /// The rows before have been released.
    released: usize,
    /// The first row that has been read since the last release.
    lowest: Cell<usize>,
}

impl Map {
    /// A map of no rows yet.
    pub(super) fn new(channels: usize, width: usize) -> Self {
        Self { channels, width, rows: Vec::new(), released: 0, lowest: Cell::new(usize::MAX) }
    }

    /// Adds the rows that follow: (1, channels, h, width).
    pub(super) fn push(&mut self, part: &Tensor, rows: &mut Rows) -> Result<()> {
        let (height, width) = (part.dim(2)?, self.width);
        let mut new: Vec<Vec<f32>> = (0..height).map(|_| rows.take(self.channels * width)).collect();
        with_values(part, |values| {
            par::chunks_mut(&mut new, 1, |y, row| {
                for (c, to) in row.iter_mut().flat_map(|row| row.chunks_mut(width)).enumerate() {
                    to.copy_from_slice(&values[(c * height + y) * width..][..width]);
                }
            });
        })?;
        for row in new {
            self.rows.push(rows.keep(row)?);
        }
        Ok(())
    }

    /// A part of the map: (1, channels, h, w).
    pub(super) fn read(&self, rect: &Rect, rows: &Rows, device: &Device) -> Result<Tensor> {
        self.lowest.set(self.lowest.get().min(rect.rows.start));
        let length = self.channels * self.width;
        let sources = self.rows[rect.rows.clone()].iter().map(|row| match row {
            Row::Memory(row) => Ok(Cow::Borrowed(row)),
            Row::File(place) => rows.read(*place, length).map(Cow::Owned).map_err(fault),
            Row::Gone => Err(candle_core::Error::Msg("a row was read after its release".into()).into()),
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let (height, width, whole) = (rect.rows.len(), rect.columns.len(), self.width);
        let start = |c: usize| c * whole + rect.columns.start;
        let values = par::build(self.channels * height * width, height * width, |c, plane| {
            for (to, row) in plane.chunks_mut(width).zip(&sources) {
                to.copy_from_slice(&row[start(c)..][..width]);
            }
        });
        Ok(Tensor::from_vec(values, (1, self.channels, height, width), device)?)
    }

    /// Drops the rows before the first that was read since the last call: who goes through the map from top to bottom for
    /// the last time comes back to none of them.
    pub(super) fn release_passed(&mut self, rows: &mut Rows) {
        let passed = self.lowest.replace(usize::MAX).min(self.rows.len());
        self.release_until(passed, rows);
    }

    /// Drops the rest.
    pub(super) fn release(&mut self, rows: &mut Rows) {
        self.release_until(self.rows.len(), rows);
    }

    fn release_until(&mut self, end: usize, rows: &mut Rows) {
        for y in self.released..end {
            rows.release(std::mem::take(&mut self.rows[y]), self.channels * self.width);
        }
        self.released = self.released.max(end);
    }
}
