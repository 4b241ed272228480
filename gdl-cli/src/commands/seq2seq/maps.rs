//! Attention maps as files.

use super::picture::{Picture, picture};
use anyhow::Result;
use candle_core::{Device, Tensor};
use gdl_text::{AttentionMap, attention_map::page};
use std::path::{Path, PathBuf};

/// Pixels of a cell's side in a picture.
const CELL: usize = 24;

/// Writes maps to one page, or each to a picture of its own, numbered from the second on; gives how many there are.
pub(super) fn keep(maps: &[AttentionMap], path: &Path) -> Result<usize> {
    if path.extension().is_some_and(|end| end == "html") {
        gdl_train::atomic_write_bytes(path, page(maps, "Attention"))?;
        return Ok(maps.len());
    }
    for (n, map) in maps.iter().enumerate() {
        let Picture { width, height, rgb } = picture(map, CELL);
        let pixels: Vec<f32> = rgb.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let pixels = Tensor::from_vec(pixels, (height, width, 3), &Device::Cpu)?.permute((2, 0, 1))?;
        gdl_image_io::save_image(&pixels.contiguous()?, numbered(path, n))?;
    }
    Ok(maps.len())
}

fn numbered(path: &Path, n: usize) -> PathBuf {
    if n == 0 {
        return path.to_path_buf();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{}.png", n + 1))
}
