use std::ops::Range;

/// A part of a map: rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Rect {
    /// Cut into tiles of that height and width, row by row; those at the end may be smaller.
    pub(super) fn tiles(&self, height: usize, width: usize) -> impl Iterator<Item = Self> + use<> {
        let columns = self.columns.clone();
        cut(self.rows.clone(), height).flat_map(move |rows| {
            cut(columns.clone(), width).map(move |columns| Self { rows: rows.clone(), columns })
        })
    }
}

fn cut(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step.max(1)).map(move |start| start..end.min(start + step.max(1)))
}

/// What is needed along one axis of the map that an operation reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    /// The part of the map.
    pub(super) range: Range<usize>,
    /// What has to be added before and after it: the padding, where the part lies at the border.
    pub(super) pad: (usize, usize),
    /// Where the wanted part of the result begins in what comes out.
    pub(super) skip: usize,
}

/// For a convolution of a map of `size`, padded by `before` at its beginning.
pub(super) fn by_conv(
    wanted: &Range<usize>,
    size: usize,
    kernel: usize,
    stride: usize,
    before: usize,
) -> Needed {
    // Counted from the beginning of the padding.
    let (first, end) = (wanted.start * stride, (wanted.end - 1) * stride + kernel);
    let range = first.saturating_sub(before)..end.saturating_sub(before).min(size);
    let pad = (before.saturating_sub(first), (end - before).saturating_sub(size));
    Needed { range, pad, skip: 0 }
}

/// For a transposed convolution of a map of `size`, whose result is cut by `cut` at its beginning.
pub(super) fn by_transposed(
    wanted: &Range<usize>,
    size: usize,
    kernel: usize,
    stride: usize,
    cut: usize,
) -> Needed {
    let start = (wanted.start + cut).saturating_sub(kernel - 1).div_ceil(stride);
    let end = ((wanted.end - 1 + cut) / stride + 1).min(size);
    Needed { range: start..end, pad: (0, 0), skip: wanted.start + cut - start * stride }
}

/// For a doubling by repetition.
pub(super) fn by_doubling(wanted: &Range<usize>) -> Needed {
    let start = wanted.start / 2;
    Needed { range: start..wanted.end.div_ceil(2), pad: (0, 0), skip: wanted.start - 2 * start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_a_map_once() {
        let whole = Rect { rows: 3..20, columns: 1..8 };
        let mut seen = vec![0; 20 * 8];
        for tile in whole.tiles(5, 4) {
            for row in tile.rows {
                tile.columns.clone().for_each(|column| seen[row * 8 + column] += 1);
            }
        }
        let inside = |i: usize| whole.rows.contains(&(i / 8)) && whole.columns.contains(&(i % 8));
        assert!((0..seen.len()).all(|i| seen[i] == i32::from(inside(i))));
    }

    #[test]
    fn a_convolution_needs_its_window_and_the_padding_at_the_border() {
        let needed = |wanted| by_conv(&wanted, 10, 7, 1, 3);
        assert_eq!(needed(0..2), Needed { range: 0..5, pad: (3, 0), skip: 0 });
        assert_eq!(needed(4..6), Needed { range: 1..9, pad: (0, 0), skip: 0 });
        assert_eq!(needed(9..10), Needed { range: 6..10, pad: (0, 3), skip: 0 });
        assert_eq!(by_conv(&(1..3), 8, 3, 2, 1), Needed { range: 1..6, pad: (0, 0), skip: 0 });
    }

    #[test]
    fn a_transposed_convolution_needs_all_that_reaches_the_part() {
        for (kernel, cut, size) in [(3, 1, 7), (4, 1, 7)] {
            for start in 0..2 * size {
                for end in start + 1..=2 * size {
                    let needed = by_transposed(&(start..end), size, kernel, 2, cut);
                    // Input i reaches the outputs from 2 i - cut to 2 i - cut + kernel - 1.
                    let reaches = |i: &usize| 2 * i < end + cut && 2 * i + kernel > start + cut;
                    let want: Vec<usize> = (0..size).filter(reaches).collect();
                    assert_eq!(needed.range.clone().collect::<Vec<_>>(), want, "{kernel} {start}..{end}");
                    assert_eq!(needed.skip + 2 * needed.range.start, start + cut);
                }
            }
        }
    }
}
