//! Tensors as slices, and the sums over their rows that several kernels need.

use super::simd::Real;
use candle_core::{Result, Storage, Tensor, bail};
use gdl_kernels::{par, view};

/// The elements of a CPU tensor in row-major order.
pub(crate) fn with_slice<T: Real, R>(t: &Tensor, f: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(&view::contiguous(storage, layout)?),
        _ => bail!("a CPU kernel met a tensor on {:?}", t.device()),
    }
}

/// The elements of a few CPU tensors.
pub(crate) fn slices<T: Real, R>(tensors: &[&Tensor], f: impl FnOnce(&[&[T]]) -> Result<R>) -> Result<R> {
    fn collect<'a, T: Real, R>(
        tensors: &[&Tensor],
        mut have: Vec<&'a [T]>,
        f: &mut dyn FnMut(&[&[T]]) -> Result<R>,
    ) -> Result<R> {
        let Some((first, rest)) = tensors.split_first() else { return f(&have) };
        with_slice(first, |slice| {
            // Shorter-lived than those before it, and so is the list.
            let mut list: Vec<&[T]> = std::mem::take(&mut have);
            list.push(slice);
            collect(rest, list, f)
        })
    }
    let mut f = Some(f);
    collect(tensors, Vec::with_capacity(tensors.len()), &mut |list| match f.take() {
        Some(f) => f(list),
        None => bail!("a list of tensors was read twice"),
    })
}

/// The ids of a tensor of u32, u8 or i64, each checked to lie below `vocab`.
pub(crate) fn ids(op: &str, ids: &Tensor, vocab: usize) -> Result<Vec<u32>> {
    let flat = ids.flatten_all()?;
    let ids = match flat.dtype() {
        candle_core::DType::U32 => flat.to_vec1::<u32>()?,
        candle_core::DType::U8 => flat.to_vec1::<u8>()?.into_iter().map(u32::from).collect(),
        // A negative id becomes one that no vocabulary has.
        candle_core::DType::I64 => {
            flat.to_vec1::<i64>()?.into_iter().map(|id| u32::try_from(id).unwrap_or(u32::MAX)).collect()
        }
        other => bail!("{op}: expected token ids of type u32, u8 or i64, got {}", other.as_str()),
    };
    match ids.iter().find(|&&id| id as usize >= vocab) {
        Some(id) => bail!("{op}: expected token ids below the {vocab} of the vocabulary, got {id}"),
        None => Ok(ids),
    }
}

/// Columns of one piece of work, fixed so that who computes it changes nothing.
const WIDTH: usize = 256;

/// The sum of every column of a row-major matrix.
pub(crate) fn column_sums<T: Real>(data: &[T], columns: usize) -> Vec<T> {
    let mut sums = vec![T::ZERO; columns];
    // Pieces of a fixed width, each summed in the order of the rows.
    par::chunks_mut(&mut sums, WIDTH, |piece, sums| {
        for row in data.chunks_exact(columns) {
            add(sums, &row[piece * WIDTH..]);
        }
    });
    sums
}

/// The sums (`vocab`, `columns`) of the rows of data (ids, `columns`) that have the same id.
pub(crate) fn scatter_add<T: Real>(ids: &[u32], data: &[T], columns: usize, vocab: usize) -> Vec<T> {
    let mut by_id: Vec<u32> = (0..ids.len() as u32).collect();
    // Stable: rows with one id are added in their order, whoever adds them.
    by_id.sort_by_key(|&row| ids[row as usize]);
    let mut sums = par::zeros(vocab * columns);
    // A piece holds so many whole rows that it pays.
    let rows = (16 * 1024 / columns.max(1)).max(1);
    par::chunks_mut(&mut sums, rows * columns, |piece, sums| {
        let first = piece * rows;
        let from = by_id.partition_point(|&row| (ids[row as usize] as usize) < first);
        for &row in &by_id[from..] {
            let at = ids[row as usize] as usize - first;
            let Some(sum) = sums.get_mut(at * columns..(at + 1) * columns) else { break };
            add(sum, &data[row as usize * columns..]);
        }
    });
    sums
}

/// The rows of a table (V, `columns`) that the ids name.
pub(crate) fn gather<T: Real>(ids: &[u32], table: &[T], columns: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(ids.len() * columns);
    for &id in ids {
        out.extend_from_slice(&table[id as usize * columns..][..columns]);
    }
    out
}

/// Adds what there is of `b` to `a`.
#[inline(always)]
pub(crate) fn add<T: Real>(a: &mut [T], b: &[T]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// A sum in sixteen parts, which vectors can take side by side, in an order of its own that never changes.
#[inline(always)]
pub(crate) fn sum<T: Real>(len: usize, value: impl Fn(usize) -> T) -> T {
    const PARTS: usize = 16;
    let mut parts = [T::ZERO; PARTS];
    let whole = len / PARTS * PARTS;
    for from in (0..whole).step_by(PARTS) {
        for (k, part) in parts.iter_mut().enumerate() {
            *part += value(from + k);
        }
    }
    let rest = (whole..len).fold(T::ZERO, |sum, j| sum + value(j));
    parts.iter().fold(rest, |sum, &part| sum + part)
}

/// Puts `more` behind `all`, without a copy where there is nothing yet.
pub(crate) fn append<T>(all: &mut Vec<T>, mut more: Vec<T>) {
    if all.is_empty() { *all = more } else { all.append(&mut more) }
}
