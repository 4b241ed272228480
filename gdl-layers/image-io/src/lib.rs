#![doc = include_str!("../README.md")]

mod alpha;
mod color;
mod crop;
mod decode;
#[cfg(feature = "draw")]
pub mod draw;
mod error;
#[cfg(feature = "files")]
mod folder;
mod grid;
mod jpeg;
mod load;
#[cfg(feature = "files")]
mod load_file;
#[cfg(feature = "files")]
mod pattern;
mod pixels;
mod planes;
mod png;
#[cfg(feature = "files")]
mod png_text;
mod preprocess;
mod range;
mod resize;
mod save;
#[cfg(feature = "files")]
mod save_file;
mod tiff;

pub use alpha::{over_mean_color, resize_with_alpha};
pub use crop::{center_crop, crop, flip_horizontal, random_crop, random_flip};
pub use error::{Error, Result};
pub use grid::grid;
pub use load::{LoadOptions, decode_image};
pub use preprocess::Preprocess;
pub use range::Range;
pub use resize::{Filter, resize, resize_longer_side, resize_shorter_side};
pub use save::{
    BitDepth, EXTENSIONS, SaveOptions, encode_image, encode_jpeg, encode_png, keeps_16_bits, keeps_alpha,
};
#[cfg(feature = "files")]
pub use {
    folder::{ImageFolder, images_at, list_images},
    load_file::{image_depth, image_size, load_image, load_image_alpha},
    pattern::expand_pattern,
    png_text::png_text,
    save_file::{check_writable, save_image, save_image_alpha, save_image_with},
};
