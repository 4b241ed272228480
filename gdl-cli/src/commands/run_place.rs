//! Run directories: which command they belong to, and what becomes of a new one when the training in it fails.

use anyhow::{Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a training writes into its run's directory.
const FILES: [&str; 8] = [
    "config.json",
    "metrics.jsonl",
    "speed.jsonl",
    "index.html",
    "tokenizer.json",
    "source-tokenizer.json",
    "best.safetensors",
    "weights.safetensors",
];
const FOLDERS: [&str; 3] = ["samples", "state", "tensorboard"];

/// A place for a run, as it was before the run was made.
#[derive(Debug)]
pub(crate) struct RunPlace {
    path: PathBuf,
    /// The folders that were not there, innermost first.
    missing: Vec<PathBuf>,
    /// Whether there was a run.
    taken: bool,
}

impl RunPlace {
    /// Looks at the place before anything is made there.
    pub(crate) fn look(path: &Path) -> Self {
        let missing = path.ancestors().filter(|p| !p.as_os_str().is_empty());
        Self {
            path: path.to_path_buf(),
            missing: missing.take_while(|p| !p.exists()).map(Path::to_path_buf).collect(),
            taken: path.join(FILES[0]).exists(),
        }
    }

    /// Passes on how a training ended. One that failed before its first checkpoint is removed: it could not be resumed,
    /// and would only be in the way of the next.
    pub(crate) fn unless_saved<T, E>(&self, trained: Result<T, E>) -> Result<T, E> {
        let saved = self.path.join("weights.safetensors").exists();
        if trained.is_err() && !self.taken && !saved {
            for file in FILES {
                let _ = fs::remove_file(self.path.join(file));
            }
            for folder in FOLDERS {
                let _ = fs::remove_dir_all(self.path.join(folder));
            }
            for folder in &self.missing {
                // Refused, and rightly, where somebody else has put something in.
                let _ = fs::remove_dir(folder);
            }
        }
        trained
    }
}

/// The command that a run was trained by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    CycleGan,
    Pix2Pix,
    Text,
    Seq2Seq,
    Qa,
}

impl Kind {
    /// What a run of this kind is trained and used with.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::CycleGan => "gdl cyclegan",
            Self::Pix2Pix => "gdl pix2pix",
            Self::Text => "gdl text",
            Self::Seq2Seq => "gdl seq2seq",
            Self::Qa => "gdl text qa",
        }
    }

    /// Refuses a run of another command, which the library could only call unreadable. What is no run at all, the
    /// library says better.
    pub(crate) fn check(self, run: &Path) -> Result<()> {
        let config = fs::read(run.join(FILES[0])).ok();
        let config = config.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        let kind = config.and_then(|config| match (config.get("kind"), config.get("data")) {
            (Some(kind), None) if kind == "sequence-to-sequence" => Some(Self::Seq2Seq),
            (Some(kind), None) if kind == "question-answer" => Some(Self::Qa),
            (Some(_), None) => Some(Self::Text),
            (None, Some(data)) if data.get("pairs").is_some() => Some(Self::Pix2Pix),
            (None, Some(_)) => Some(Self::CycleGan),
            _ => None,
        });
        if let Some(kind) = kind {
            let [is, wanted] = [kind, self].map(Self::command);
            ensure!(
                kind == self,
                "{}: is a run of `{is} train`; use it with `{is}`, or name a run of `{wanted} train`",
                run.display()
            );
        }
        Ok(())
    }
}
