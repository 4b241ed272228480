//! Models of other programs: state dicts of PyTorch in and out, and their vocabularies.

mod export;
mod import;
mod ours;
mod parts;
mod state_dict;
mod textgenrnn;
mod vocabulary;

pub use export::Names;
pub use import::{Import, ImportConfig};
pub use vocabulary::read_vocabulary;
