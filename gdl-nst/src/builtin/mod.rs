//! Pictures inside the program, drawn by code: one to paint and several painted ones, at any size.
//!
//! [`content`] is a harbour with clear shapes and smooth gradients; a [`Style`] is a picture with strong brushwork.
//! They make style transfer possible with no file at hand, and their rights are clear.
//!
//! The same size gives the same picture, every time; another size is the same picture, finer or coarser.
//!
//! ```
//! use gdl_nst::builtin::{Style, content, style};
//!
//! # fn main() -> candle_core::Result<()> {
//! assert_eq!(content(64)?.dims(), [3, 48, 64]);
//! assert_eq!(style(Style::Swirl, 48)?.dims(), [3, 48, 48]);
//! # Ok(()) }
//! ```

mod glass;
mod harbor;
mod meadow;
mod network;
mod stroke;
mod swirl;
mod woodcut;

pub use harbor::content;
pub use network::network;

use candle_core::{Result, Tensor};
use gdl_image_io::draw::Canvas;
use gdl_image_io::{Filter, resize};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The style pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// A night sky in thick curved strokes that follow its whirls, over a field of gold.
    Swirl,
    /// A stained-glass window: pieces of lit glass between dark leads.
    Glass,
    /// A woodcut in indigo, vermilion and ochre on cream: carved lines that swell and thin out.
    Woodcut,
    /// A summer meadow in short dabs of broken colour.
    Meadow,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Swirl, Self::Glass, Self::Woodcut, Self::Meadow];

    /// The name by which [`FromStr`] knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swirl => "swirl",
            Self::Glass => "glass",
            Self::Woodcut => "woodcut",
            Self::Meadow => "meadow",
        }
    }
}

impl FromStr for Style {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let known = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| format!("there is no built-in style '{name}'; use one of {known}"))
    }
}

/// A style picture.
///
/// # Shape
/// (3, size, size), in [0, 1], f32 on the CPU.
///
/// # Errors
/// When `size` is 0.
pub fn style(style: Style, size: usize) -> Result<Tensor> {
    drawn(size, size, |canvas| match style {
        Style::Swirl => swirl::paint(canvas),
        Style::Glass => glass::paint(canvas),
        Style::Woodcut => woodcut::paint(canvas),
        Style::Meadow => meadow::paint(canvas),
    })
}

/// Draws on a canvas one unit wide and twice as fine as the picture, and averages: textures are antialiased too.
fn drawn(height: usize, width: usize, paint: impl FnOnce(&mut Canvas)) -> Result<Tensor> {
    if height == 0 || width == 0 {
        candle_core::bail!("builtin: the size of a picture must be at least 1, got 0")
    }
    let mut canvas = Canvas::new(2 * height, 2 * width, 2.0 * width as f32, [0.0; 3]);
    paint(&mut canvas);
    resize(&canvas.to_tensor()?, height, width, Filter::Box)
}

#[cfg(test)]
mod tests;
