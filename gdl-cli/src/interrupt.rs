//! Ctrl-C while something long runs: the first asks it to stop where nothing is lost, the second ends the program at once.

use crate::progress::Verbosity;
use std::{
    fmt,
    io::{IsTerminal, Write},
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
};

/// The exit code of a program that Ctrl-C has ended, as shells have it: 128 and the signal's number.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether Ctrl-C has come. There is one of it, as there is one Ctrl-C.
static CAME: AtomicBool = AtomicBool::new(false);

/// Knows whether Ctrl-C has come since it was watched for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interrupt;

impl Interrupt {
    /// From here on Ctrl-C is only noted, and a second one ends the program.
    ///
    /// Where the program was started to ignore Ctrl-C, as a script's jobs in the background are, it goes on doing so.
    pub(crate) fn watch(verbosity: Verbosity) -> Self {
        // An error is such a start, or an earlier watch, whose note serves as well.
        let _ = ctrlc::try_set_handler(move || {
            if CAME.swap(true, Ordering::SeqCst) {
                std::process::exit(EXIT_CODE.into());
            }
            if verbosity > Verbosity::Quiet && std::io::stderr().is_terminal() {
                // Below the bar, which leaves its line open.
                let _ = writeln!(
                    std::io::stderr(),
                    "\nfinishing this step and saving; Ctrl-C again stops at once"
                );
            }
        });
        Self
    }

    /// Whether it has come.
    pub(crate) fn came(self) -> bool {
        CAME.load(Ordering::SeqCst)
    }

    /// What tells a loop to stop.
    pub(crate) fn flow(self) -> ControlFlow<()> {
        if self.came() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The end of what was interrupted: one line, with how to go on. The program's exit code is [`EXIT_CODE`].
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) String);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted {}", self.0)
    }
}

impl std::error::Error for Interrupted {}
