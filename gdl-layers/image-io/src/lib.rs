#![doc = include_str!("../README.md")]

mod crop;
#[cfg(feature = "draw")]
pub mod draw;
mod error;
mod folder;
mod grid;
mod jpeg;
mod load;
mod preprocess;
mod range;
mod resize;
mod save;

pub use crop::{center_crop, crop, flip_horizontal, random_crop, random_flip};
pub use error::{Error, Result};
pub use folder::{ImageFolder, images_at, list_images};
pub use grid::grid;
pub use load::{LoadOptions, decode_image, image_depth, image_size, load_image};
pub use preprocess::Preprocess;
pub use range::Range;
pub use resize::{Filter, resize, resize_longer_side, resize_shorter_side};
pub use save::{
    BitDepth, EXTENSIONS, SaveOptions, check_writable, encode_jpeg, encode_png, save_image, save_image_with,
};
