use super::frame::Frame;
use super::{put, px};

/// Draws a line, broken where a point cannot be drawn.
pub(super) fn path(
    svg: &mut String,
    points: &[(f64, f64)],
    frame: &Frame,
    colour: &str,
    width: &str,
    opacity: &str,
) {
    let mut d = String::new();
    for run in points.split(|p| !drawable(p)).filter(|run| !run.is_empty()) {
        for (i, &p) in thinned(run, (frame.right - frame.left) as usize).iter().enumerate() {
            let (x, y) = frame.at(p);
            put(&mut d, format_args!("{}{} {}", if i == 0 { "M" } else { "L" }, px(x), px(y)));
        }
        if run.len() == 1 {
            d.push_str("h0"); // with a round cap, a dot
        }
    }
    if !d.is_empty() {
        put(
            svg,
            format_args!(
                "<path d=\"{d}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-opacity=\"{opacity}\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"
            ),
        );
    }
}

/// Finite, and far enough from the end of f64 that differences are finite too.
pub(super) fn drawable(p: &(f64, f64)) -> bool {
    p.0.abs() < 1e300 && p.1.abs() < 1e300
}

/// No more points than can be seen: of each pixel's worth, the lowest and the highest.
fn thinned(points: &[(f64, f64)], pixels: usize) -> Vec<(f64, f64)> {
    if points.len() <= 2 * pixels.max(1) {
        return points.to_vec();
    }
    let group = points.len().div_ceil(pixels.max(1));
    let ends = |group: &[(f64, f64)]| {
        let mut low = (0, f64::INFINITY);
        let mut high = (0, f64::NEG_INFINITY);
        for (i, p) in group.iter().enumerate() {
            if p.1 < low.1 {
                low = (i, p.1);
            }
            if p.1 > high.1 {
                high = (i, p.1);
            }
        }
        [group[low.0.min(high.0)], group[low.0.max(high.0)]]
    };
    points.chunks(group).flat_map(ends).collect()
}

/// The mean of each point and its neighbours, `n` in all inside the line, over the finite ones.
pub(super) fn averaged(points: &[(f64, f64)], n: usize) -> Vec<(f64, f64)> {
    (0..points.len())
        .map(|i| {
            let end = (i + n.div_ceil(2)).min(points.len());
            let window = points[i.saturating_sub(n / 2)..end].iter().filter(|p| p.1.is_finite());
            let (count, sum) = window.fold((0.0, 0.0), |(c, s), p| (c + 1.0, s + p.1));
            (points[i].0, sum / count)
        })
        .collect()
}
