//! Line charts as inline SVG, for reports that have to be one file without scripts.

use std::fmt::Write;

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by rising x. Points that are not finite (or beyond 1e300) interrupt the line.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A line through these points.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect() }
    }
}

/// How a chart is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotOptions {
    /// Width in pixels; 640. The drawing shrinks with a narrower page.
    pub width: f64,
    /// Height in pixels; 320.
    pub height: f64,
    /// Below the x axis; "step".
    pub x_label: String,
    /// Above the y axis; none.
    pub y_label: String,
    /// Points in the moving average drawn over each pale line; 1, the default, draws the points alone.
    pub smooth: usize,
}

impl Default for PlotOptions {
    fn default() -> Self {
        Self { width: 640.0, height: 320.0, x_label: "step".into(), y_label: String::new(), smooth: 1 }
    }
}

/// Of one lightness, and told apart by most colour-blind readers; they stand out on white and on black.
const COLOURS: [&str; 6] = ["#3b82c4", "#e07b39", "#2f9e77", "#c2528b", "#8c6fd1", "#a8862b"];
const CHAR: f64 = 6.6;
const FONT: f64 = 12.0;

/// Draws lines with axes, ticks and a legend; text and axes take the colour of the page's text (`currentColor`).
///
/// # Example
/// ```
/// use gdl_train::plot::{PlotOptions, Series, line_chart_svg};
///
/// let loss = Series::new("loss", [(0.0, 2.0), (10.0, 1.0), (20.0, 0.7)]);
/// let svg = line_chart_svg("A falling loss", &[loss], &PlotOptions::default());
/// assert!(svg.starts_with("<svg"));
/// ```
pub fn line_chart_svg(title: &str, series: &[Series], options: &PlotOptions) -> String {
    let frame = Frame::around(series, options);
    let (w, h) = (frame.width, frame.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
         style=\"max-width:100%;height:auto\" font-family=\"system-ui,sans-serif\" font-size=\"{FONT}\" fill=\"currentColor\">\n\
         <title>{0}</title>\n<text x=\"{1}\" y=\"18\" font-size=\"15\" font-weight=\"600\">{0}</text>\n",
        escape(title),
        px(frame.left)
    );
    legend(&mut svg, series, &frame);
    axes(&mut svg, &frame, options);
    for (i, line) in series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        if options.smooth > 1 {
            path(&mut svg, &line.points, &frame, colour, "1", "0.3");
            path(&mut svg, &averaged(&line.points, options.smooth), &frame, colour, "2", "1");
        } else {
            path(&mut svg, &line.points, &frame, colour, "1.75", "1");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The part of the drawing that holds the lines, and the values at its sides.
#[derive(Debug)]
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
    empty: bool,
}

impl Frame {
    fn around(series: &[Series], options: &PlotOptions) -> Self {
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

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = self.left + self.x.part(x) * (self.right - self.left);
        (across, self.bottom - self.y.part(y) * (self.bottom - self.top))
    }
}

/// A range of values and the distance between its ticks: 1, 2 or 5 times a power of ten.
#[derive(Debug)]
struct Axis {
    from: f64,
    to: f64,
    step: f64,
}

impl Axis {
    /// `whole` widens the range to whole ticks.
    fn over(values: impl Iterator<Item = f64>, ticks: f64, whole: bool) -> Self {
        let (mut from, mut to) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if from > to {
            (from, to) = (0.0, 1.0);
        }
        // Nothing to tell apart: give the line a range around it.
        if to - from <= 1e-9 * from.abs().max(to.abs()) {
            let half = if from == 0.0 { 1.0 } else { from.abs() / 2.0 };
            (from, to) = (from - half, to + half);
        }
        let rough = (to - from) / ticks.max(2.0);
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough).unwrap_or(10.0) * power;
        if whole {
            (from, to) = ((from / step).floor() * step, (to / step).ceil() * step);
        }
        Self { from, to, step }
    }

    fn part(&self, v: f64) -> f64 {
        (v - self.from) / (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let first = (self.from / self.step - 1e-6).ceil();
        // Never many, even where rounding has made the step too small for the range.
        (0..40)
            .map(|i| (first + f64::from(i)) * self.step)
            .take_while(|&t| t <= self.to + self.step * 1e-6)
            .collect()
    }

    fn label(&self, tick: f64) -> String {
        let largest = self.from.abs().max(self.to.abs());
        if tick == 0.0 {
            return "0".into();
        }
        if !(1e-4..1e7).contains(&largest) {
            return format!("{tick:.1e}");
        }
        let (tick, step, unit) =
            if largest >= 1e4 { (tick / 1e3, self.step / 1e3, "k") } else { (tick, self.step, "") };
        let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 8.0) as usize;
        format!("{tick:.decimals$}{unit}")
    }
}

/// Where each legend entry starts: its x, and its row.
fn legend_places(series: &[Series], left: f64, right: f64) -> Vec<(f64, f64)> {
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

fn legend(svg: &mut String, series: &[Series], frame: &Frame) {
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

fn axes(svg: &mut String, f: &Frame, options: &PlotOptions) {
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

fn path(svg: &mut String, points: &[(f64, f64)], frame: &Frame, colour: &str, width: &str, opacity: &str) {
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
fn drawable(p: &(f64, f64)) -> bool {
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
fn averaged(points: &[(f64, f64)], n: usize) -> Vec<(f64, f64)> {
    (0..points.len())
        .map(|i| {
            let end = (i + n.div_ceil(2)).min(points.len());
            let window = points[i.saturating_sub(n / 2)..end].iter().filter(|p| p.1.is_finite());
            let (count, sum) = window.fold((0.0, 0.0), |(c, s), p| (c + 1.0, s + p.1));
            (points[i].0, sum / count)
        })
        .collect()
}

fn put(to: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = to.write_fmt(text);
}

/// A coordinate: a tenth of a pixel is enough.
fn px(v: f64) -> String {
    let text = format!("{v:.1}");
    text.strip_suffix(".0").map_or(text.clone(), String::from)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: f64, to: f64) -> Vec<String> {
        let axis = Axis::over([from, to].into_iter(), 6.0, true);
        axis.ticks().into_iter().map(|t| axis.label(t)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(0.0, 1000.0), ["0", "200", "400", "600", "800", "1000"]);
        assert_eq!(labels(0.13, 0.98), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-1.0, 2.0), ["-1.0", "-0.5", "0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(0.0, 30000.0), ["0", "5k", "10k", "15k", "20k", "25k", "30k"]);
        assert!(labels(1e-9, 5e-9).len() < 12);
    }

    #[test]
    fn anything_is_drawn() {
        let options = PlotOptions { smooth: 5, y_label: "nats".into(), ..PlotOptions::default() };
        let cases: [Vec<(f64, f64)>; 7] = [
            vec![],
            vec![(1.0, 1.0)],
            vec![(0.0, 0.0), (1.0, 0.0)],
            vec![(0.0, f64::NAN), (1.0, f64::INFINITY)],
            vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)],
            vec![(0.0, f64::MIN), (1.0, f64::MAX), (2.0, 1e299), (3.0, -1e299)],
            (0..100_000).map(|i| (i as f64, (i as f64).sin())).collect(),
        ];
        for points in cases {
            let svg = line_chart_svg("t", &[Series::new("s", points)], &options);
            assert!(svg.len() < 60_000 && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        assert!(line_chart_svg("t", &[], &options).contains("no data"));
    }

    #[test]
    fn text_is_escaped() {
        let hostile = Series::new("</text><script>x</script>", [(0.0, 1.0), (1.0, 2.0)]);
        let svg = line_chart_svg("a & \"b\"", &[hostile], &PlotOptions::default());
        assert!(!svg.contains("<script") && svg.contains("a &amp; &quot;b&quot;"));
    }
}
