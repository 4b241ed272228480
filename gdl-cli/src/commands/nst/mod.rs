//! `gdl nst`: style transfer.

mod args;
mod memory;
mod pictures;
mod run;
mod weights;

pub(crate) use args::NstArgs;
pub(crate) use run::{PaintBar, run};
