//! `gdl nst`: style transfer.

mod args;
mod film;
mod frames;
mod hash;
mod memory;
mod painting;
mod pictures;
mod recipe;
mod run;
mod saved;
mod sources;
mod told;
mod weights;

pub(crate) use args::NstArgs;
pub(crate) use painting::PaintBar;
pub(crate) use run::run;
