use crate::SaveOptions;
use crate::error::{Error, Result};
use crate::pixels::Planes;
use crate::save::{format_of, not_writable, write};
use candle_core::Tensor;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// Writes a picture with the default [`SaveOptions`]; see [`save_image_with`].
///
/// # Errors
/// As [`save_image_with`].
pub fn save_image(picture: &Tensor, path: impl AsRef<Path>) -> Result<()> {
    save_image_with(picture, path, &SaveOptions::default())
}

/// Writes a picture in [0, 1] to a file whose extension names the format.
///
/// Values are clamped to [0, 1], rounded to the nearest step, and sRGB: a PNG says so, in the other formats a file without a
/// profile is. The file is written to a temporary in the same folder, synced and renamed: a reader sees the old file or
/// the new one, never half of one.
///
/// # Shape
/// (3, H, W) as RGB or (1, H, W) as grey; any float type, on any device.
///
/// # Errors
/// An unknown extension, a folder that cannot be written, a picture with NaN or infinite values, a wrong shape, a text that
/// cannot be stored.
pub fn save_image_with(picture: &Tensor, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
    save_image_alpha(picture, None, path, options)
}

/// Writes a picture with its alpha, both in [0, 1], as [`load_image_alpha`](crate::load_image_alpha) gives them; otherwise as
/// [`save_image_with`].
///
/// Colours are not multiplied with alpha. JPEG and BMP have no alpha ([`keeps_alpha`](crate::keeps_alpha) tells): there the picture is laid over
/// [`SaveOptions::background`].
///
/// # Shape
/// (3, H, W) or (1, H, W), and alpha (1, H, W).
///
/// # Errors
/// As [`save_image_with`]; alpha of another size.
pub fn save_image_alpha(
    picture: &Tensor,
    alpha: Option<&Tensor>,
    path: impl AsRef<Path>,
    options: &SaveOptions,
) -> Result<()> {
    let path = path.as_ref();
    let format = format_of(path)?;
    let planes = Planes::new(picture, alpha, path)?;
    write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        write(&planes, &mut out, path, format, options)?;
        out.flush().map_err(|e| not_writable(path, e))
    })
}

/// Finds out, before any work is done, whether [`save_image`] to this path could succeed. Leaves nothing behind.
///
/// # Errors
/// An unknown extension, a directory in its place, a folder that is missing or cannot be written.
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    format_of(path)?;
    temporary_for(path).map(drop)
}

fn temporary_for(path: &Path) -> Result<tempfile::NamedTempFile> {
    let refuse = |reason: &str| Error::NotWritable { path: path.to_path_buf(), reason: reason.to_string() };
    if path.is_dir() {
        return Err(refuse("it is a directory"));
    }
    if std::fs::metadata(path).is_ok_and(|m| m.permissions().readonly()) {
        return Err(refuse("the file there is read-only"));
    }
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    };
    match std::fs::metadata(&folder) {
        Err(_) => return Err(refuse(&format!("the folder {} does not exist", folder.display()))),
        Ok(m) if !m.is_dir() => return Err(refuse(&format!("{} is not a folder", folder.display()))),
        Ok(_) => {}
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gdl-").suffix(".tmp");
    // A temporary is private by default; the picture gets what the user's umask gives to any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(&folder).map_err(|e| not_writable(path, e))
}

fn write_whole(path: &Path, write: impl FnOnce(&mut std::fs::File) -> Result<()>) -> Result<()> {
    let mut temporary = temporary_for(path)?;
    write(temporary.as_file_mut())?;
    temporary
        .as_file_mut()
        .rewind()
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(|e| not_writable(path, e))?;
    temporary.persist(path).map_err(|e| not_writable(path, e.error))?;
    Ok(())
}
