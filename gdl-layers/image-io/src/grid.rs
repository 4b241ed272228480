use candle_core::{DType, Device, Result, Tensor};

/// Rows of pictures on one white sheet, `gap` pixels apart and around.
///
/// A column is as wide as its widest picture, a row as high as its highest; smaller ones stand in the middle of their cell.
/// Rows may differ in length.
///
/// # Shape
/// Pictures are (3, H, W) or (1, H, W) in [0, 1], each of its own size; the sheet is (3, H', W') in f32 on the CPU.
///
/// # Errors
/// When there is no picture at all, or one has another shape.
///
/// # Example
/// ```
/// # use candle_core::{Device, Tensor};
/// # fn main() -> candle_core::Result<()> {
/// let black = Tensor::zeros((3, 4, 6), candle_core::DType::F32, &Device::Cpu)?;
/// let sheet = gdl_image_io::grid(&[vec![black.clone(), black.clone()], vec![black]], 2)?;
/// assert_eq!(sheet.dims(), [3, 2 + 4 + 2 + 4 + 2, 2 + 6 + 2 + 6 + 2]);
/// # Ok(()) }
/// ```
pub fn grid(rows: &[Vec<Tensor>], gap: usize) -> Result<Tensor> {
    let mut heights = vec![0; rows.len()];
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or(0)];
    for (i, row) in rows.iter().enumerate() {
        for (j, picture) in row.iter().enumerate() {
            let (c, h, w) = picture.dims3()?;
            if c != 1 && c != 3 {
                candle_core::bail!("grid: pictures are (3, H, W) or (1, H, W), got ({c}, {h}, {w})")
            }
            heights[i] = h.max(heights[i]);
            widths[j] = w.max(widths[j]);
        }
    }
    if widths.is_empty() {
        candle_core::bail!("grid: expected at least one picture, got none")
    }
    let height = heights.iter().sum::<usize>() + gap * (heights.len() + 1);
    let width = widths.iter().sum::<usize>() + gap * (widths.len() + 1);
    let mut sheet = vec![1f32; 3 * height * width];
    let mut top = gap;
    for (row, cell_h) in rows.iter().zip(&heights) {
        let mut left = gap;
        for (picture, cell_w) in row.iter().zip(&widths) {
            let (c, h, w) = picture.dims3()?;
            let pixels = picture.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            let (y0, x0) = (top + (cell_h - h) / 2, left + (cell_w - w) / 2);
            for (channel, y) in (0..3).flat_map(|k| (0..h).map(move |y| (k, y))) {
                let from = (channel.min(c - 1) * h + y) * w;
                let to = (channel * height + y0 + y) * width + x0;
                sheet[to..to + w].copy_from_slice(&pixels[from..from + w]);
            }
            left += cell_w + gap;
        }
        top += cell_h + gap;
    }
    Tensor::from_vec(sheet, (3, height, width), &Device::Cpu)
}
