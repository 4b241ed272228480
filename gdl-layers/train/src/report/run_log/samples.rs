use super::Page;
use crate::events::{EventWriter, Picture};
use crate::{Error, Result, RunDir};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a model has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sample {
    /// A sheet of pictures.
    Sheet {
        /// As it is shown while it is the newest.
        newest: Picture,
        /// As it is shown among the earlier ones: smaller.
        earlier: Picture,
    },
    /// A text.
    Text(String),
}

/// Samples on a page, the newest included.
const KEPT: usize = 9;

/// Which of `n` samples a page shows: the newest, and earlier ones evenly from the first on. As `n` grows none is shown again
/// that was left out, but for the newest.
fn is_shown(index: usize, n: usize) -> bool {
    let mut stride = 1;
    while n.div_ceil(stride) + 1 > KEPT {
        stride *= 2;
    }
    index.is_multiple_of(stride) || index + 1 == n
}

/// Where the sample of that step is to be written: `samples/step-N.EXTENSION`. Makes the folder.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn sample_path(run: &RunDir, step: u64, extension: &str) -> Result<PathBuf> {
    let folder = run.samples_path();
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    Ok(folder.join(format!("step-{step:08}.{extension}")))
}

/// The samples that a run has written up to that step, by step.
fn sample_files(run: &RunDir, upto: u64, extension: &str) -> Result<Vec<(u64, PathBuf)>> {
    let folder = run.samples_path();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", &folder)(e)),
    };
    let step = |path: &PathBuf| {
        let stem = path.file_stem()?.to_str()?.strip_prefix("step-")?;
        path.extension().filter(|e| *e == extension).and_then(|_| stem.parse::<u64>().ok())
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = paths.filter_map(|path| Some((step(&path)?, path))).collect();
    files.retain(|(step, _)| *step <= upto);
    files.sort();
    Ok(files)
}

/// The samples that a page shows, each with its number among all.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<(usize, u64, Sample)>);

/// Narrower pictures are drawn with hard edges when they are shown larger than they are.
const PIXELATED_BELOW: u32 = 800;

impl Samples {
    /// Of those that a run has written up to that step, the ones to show; what `load` cannot read is left out.
    pub(super) fn recall(
        run: &RunDir,
        upto: u64,
        extension: &str,
        load: impl Fn(&Path) -> Option<Sample>,
    ) -> Result<Self> {
        let files = sample_files(run, upto, extension)?;
        let n = files.len();
        let shown = files.into_iter().enumerate().filter(|(i, _)| is_shown(*i, n));
        Ok(Self(shown.filter_map(|(i, (step, path))| Some((i, step, load(&path)?))).collect()))
    }

    pub(super) fn push(&mut self, step: u64, sample: Sample) {
        // A step's sample takes the place of an earlier one.
        self.0.retain(|(_, at, _)| *at < step);
        let index = self.0.last().map_or(0, |(i, ..)| i + 1);
        self.0.push((index, step, sample));
        self.0.retain(|(i, ..)| is_shown(*i, index + 1));
    }

    pub(super) fn truncate_after(&mut self, step: u64) {
        self.0.retain(|(_, at, _)| *at <= step);
    }

    /// Writes the newest, for TensorBoard.
    pub(super) fn log(events: &mut EventWriter, step: u64, sample: &Sample) -> Result<()> {
        match sample {
            Sample::Sheet { newest, .. } => events.image(step, "samples", newest),
            // Markdown: indented by four it is shown as it is.
            Sample::Text(text) => {
                let lines: Vec<_> = text.lines().map(|line| format!("    {line}")).collect();
                events.text(step, "sample", &lines.join("\n"))
            }
        }
    }

    pub(super) fn newest(&self, page: &mut Page, columns: &[&str]) {
        if let Some((_, step, sample)) = self.0.last() {
            page.section("Samples", "");
            show(page, *step, sample, columns, true);
        }
    }

    /// All but the newest, backwards.
    pub(super) fn earlier(&self, page: &mut Page, columns: &[&str]) {
        if self.0.len() > 1 {
            page.section("Earlier samples", "");
        }
        for (_, step, sample) in self.0.iter().rev().skip(1) {
            show(page, *step, sample, columns, false);
        }
    }
}

fn show(page: &mut Page, step: u64, sample: &Sample, columns: &[&str], is_newest: bool) {
    let heading = format!("step {step}");
    match sample {
        Sample::Sheet { newest, earlier } => {
            let picture = if is_newest { newest } else { earlier };
            page.heading(&heading);
            let caption = format!("samples of {heading}");
            page.sheet(&picture.bytes, columns, &caption, newest.width < PIXELATED_BELOW);
        }
        Sample::Text(text) => page.passage(&heading, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_are_kept_evenly_from_the_first_to_the_last() {
        let mut samples = Samples::default();
        for step in 0..1000 {
            samples.push(step, Sample::Text(String::new()));
            let steps: Vec<_> = samples.0.iter().map(|(_, step, _)| *step).collect();
            assert!(steps.len() <= KEPT && steps[0] == 0 && steps.last() == Some(&step), "{steps:?}");
            let gaps: Vec<_> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(
                gaps.iter().all(|gap| *gap <= gaps[0])
                    && gaps.iter().rev().skip(1).all(|gap| *gap == gaps[0]),
                "{steps:?}"
            );
        }
        samples.truncate_after(500);
        assert!(samples.0.len() > 3 && samples.0.iter().all(|(_, step, _)| *step <= 500));
    }

    #[test]
    fn those_of_an_earlier_call_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(dir.path().join("run"), &1, crate::OnExisting::Refuse).unwrap();
        assert!(sample_files(&run, 9, "txt").unwrap().is_empty());
        for step in [30, 10, 20] {
            fs::write(sample_path(&run, step, "txt").unwrap(), format!("of {step}")).unwrap();
        }
        fs::write(run.samples_path().join("notes.txt"), "").unwrap();
        fs::write(run.samples_path().join("step-5.png"), "").unwrap();
        let load = |path: &Path| Some(Sample::Text(fs::read_to_string(path).ok()?));
        let samples = Samples::recall(&run, 20, "txt", load).unwrap();
        let of = |step: u64| Sample::Text(format!("of {step}"));
        assert_eq!(samples.0, [(0, 10, of(10)), (1, 20, of(20))]);
    }
}
