//! Progress on the error stream: a bar on a terminal, a line now and then elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a line is written where the error stream is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How much the program says while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress and what was written where.
    Normal,
    /// And the settings in force.
    Verbose,
}

impl Verbosity {
    /// Says something about the work, unless asked to be quiet.
    pub(crate) fn say(self, text: impl std::fmt::Display) {
        if self > Self::Quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Says something only when asked for more.
    pub(crate) fn detail(self, text: impl std::fmt::Display) {
        if self >= Self::Verbose {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

/// The progress of one job of a known length.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Name and time of the last line, where lines are written instead of a bar.
    lines: Option<(String, Instant)>,
}

impl Progress {
    /// A bar for `total` steps of a job with that name.
    pub(crate) fn new(verbosity: Verbosity, name: &str, total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let shown = verbosity > Verbosity::Quiet;
        let target =
            if shown && terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style =
            ProgressStyle::with_template("{prefix:>10} {wide_bar:.cyan/blue} {pos}/{len} {msg}  {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸─"));
        bar.set_prefix(name.to_string());
        Self { bar, lines: (shown && !terminal).then(|| (name.to_string(), Instant::now())) }
    }

    /// Sets how far the job is, and what to say beside the bar.
    pub(crate) fn at(&mut self, position: u64, message: impl Into<String>) {
        self.bar.set_position(position);
        let message = message.into();
        let total = self.bar.length().unwrap_or(position);
        if let Some((name, last)) = &mut self.lines
            && (last.elapsed() >= LINE_EVERY || position >= total)
        {
            *last = Instant::now();
            let _ = writeln!(
                std::io::stderr(),
                "{name} {position}/{total} {message}  {} left",
                indicatif::HumanDuration(self.bar.eta())
            );
        }
        self.bar.set_message(message);
    }

    /// What shows a note beside the bar until the next step is told; for within a step, from wherever that runs. Where
    /// lines are written, it writes one as seldom as they are.
    pub(crate) fn note(&self) -> impl Fn(String) + Send + Sync + 'static {
        let bar = self.bar.clone();
        let lines = self.lines.as_ref().map(|(name, _)| (name.clone(), Mutex::new(Instant::now())));
        move |text| {
            if let Some((name, last)) = &lines {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    let total = bar.length().unwrap_or_default();
                    let _ = writeln!(std::io::stderr(), "{name} {}/{total} {text}", bar.position());
                }
            }
            bar.set_message(text);
        }
    }

    /// Writes a line above the bar.
    pub(crate) fn println(&self, text: impl AsRef<str>) {
        if self.lines.is_some() {
            let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
        } else {
            self.bar.println(text);
        }
    }

    /// Leaves the bar as it stands.
    pub(crate) fn finish(self) {
        self.bar.abandon();
    }
}
