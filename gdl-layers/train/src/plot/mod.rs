//! Line charts as inline SVG, for reports that have to be one file without scripts.

mod axis;
mod frame;
mod line;

use crate::markup::escape;
use frame::{Frame, axes, legend};
use line::{averaged, path};
use std::fmt::Write;

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by rising x. Points that are not finite (or beyond 1e300) interrupt the line.
    pub points: Vec<(f64, f64)>,
    /// Points in the moving average that is drawn over the line, which is pale then; 1, the default, draws the line alone.
    pub smooth: usize,
}

impl Series {
    /// A line through these points.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), smooth: 1 }
    }

    /// Sets how many points are averaged.
    pub fn smooth(self, smooth: usize) -> Self {
        Self { smooth, ..self }
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
}

impl Default for PlotOptions {
    fn default() -> Self {
        Self { width: 640.0, height: 320.0, x_label: "step".into(), y_label: String::new() }
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
        if line.smooth > 1 {
            path(&mut svg, &line.points, &frame, colour, "1", "0.3");
            path(&mut svg, &averaged(&line.points, line.smooth), &frame, colour, "2", "1");
        } else {
            path(&mut svg, &line.points, &frame, colour, "1.75", "1");
        }
    }
    svg.push_str("</svg>\n");
    svg
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

#[cfg(test)]
mod tests {
    use super::axis::Axis;
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
        let options = PlotOptions { y_label: "nats".into(), ..PlotOptions::default() };
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
            let svg = line_chart_svg("t", &[Series::new("s", points).smooth(5)], &options);
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
