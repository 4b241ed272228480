//! Between rows of planes (a channel's pixels side by side) and pixels (a pixel's channels side by side).

use super::{Isa, Job, Lanes, run};

/// `pixels[x * step + c] = planes[c * plane + x]` for `x < count`, `c < channels`.
///
/// # Panics
///
/// Where an element would lie outside its slice: an error of the calling kernel.
pub(crate) fn to_pixels(
    isa: Isa,
    (planes, plane): (&[f32], usize),
    (pixels, step): (&mut [f32], usize),
    count: usize,
    channels: usize,
) {
    if count == 0 || channels == 0 {
        return;
    }
    assert!((channels - 1) * plane + count <= planes.len(), "to_pixels: the planes are too short");
    assert!((count - 1) * step + channels <= pixels.len(), "to_pixels: the pixels are too short");
    let job = Transpose {
        from: planes.as_ptr(),
        from_row: plane,
        to: pixels.as_mut_ptr(),
        to_row: step,
        rows: channels,
        columns: count,
    };
    // SAFETY: the assertions bound both sides.
    unsafe { run(isa, &job) }
}

/// `planes[c][at + x] = pixels[x * step + c]` for `x < count`, for every slice of `planes`.
///
/// # Panics
///
/// Where an element would lie outside its slice: an error of the calling kernel.
pub(crate) fn from_pixels(
    isa: Isa,
    (pixels, step): (&[f32], usize),
    planes: &mut [&mut [f32]],
    at: usize,
    count: usize,
) {
    const WIDTH: usize = 64;
    let mut block = [0f32; 16 * WIDTH];
    for (first, planes) in (0..).step_by(16).zip(planes.chunks_mut(16)) {
        for start in (0..count).step_by(WIDTH) {
            let width = WIDTH.min(count - start);
            let from = &pixels[start * step + first..];
            assert!((width - 1) * step + planes.len() <= from.len(), "from_pixels: the pixels are too short");
            let job = Transpose {
                from: from.as_ptr(),
                from_row: step,
                to: block.as_mut_ptr(),
                to_row: WIDTH,
                rows: width,
                columns: planes.len(),
            };
            // SAFETY: the assertion bounds the source; the block holds 16 rows of `WIDTH`.
            unsafe { run(isa, &job) }
            for (plane, row) in planes.iter_mut().zip(block.chunks_exact(WIDTH)) {
                plane[at + start..at + start + width].copy_from_slice(&row[..width]);
            }
        }
    }
}

struct Transpose {
    from: *const f32,
    from_row: usize,
    to: *mut f32,
    to_row: usize,
    rows: usize,
    columns: usize,
}

impl Job for Transpose {
    #[inline(always)]
    unsafe fn run<V: Lanes>(&self) {
        let whole = (self.rows / V::N * V::N, self.columns / V::N * V::N);
        let (from, to) = (
            |i: usize, j: usize| self.from.wrapping_add(i * self.from_row + j),
            |i: usize, j: usize| self.to.wrapping_add(j * self.to_row + i),
        );
        for i in (0..whole.0).step_by(V::N) {
            for j in (0..whole.1).step_by(V::N) {
                // SAFETY: the block is inside on both sides, which the maker of the job has bounded.
                unsafe { V::transpose(from(i, j), self.from_row, to(i, j), self.to_row) }
            }
        }
        for i in 0..self.rows {
            let start = if i < whole.0 { whole.1 } else { 0 };
            for j in start..self.columns {
                // SAFETY: as above.
                unsafe { *to(i, j) = *from(i, j) }
            }
        }
    }
}
