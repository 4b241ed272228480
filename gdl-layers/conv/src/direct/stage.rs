use crate::simd::{Isa, to_pixels};

/// A part of an image, with zeros where it reaches beyond.
pub(super) struct Window<'a> {
    /// The channels wanted, planes of `size`.
    pub(super) planes: &'a [f32],
    pub(super) channels: usize,
    pub(super) size: (usize, usize),
    /// The window's first row and column in the image.
    pub(super) at: (isize, isize),
    pub(super) rows: usize,
    pub(super) width: usize,
}

impl Window<'_> {
    pub(super) fn len(&self) -> usize {
        self.rows * self.width * self.channels
    }

    /// (columns of zeros, first column of the image, columns of the image)
    fn columns(&self) -> (usize, usize, usize) {
        let left = self.at.1;
        let start = left.max(0);
        let inside = ((left + self.width as isize).min(self.size.1 as isize) - start).max(0) as usize;
        (((start - left) as usize).min(self.width), start as usize, inside)
    }

    fn row(&self, row: usize) -> Option<usize> {
        let y = usize::try_from(row as isize + self.at.0).ok()?;
        (y < self.size.0).then_some(y)
    }

    /// `out[(row * width + x) * channels + c]`
    pub(super) fn by_pixels(&self, isa: Isa, out: &mut [f32]) {
        let (skip, start, inside) = self.columns();
        let (plane, c) = (self.size.0 * self.size.1, self.channels);
        for (i, out) in out.chunks_exact_mut(self.width * c).take(self.rows).enumerate() {
            let Some(y) = self.row(i).filter(|_| inside > 0) else {
                out.fill(0.0);
                continue;
            };
            out[..skip * c].fill(0.0);
            out[(skip + inside) * c..].fill(0.0);
            let planes = &self.planes[y * self.size.1 + start..];
            to_pixels(isa, (planes, plane), (&mut out[skip * c..], c), inside, c);
        }
    }

    /// `out[(c * rows + row) * width + x]`
    pub(super) fn by_planes(&self, out: &mut [f32]) {
        let (skip, start, inside) = self.columns();
        let planes = self.planes.chunks_exact(self.size.0 * self.size.1);
        for (plane, out) in planes.zip(out.chunks_exact_mut(self.rows * self.width)) {
            for (i, out) in out.chunks_exact_mut(self.width).enumerate() {
                let Some(y) = self.row(i).filter(|_| inside > 0) else {
                    out.fill(0.0);
                    continue;
                };
                out[..skip].fill(0.0);
                out[skip..skip + inside].copy_from_slice(&plane[y * self.size.1 + start..][..inside]);
                out[skip + inside..].fill(0.0);
            }
        }
    }
}
