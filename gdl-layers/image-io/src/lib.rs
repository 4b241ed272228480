#![doc = include_str!("../README.md")]

mod alpha;
mod color;
mod crop;
mod decode;
#[cfg(feature = "draw")]
pub mod draw;
mod error;
mod folder;
mod grid;
mod jpeg;
mod load;
mod pattern;
mod pixels;
mod planes;
mod png;
mod preprocess;
mod range;
mod resize;
mod save;
mod tiff;

pub use alpha::{over_mean_color, resize_with_alpha};
pub use crop::{center_crop, crop, flip_horizontal, random_crop, random_flip};
pub use error::{Error, Result};
pub use folder::{ImageFolder, images_at, list_images};
pub use grid::grid;
pub use load::{LoadOptions, decode_image, image_depth, image_size, load_image, load_image_alpha};
pub use pattern::expand_pattern;
pub use png::png_text;
pub use preprocess::Preprocess;
pub use range::Range;
pub use resize::{Filter, resize, resize_longer_side, resize_shorter_side};
pub use save::{
    BitDepth, EXTENSIONS, SaveOptions, check_writable, encode_jpeg, encode_png, keeps_16_bits, keeps_alpha,
    save_image, save_image_alpha, save_image_with,
};
