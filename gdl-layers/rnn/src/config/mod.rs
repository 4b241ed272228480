//! What recurrent layers are made of.

mod gru;
mod lstm;
mod shape;

pub use gru::GruConfig;
pub use lstm::LstmConfig;
pub(crate) use shape::StackShape;

// Defaults of fields that a configuration may leave out.
fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}
