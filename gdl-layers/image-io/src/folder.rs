use crate::error::{Error, Result};
use crate::{EXTENSIONS, LoadOptions, load_image};
use candle_core::Tensor;
use std::path::{Path, PathBuf};

/// The image files in a folder, sorted by name. Known by extension (case does not matter); no sub-folders, no hidden files.
///
/// # Errors
/// A path that is missing, is no folder or cannot be read, and a folder without images.
pub fn list_images(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    let meta = std::fs::metadata(folder).map_err(|e| Error::read(folder, e))?;
    if !meta.is_dir() {
        return Err(Error::NotADirectory { path: folder.to_path_buf() });
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| Error::read(folder, e))? {
        let path = entry.map_err(|e| Error::read(folder, e))?.path();
        if has_known_extension(&path) && path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Error::NoImages { path: folder.to_path_buf() });
    }
    found.sort();
    Ok(found)
}

/// What an input argument names: the file itself, or every image in the folder.
///
/// # Errors
/// As [`list_images`]. A single file is not opened yet.
pub fn images_at(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    let meta = std::fs::metadata(path).map_err(|e| Error::read(path, e))?;
    if meta.is_dir() { list_images(path) } else { Ok(vec![path.to_path_buf()]) }
}

pub(crate) fn has_known_extension(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    !hidden && extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// A folder of images, listed once and read one picture at a time.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    paths: Vec<PathBuf>,
    options: LoadOptions,
}

impl ImageFolder {
    /// Lists a folder; pictures are read later, by [`ImageFolder::load`].
    ///
    /// # Errors
    /// As [`list_images`].
    pub fn open(folder: impl AsRef<Path>, options: LoadOptions) -> Result<Self> {
        Ok(Self { paths: list_images(folder)?, options })
    }

    /// How many images there are; at least one.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there are none; never, after [`ImageFolder::open`].
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The files, sorted by name.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads picture number `index`.
    ///
    /// # Shape
    /// (3, H, W), in [0, 1]; each picture has its own size.
    ///
    /// # Errors
    /// As [`load_image`]; an index beyond the end.
    pub fn load(&self, index: usize) -> Result<Tensor> {
        match self.paths.get(index) {
            Some(path) => load_image(path, &self.options),
            None => Err(Error::Tensor(candle_core::Error::Msg(format!(
                "ImageFolder: there is no image {index} among {}",
                self.paths.len()
            )))),
        }
    }
}
