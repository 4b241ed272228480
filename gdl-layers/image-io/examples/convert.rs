//! Reads a picture and writes it in another format, with its alpha and its depth:
//!
//! ```text
//! cargo run --release -p gdl-image-io --example convert -- IN.tif OUT.png
//! ```

use gdl_image_io::{LoadOptions, SaveOptions, image_depth, load_image_alpha, save_image_alpha};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (Some(input), Some(output)) = (std::env::args().nth(1), std::env::args().nth(2)) else {
        return Err("usage: convert IN OUT".into());
    };
    let (picture, alpha) = load_image_alpha(&input, &LoadOptions::default())?;
    let options = SaveOptions { depth: image_depth(&input)?, ..SaveOptions::default() };
    Ok(save_image_alpha(&picture, alpha.as_ref(), &output, &options)?)
}
