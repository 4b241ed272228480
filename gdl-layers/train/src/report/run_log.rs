mod history;
mod samples;
mod words;

pub use samples::{Sample, sample_path};

use super::{Chart, Outline, Page, ReportOptions};
use crate::events::EventWriter;
use crate::plot::{PlotOptions, Series, line_chart_svg};
use crate::{MetricsLog, Record, Result, RunDir, ThroughputMeter, atomic_write_bytes};
use candle_core::Device;
use history::History;
use samples::Samples;
use std::path::Path;
use std::time::{Duration, Instant};

/// The records of a training in its run directory: `metrics.jsonl`, and as the [`ReportOptions`] say `index.html` and
/// `tensorboard/`.
///
/// The page is written anew with the first step, at every [`write`](Self::write), and in between when half a minute has
/// passed and the last time took less than a hundredth of the time since. A training that is resumed keeps its earlier
/// curves and samples. What depends on the clock, the throughput, stands in `speed.jsonl`: `metrics.jsonl` depends on the
/// training alone, and two trainings of one seed have the same.
///
/// # Example
/// ```
/// use gdl_train::report::{Chart, Outline, ReportOptions, RunLog};
/// use gdl_train::{OnExisting, RunDir};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("run");
/// let run = RunDir::create(&path, &"any configuration", OnExisting::Refuse)?;
/// let charts = vec![Chart::new("Loss", &[("loss", "training")])];
/// let outline = Outline { name: "A model".into(), unit: "pictures".into(), per_step: 1.0, charts, columns: vec![] };
/// let mut log = RunLog::open(&run, outline, ReportOptions::default(), &candle_core::Device::Cpu, 0)?;
/// log.start(2);
/// for step in 1..=2 {
///     log.append(step, &[("loss", 1.0 / step as f64)])?;
/// }
/// log.close()?;
/// assert!(std::fs::read_to_string(run.page_path())?.contains("Loss"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunLog {
    run: RunDir,
    outline: Outline,
    options: ReportOptions,
    device: String,
    metrics: MetricsLog,
    speed: MetricsLog,
    events: EventWriter,
    history: History,
    samples: Samples,
    step: u64,
    total: u64,
    meter: ThroughputMeter,
    /// How long earlier calls took, and since when this one runs.
    before: Duration,
    since: Instant,
    running: bool,
    /// The step at which the throughput was noted last.
    noted: Option<u64>,
    /// When the page was written last, and how long that took.
    written: Option<(Instant, Duration)>,
}

/// The least time between two pages that nothing has called for.
const PAUSE: Duration = Duration::from_secs(30);
/// The time between two such pages, in times of what one takes.
const SPARE: u32 = 100;
/// Seconds after which a browser reads the page of a running training again.
const RELOAD: u32 = 60;
/// Metrics that are no curves to look at.
const UNCHARTED: [&str; 2] = ["epoch", "seconds"];
const SECONDS: &str = "seconds";

impl RunLog {
    /// The records of a training that has taken `step` steps. Those of later ones, which a crash may have left, are removed:
    /// they will come again.
    ///
    /// # Errors
    /// When what is there already cannot be read.
    pub fn open(
        run: &RunDir,
        outline: Outline,
        options: ReportOptions,
        device: &Device,
        step: u64,
    ) -> Result<Self> {
        let mut log = Self {
            outline,
            options,
            device: words::device(device),
            metrics: run.metrics(),
            speed: run.speed(),
            events: EventWriter::at(run.events_path()),
            history: History::default(),
            samples: Samples::default(),
            step,
            total: step,
            meter: ThroughputMeter::new(step, None),
            before: Duration::ZERO,
            since: Instant::now(),
            running: false,
            noted: None,
            written: None,
            run: run.clone(),
        };
        log.go_back(step)?;
        Ok(log)
    }

    /// Shows the samples that the run has written already, files with that extension; `load` reads one, or passes over it.
    ///
    /// # Errors
    /// When the folder of the samples cannot be read.
    pub fn recall_samples(&mut self, extension: &str, load: impl Fn(&Path) -> Option<Sample>) -> Result<()> {
        if self.options.html {
            self.samples = Samples::recall(&self.run, self.step, extension, load)?;
        }
        Ok(())
    }

    /// Starts the clock of a training that is to end after step `total`.
    pub fn start(&mut self, total: u64) {
        self.total = total;
        self.since = Instant::now();
        self.meter = ThroughputMeter::new(self.step, Some(total));
        self.running = true;
    }

    /// Adds the figures of a step.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn append(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        self.metrics.append(step, values)?;
        self.step = step;
        self.meter.update(step);
        if self.options.tensorboard {
            self.events.scalars(step, values)?;
        }
        if self.options.html {
            for &(name, value) in values {
                self.history.push(name, step, value);
            }
        }
        let due = self.written.is_none_or(|(at, took)| at.elapsed() >= PAUSE.max(took * SPARE));
        if due { self.write() } else { Ok(()) }
    }

    /// Takes back every record after `step`: the training goes on from there.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn truncate_after(&mut self, step: u64) -> Result<()> {
        self.before += self.since.elapsed();
        let before = self.before;
        self.go_back(step)?;
        // Time that has passed has passed, also that of steps which are taken back.
        (self.before, self.since) = (before, Instant::now());
        self.meter = ThroughputMeter::new(step, Some(self.total));
        Ok(())
    }

    fn go_back(&mut self, step: u64) -> Result<()> {
        self.step = step;
        self.metrics.truncate_after(step)?;
        self.speed.truncate_after(step)?;
        self.samples.truncate_after(step);
        if step > 0 {
            self.events.purge_from(step + 1);
        }
        let speed = self.speed.read()?;
        let seconds = speed.last().and_then(|record: &Record| record.values.get(SECONDS).copied());
        self.before = Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default();
        if self.options.html {
            self.history = History::of(&self.metrics.read()?);
            self.history.extend(&speed);
        }
        Ok(())
    }

    /// Shows what the model makes after this step. It comes onto the page with the next [`write`](Self::write).
    ///
    /// # Errors
    /// When an event file cannot be written.
    pub fn sample(&mut self, step: u64, sample: Sample) -> Result<()> {
        if self.options.tensorboard {
            Samples::log(&mut self.events, step, &sample)?;
        }
        if self.options.html {
            self.samples.push(step, sample);
        }
        Ok(())
    }

    /// Whether a page or event files are written, and samples are looked at at all.
    pub fn is_reported(&self) -> bool {
        self.options.html || self.options.tensorboard
    }

    /// Writes the page anew, and notes the throughput.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&mut self) -> Result<()> {
        let began = Instant::now();
        self.note_speed()?;
        if self.options.html {
            self.page().write(&self.run.page_path(), &self.title(), &self.lead())?;
        }
        self.written = Some((Instant::now(), began.elapsed()));
        Ok(())
    }

    /// Writes the page of a training that has come to its end or was stopped.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn close(&mut self) -> Result<()> {
        self.running = false;
        self.write()
    }

    fn spent(&self) -> Duration {
        self.before + self.since.elapsed()
    }

    fn per_second(&self) -> Option<f64> {
        self.meter.rate().map(|rate| rate * self.outline.per_step)
    }

    fn speed_key(&self) -> String {
        format!("{}_per_second", self.outline.unit)
    }

    fn note_speed(&mut self) -> Result<()> {
        let wanted = self.is_reported() && self.noted != Some(self.step);
        let Some(rate) = self.per_second().filter(|_| wanted) else { return Ok(()) };
        self.noted = Some(self.step);
        let (key, seconds) = (self.speed_key(), self.spent().as_secs_f64());
        self.speed.append(self.step, &[(&key, rate), (SECONDS, seconds)])?;
        if self.options.tensorboard {
            self.events.scalars(self.step, &[(&key, rate)])?;
        }
        if self.options.html {
            self.history.push(&key, self.step, rate);
        }
        Ok(())
    }

    fn title(&self) -> String {
        let path = self.run.path();
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = whole.file_name().map_or_else(|| path.display().to_string(), |n| n.display().to_string());
        format!("{name}: {}", self.outline.name)
    }

    fn lead(&self) -> String {
        let (step, total) = (words::count(self.step), words::count(self.total));
        if self.running {
            format!("In training, at step {step} of {total}.")
        } else if self.step < self.total {
            format!("Stopped after step {step} of {total}; resumed, it goes on from there.")
        } else {
            format!("Trained for {step} steps.")
        }
    }

    fn page(&self) -> Page {
        let mut page = Page::default();
        if self.running {
            page.reload_every(RELOAD);
        }
        page.progress(self.step, self.total);
        page.table(&self.summary());
        self.samples.newest(&mut page, &self.outline.columns);
        page.section("Curves", "");
        page.charts(&self.charts());
        self.samples.earlier(&mut page, &self.outline.columns);
        // What cannot be read any more is not worth a training.
        let config = self.run.config::<serde_json::Value>().unwrap_or_default();
        page.folded_table("All settings", &words::settings(&config));
        page
    }

    fn summary(&self) -> Vec<(String, String)> {
        let percent = 100.0 * self.step as f64 / self.total.max(1) as f64;
        let steps = format!("{} of {} ({percent:.0}%)", words::count(self.step), words::count(self.total));
        let mut rows = vec![("steps", steps), ("time", words::duration(self.spent()))];
        if let Some(rate) = self.per_second() {
            rows.push(("throughput", format!("{} {} a second", words::rate(rate), self.outline.unit)));
        }
        if let Some(left) = self.meter.time_left().filter(|_| self.running) {
            rows.push(("time left", words::duration(left)));
        }
        rows.extend([("device", self.device.clone()), ("written", words::now())]);
        rows.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// Those of the outline, one for each metric that it does not name, and throughput.
    fn charts(&self) -> Vec<String> {
        let speed = self.speed_key();
        let named = |name: &str| self.outline.charts.iter().any(|c| c.lines.iter().any(|(m, _)| *m == name));
        let others = self.history.names().filter(|name| !named(name) && *name != speed);
        let others = others.filter(|name| !UNCHARTED.contains(name));
        let mut charts: Vec<_> = self.outline.charts.iter().filter_map(|chart| self.chart(chart)).collect();
        charts.extend(others.map(|name| self.plot(words::title(name), vec![self.line(name, name)])));
        let speeds = self.line(&speed, "");
        if !speeds.points.is_empty() {
            charts.push(self.plot(words::title(&format!("{} a second", self.outline.unit)), vec![speeds]));
        }
        charts
    }

    /// None when there is nothing to draw.
    fn chart(&self, chart: &Chart) -> Option<String> {
        let lines = chart.lines.iter().map(|(metric, name)| {
            let line = self.line(metric, name);
            // A line of many points is noise around a course; one of few is the course.
            let smooth = if chart.smooth { line.points.len() / SMOOTHED } else { 1 };
            line.smooth(smooth.max(1))
        });
        let lines: Vec<_> = lines.filter(|line| !line.points.is_empty()).collect();
        (!lines.is_empty()).then(|| self.plot(chart.title.clone(), lines))
    }

    fn line(&self, metric: &str, name: &str) -> Series {
        Series::new(name, self.history.points(metric))
    }

    fn plot(&self, title: String, mut lines: Vec<Series>) -> String {
        if let [line] = lines.as_mut_slice() {
            // The title says it.
            line.name.clear();
        }
        let size = PlotOptions { width: 440.0, height: 260.0, ..PlotOptions::default() };
        line_chart_svg(&title, &lines, &size)
    }
}

impl Page {
    /// Writes the [`html`](Self::html), whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) with the path.
    pub fn write(&self, path: &Path, title: &str, lead: &str) -> Result<()> {
        atomic_write_bytes(path, self.html(title, lead))
    }
}

/// The part of a line's points that its moving average takes.
const SMOOTHED: usize = 30;
