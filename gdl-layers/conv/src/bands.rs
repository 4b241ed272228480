//! Cutting an NCHW output into tasks, by its size alone.

use std::ops::Range;

/// Some rows of some channels of one image of the output: a task's own part.
pub(crate) struct Band<'a> {
    pub(crate) image: usize,
    pub(crate) rows: Range<usize>,
    pub(crate) first_channel: usize,
    /// One slice for each channel.
    pub(crate) planes: Vec<&'a mut [f32]>,
}

/// All bands of `rows` rows and `together` channels of an output of so many channels, height and width.
pub(crate) fn cut(
    out: &mut [f32],
    (channels, h, w): (usize, usize, usize),
    rows: usize,
    together: usize,
) -> Vec<Band<'_>> {
    let mut bands = Vec::new();
    for (image, out) in out.chunks_mut((channels * h * w).max(1)).enumerate() {
        for (part, out) in out.chunks_mut(together * h * w).enumerate() {
            let mut rest: Vec<&mut [f32]> = out.chunks_mut(h * w).collect();
            for start in (0..h).step_by(rows) {
                let rows = start..(start + rows).min(h);
                let mut planes = Vec::with_capacity(rest.len());
                for plane in &mut rest {
                    let (head, tail) = std::mem::take(plane).split_at_mut(rows.len() * w);
                    planes.push(head);
                    *plane = tail;
                }
                bands.push(Band { image, rows, first_channel: part * together, planes });
            }
        }
    }
    bands
}
