use candle_core::{Result, Tensor};
use std::ops::Range;

/// A part of a picture or a map: rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

/// A tile: its own part of the picture, and what has to be computed so that its own part comes out right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) core: Rect,
    pub(crate) around: Rect,
}

/// How far a network sees, in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    /// What one position of the smallest map covers: a power of 2.
    pub(crate) stride: usize,
    /// Beyond that, in each direction.
    pub(crate) reach: usize,
}

/// A picture of height and width cut into rows of tiles of at most that side, rounded up to the stride, and of about the
/// same size. Every tile but the last of a row or column ends at a multiple of the stride, and what is computed around it
/// too, so that the windows of the pooling are those of the whole picture; and nothing is beyond the picture's border, so
/// that the network's own padding is there, and only there.
pub(crate) fn grid((h, w): (usize, usize), side: usize, sight: Sight) -> Vec<Vec<Tile>> {
    let rows = cut(h, side, sight);
    let columns = cut(w, side, sight);
    let tile = |(own, all): &Cut, (own_columns, all_columns): &Cut| Tile {
        core: Rect { rows: own.clone(), columns: own_columns.clone() },
        around: Rect { rows: all.clone(), columns: all_columns.clone() },
    };
    rows.iter().map(|row| columns.iter().map(|column| tile(row, column)).collect()).collect()
}

/// A part of one axis, and what is computed around it.
type Cut = (Range<usize>, Range<usize>);

fn cut(size: usize, side: usize, sight: Sight) -> Vec<Cut> {
    let side = side.clamp(1, size.max(1)).next_multiple_of(sight.stride);
    let even = size.div_ceil(size.div_ceil(side).max(1)).max(1).next_multiple_of(sight.stride);
    let reach = sight.reach.next_multiple_of(sight.stride);
    let part = |start: usize| {
        let end = (start + even).min(size);
        (start..end, start.saturating_sub(reach)..(end + reach).min(size))
    };
    (0..size).step_by(even).map(part).collect()
}

impl Rect {
    /// All of a map of height and width.
    pub(super) fn whole(h: usize, w: usize) -> Self {
        Self { rows: 0..h, columns: 0..w }
    }

    pub(super) fn height(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.columns.is_empty()
    }

    /// Cut into parts of full width and about so many positions.
    pub(super) fn bands(&self, positions: usize) -> impl Iterator<Item = Self> + '_ {
        let step = (positions / self.width().max(1)).max(1);
        self.rows.clone().step_by(step).map(move |start| Self {
            rows: start..start.saturating_add(step).min(self.rows.end),
            columns: self.columns.clone(),
        })
    }

    /// This part of a part that begins at `start`, counted in that one.
    pub(super) fn from(&self, start: &Self) -> Self {
        let shift = |r: &Range<usize>, by: usize| r.start - by..r.end - by;
        Self { rows: shift(&self.rows, start.rows.start), columns: shift(&self.columns, start.columns.start) }
    }

    /// That part of (1, C, H, W), contiguous; None where it is empty.
    pub(super) fn of(&self, x: &Tensor) -> Result<Option<Tensor>> {
        if self.is_empty() {
            return Ok(None);
        }
        let x = x.narrow(2, self.rows.start, self.height())?.narrow(3, self.columns.start, self.width())?;
        x.contiguous().map(Some)
    }
}

impl Tile {
    /// Its own part of the maps in a block of the network, counted in those maps.
    pub(super) fn at_block(&self, block: usize) -> Rect {
        let small = |r: &Range<usize>| r.start >> (block - 1)..r.end >> (block - 1);
        Rect { rows: small(&self.core.rows), columns: small(&self.core.columns) }
    }

    /// The same, counted in the maps that are computed for the tile.
    pub(super) fn within_block(&self, block: usize) -> Rect {
        let small = |r: &Range<usize>| r.start >> (block - 1)..r.end >> (block - 1);
        let around = Rect { rows: small(&self.around.rows), columns: small(&self.around.columns) };
        self.at_block(block).from(&around)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_the_picture_once_and_see_enough() {
        let sight = Sight { stride: 8, reach: 22 };
        for ((h, w), side) in [((37, 61), 16), ((64, 64), 64), ((17, 130), 1), ((5, 9), 100), ((65, 65), 32)]
        {
            let mut seen = vec![0; h * w];
            for tile in grid((h, w), side, sight).iter().flatten() {
                for row in tile.core.rows.clone() {
                    tile.core.columns.clone().for_each(|column| seen[row * w + column] += 1);
                }
                for (own, all, size) in
                    [(&tile.core.rows, &tile.around.rows, h), (&tile.core.columns, &tile.around.columns, w)]
                {
                    assert!(own.len() <= side.next_multiple_of(8));
                    assert!(own.start % 8 == 0 && all.start % 8 == 0);
                    assert!(all.end == size || all.end % 8 == 0 && all.end >= own.end + 22);
                    assert!(all.start == 0 || all.start + 22 <= own.start);
                    assert!(all.len() >= 8 || all.len() == size);
                }
            }
            assert!(seen.iter().all(|n| *n == 1), "{h}x{w} {side}");
        }
    }

    #[test]
    fn the_parts_of_a_map_join_without_gaps() {
        let sight = Sight { stride: 8, reach: 22 };
        for block in 1..=4 {
            let rows: Vec<_> =
                grid((61, 8), 16, sight).iter().map(|row| row[0].at_block(block).rows).collect();
            assert_eq!((rows[0].start, rows[rows.len() - 1].end), (0, 61 >> (block - 1)));
            assert!(rows.windows(2).all(|pair| pair[0].end == pair[1].start), "{rows:?}");
        }
    }
}
