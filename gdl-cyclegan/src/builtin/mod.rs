//! Two image domains drawn by code: the data inside the program, with the truth that real unpaired data lack.
//!
//! A scene is a small landscape: sky, sun, clouds, mountains, hills, perhaps a river or a path, houses and trees, all
//! placed by a seed. Each scene can be drawn in two looks:
//!
//! - [`Domain::A`], a bright summer noon in soft plain colours;
//! - [`Domain::B`], an autumn evening as a woodcut print: a glowing sky in bands, dark teal fields in bold
//!   stripes, red and orange trees, lit windows, everything outlined in ink.
//!
//! Geometry is the same in both, and so is the texture that lies under the colours; the colour of a pixel follows from
//! its object and its texture alone. So there is one natural translation, a network has to recognise the objects to
//! find it, and because every scene has a true counterpart its result can be scored.
//!
//! Training sets are unpaired: the scenes of A and those of B are never the same ones.
//!
//! The pictures are the result of arithmetic in Rust: the same seed gives the same pictures, every time. (Between
//! platforms the last bit of a sine may differ; that moves a pixel by less than one step of 8 bits.)

mod layout;
mod look;
mod paint;
mod texture;

pub use layout::Scene;

use candle_core::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// One of the two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Domain {
    /// Summer noon, plain colours.
    A,
    /// Autumn evening, woodcut print.
    B,
}

impl Domain {
    /// The other look.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl FromStr for Domain {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "A" | "a" => Ok(Self::A),
            "B" | "b" => Ok(Self::B),
            _ => Err(format!("there is no built-in domain '{name}'; use A or B")),
        }
    }
}

/// Which scenes: no scene is in two splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// To train on.
    Train,
    /// To measure on.
    Test,
}

/// The index of the scene that is picture number `i` of a set: never the same for two domains or two splits.
pub fn scene_index(domain: Domain, split: Split, i: usize) -> u64 {
    let split = match split {
        Split::Train => 0,
        Split::Test => 1 << 40,
    };
    let domain = match domain {
        Domain::A => 0,
        Domain::B => 1,
    };
    split + 2 * i as u64 + domain
}

/// The pictures of one domain.
///
/// # Shape
/// `count` pictures (3, size, size), in [0, 1], f32 on the CPU.
///
/// # Errors
/// When `size` is 0.
///
/// # Example
/// ```
/// use gdl_cyclegan::builtin::{Domain, Split, builtin_set, builtin_truth};
///
/// # fn main() -> candle_core::Result<()> {
/// let summer = builtin_set(Domain::A, Split::Test, 2, 32, 7)?;
/// let evening = builtin_truth(Domain::A, Split::Test, 2, 32, 7)?; // the same scenes, as B
/// assert_eq!(summer[1].dims(), evening[1].dims());
/// # Ok(()) }
/// ```
pub fn builtin_set(
    domain: Domain,
    split: Split,
    count: usize,
    size: usize,
    seed: u64,
) -> Result<Vec<Tensor>> {
    drawn(domain, split, count, size, seed, domain)
}

/// The true counterparts of [`builtin_set`] with the same arguments: its scenes, drawn in the other domain.
///
/// # Shape
/// `count` pictures (3, size, size), in [0, 1], f32 on the CPU.
///
/// # Errors
/// When `size` is 0.
pub fn builtin_truth(
    domain: Domain,
    split: Split,
    count: usize,
    size: usize,
    seed: u64,
) -> Result<Vec<Tensor>> {
    drawn(domain, split, count, size, seed, domain.other())
}

fn drawn(
    of: Domain,
    split: Split,
    count: usize,
    size: usize,
    seed: u64,
    look: Domain,
) -> Result<Vec<Tensor>> {
    (0..count).map(|i| Scene::new(seed, scene_index(of, split, i)).draw(look, size)).collect()
}

#[cfg(test)]
mod tests;
