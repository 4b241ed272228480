use super::axis::Axis;
use super::line::drawable;
use super::{CHAR, COLOURS, PlotOptions, Series, put, px};
use crate::markup::escape;

/// The part of the drawing that holds the lines, and the values at its sides.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
    empty: bool,
}

impl Frame {
    pub(super) fn around(series: &[Series], options: &PlotOptions) -> Self {
        let finite = |v: f64, least: f64| if v.is_finite() { v.max(least) } else { least };
        let (width, height) = (finite(options.width, 160.0), finite(options.height, 120.0));
        let points = || series.iter().flat_map(|s| &s.points).filter(|p| drawable(p));
        let x = Axis::over(points().map(|p| p.0), width / 90.0, false);
        let y = Axis::over(points().map(|p| p.1), height / 50.0, true);
        let widest = y.ticks().iter().map(|&t| y.label(t).chars().count()).max().unwrap_or(1);
        let left = 14.0 + widest as f64 * CHAR;
        let right = width - 14.0;
        let rows = legend_places(series, left, right).last().map_or(0.0, |&(_, row)| row + 1.0);
        let top = 34.0 + rows * 18.0 + if options.y_label.is_empty() { 0.0 } else { 14.0 };
        Self {
            width,
            height,
            left,
            right,
            top,
            bottom: height - 42.0,
            x,
            y,
            empty: points().next().is_none(),
        }
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = self.left + self.x.part(x) * (self.right - self.left);
        (across, self.bottom - self.y.part(y) * (self.bottom - self.top))
    }
}

/// Where each legend entry starts: its x, and its row. Lines without names have no legend.
fn legend_places(series: &[Series], left: f64, right: f64) -> Vec<(f64, f64)> {
    if series.iter().all(|s| s.name.is_empty()) {
        return Vec::new();
    }
    let (mut x, mut row) = (left, 0.0);
    series
        .iter()
        .map(|s| {
            let width = 38.0 + s.name.chars().count() as f64 * CHAR;
            if x > left && x + width > right {
                (x, row) = (left, row + 1.0);
            }
            x += width;
            (x - width, row)
        })
        .collect()
}

/// The names of the lines, with a dash of their colour.
pub(super) fn legend(svg: &mut String, series: &[Series], frame: &Frame) {
    for (i, (s, (x, row))) in series.iter().zip(legend_places(series, frame.left, frame.right)).enumerate() {
        let y = 38.0 + row * 18.0;
        let colour = COLOURS[i % COLOURS.len()];
        put(
            svg,
            format_args!(
                "<path d=\"M{} {}h16\" stroke=\"{colour}\" stroke-width=\"3\" stroke-linecap=\"round\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
                px(x),
                px(y - 4.0),
                px(x + 22.0),
                px(y),
                escape(&s.name)
            ),
        );
    }
}

/// Grid, ticks and labels.
pub(super) fn axes(svg: &mut String, f: &Frame, options: &PlotOptions) {
    let (l, r, b) = (px(f.left), px(f.right), px(f.bottom));
    svg.push_str("<g fill-opacity=\"0.75\" stroke=\"none\">\n");
    for tick in f.y.ticks() {
        let y = f.at((f.x.from, tick)).1;
        put(
            svg,
            format_args!(
                "<path d=\"M{l} {0}H{r}\" stroke=\"currentColor\" stroke-opacity=\"0.15\"/><text x=\"{1}\" y=\"{2}\" text-anchor=\"end\">{3}</text>\n",
                px(y),
                px(f.left - 6.0),
                px(y + 4.0),
                f.y.label(tick)
            ),
        );
    }
    for tick in f.x.ticks() {
        let x = px(f.at((tick, f.y.from)).0);
        put(
            svg,
            format_args!(
                "<path d=\"M{x} {b}v4\" stroke=\"currentColor\" stroke-opacity=\"0.5\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                px(f.bottom + 18.0),
                f.x.label(tick)
            ),
        );
    }
    put(svg, format_args!("<path d=\"M{l} {b}H{r}\" stroke=\"currentColor\" stroke-opacity=\"0.5\"/>\n"));
    put(
        svg,
        format_args!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            px((f.left + f.right) / 2.0),
            px(f.height - 6.0),
            escape(&options.x_label)
        ),
    );
    if !options.y_label.is_empty() {
        put(
            svg,
            format_args!("<text x=\"{l}\" y=\"{}\">{}</text>\n", px(f.top - 8.0), escape(&options.y_label)),
        );
    }
    if f.empty {
        let (x, y) = (px((f.left + f.right) / 2.0), px((f.top + f.bottom) / 2.0));
        put(svg, format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">no data</text>\n"));
    }
    svg.push_str("</g>\n");
}
