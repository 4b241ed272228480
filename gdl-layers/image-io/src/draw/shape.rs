use tiny_skia::{Path, PathBuilder, Rect};

/// An outline in units. One that is empty or degenerate draws nothing.
#[derive(Debug, Clone)]
pub struct Shape {
    path: Option<Path>,
}

impl Shape {
    /// A closed polygon.
    pub fn polygon(points: &[(f32, f32)]) -> Self {
        Self::lines(points, true)
    }

    /// Straight lines from point to point.
    pub fn polyline(points: &[(f32, f32)]) -> Self {
        Self::lines(points, false)
    }

    /// A smooth curve through points (Catmull-Rom), open.
    pub fn curve(points: &[(f32, f32)]) -> Self {
        Self::spline(points, false)
    }

    /// A smooth closed curve through points (Catmull-Rom).
    pub fn blob(points: &[(f32, f32)]) -> Self {
        Self::spline(points, true)
    }

    /// A rectangle by its left upper corner and its size.
    pub fn rect(left: f32, top: f32, width: f32, height: f32) -> Self {
        Self { path: Rect::from_xywh(left, top, width, height).map(PathBuilder::from_rect) }
    }

    /// An ellipse by its centre and its radii.
    pub fn ellipse(x: f32, y: f32, radius_x: f32, radius_y: f32) -> Self {
        let oval = Rect::from_xywh(x - radius_x, y - radius_y, 2.0 * radius_x, 2.0 * radius_y);
        Self { path: oval.and_then(PathBuilder::from_oval) }
    }

    /// Several shapes as one.
    pub fn union(shapes: &[Shape]) -> Self {
        let mut builder = PathBuilder::new();
        shapes.iter().filter_map(Shape::path).for_each(|p| builder.push_path(p));
        Self { path: builder.finish() }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    fn lines(points: &[(f32, f32)], closed: bool) -> Self {
        let mut builder = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
        }
        if closed {
            builder.close();
        }
        Self { path: builder.finish() }
    }

    fn spline(points: &[(f32, f32)], closed: bool) -> Self {
        let n = points.len();
        if n < 3 {
            return Self::lines(points, closed);
        }
        let at = |i: isize| match closed {
            true => points[i.rem_euclid(n as isize) as usize],
            false => points[i.clamp(0, n as isize - 1) as usize],
        };
        let mut builder = PathBuilder::new();
        builder.move_to(points[0].0, points[0].1);
        let segments = if closed { n } else { n - 1 };
        for i in 0..segments as isize {
            let (before, from, to, after) = (at(i - 1), at(i), at(i + 1), at(i + 2));
            let handle = |p: (f32, f32), a: (f32, f32), b: (f32, f32), sign: f32| {
                (p.0 + sign * (b.0 - a.0) / 6.0, p.1 + sign * (b.1 - a.1) / 6.0)
            };
            let (c1, c2) = (handle(from, before, to, 1.0), handle(to, from, after, -1.0));
            builder.cubic_to(c1.0, c1.1, c2.0, c2.1, to.0, to.1);
        }
        if closed {
            builder.close();
        }
        Self { path: builder.finish() }
    }
}
