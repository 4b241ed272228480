//! `gdl nst`: style transfer.

mod args;
mod pictures;
mod run;
mod weights;

pub(crate) use args::NstArgs;
pub(crate) use run::{PaintBar, run};
