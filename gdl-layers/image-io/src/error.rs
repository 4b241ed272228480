use std::path::PathBuf;

/// The result of an operation on image files.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with image files. Every message is one line, with the path and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at this path.
    #[error("{}: no such file or directory; check the path", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file was expected, and there is a directory.
    #[error("{}: is a directory; name an image file", path.display())]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A directory was expected, and there is a file.
    #[error("{}: is not a directory; name a folder of images", path.display())]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// The content is no image in any format known here.
    #[error("{}: not an image (its content is no {KNOWN}); give an image file", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// The file is an image but ends early or is damaged.
    #[error("{}: the image is truncated or damaged ({reason}); copy or export it again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The format, or a variant of it, is recognised but cannot be read.
    #[error("{}: cannot read {what}; convert it to PNG or JPEG", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The format or the feature.
        what: String,
    },
    /// The file is empty, or the image has no pixels.
    #[error("{}: the image is empty (no bytes or no pixels); give one with at least one pixel", path.display())]
    ZeroSize {
        /// The file.
        path: PathBuf,
    },
    /// The image has more pixels than allowed.
    #[error("{}: {width}x{height} is more than the {max_pixels} pixels allowed; scale it down first", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The limit it met ([`LoadOptions::max_pixels`](crate::LoadOptions::max_pixels)).
        max_pixels: u64,
    },
    /// A folder holds no image.
    #[error("{}: no images in this folder (looked for .{KNOWN_EXT}); check the path", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
    },
    /// The name to write to has an extension that names no format.
    #[error("{}: the extension does not name an image format that can be written; use .{KNOWN_EXT}", path.display())]
    UnknownExtension {
        /// The path to write to.
        path: PathBuf,
    },
    /// A file cannot be written there.
    #[error("{}: cannot write here ({reason}); choose another output path", path.display())]
    NotWritable {
        /// The path to write to.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A picture to be written holds a NaN or an infinity.
    #[error("{}: not written, the picture holds NaN or infinite values; look at what made it", path.display())]
    NonFinite {
        /// The path that was to be written.
        path: PathBuf,
    },
    /// A text for the file's metadata cannot be stored.
    #[error("{}: not written, its text cannot be stored ({reason}); leave the text out or change it", path.display())]
    Text {
        /// The path that was to be written.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern of file names makes no sense.
    #[error("{pattern}: not a pattern of file names ({reason}); see * ? [a-z] **")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No image fits a pattern of file names.
    #[error("{pattern}: no images fit this pattern (looked for .{KNOWN_EXT}); check the path")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// Encoding failed.
    #[error("{}: could not encode the image ({reason}); try .png", path.display())]
    Encode {
        /// The path that was to be written.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
    /// Reading failed in the file system.
    #[error("{}: cannot read ({source}); check the permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A tensor has the wrong shape, or a tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

const KNOWN: &str = "PNG, JPEG, WebP, TIFF or BMP";
const KNOWN_EXT: &str = "png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp";

impl Error {
    /// A failure of the file system while reading `path`.
    pub(crate) fn read(path: &std::path::Path, source: std::io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, source },
        }
    }
}

/// A decoder's message on one line.
pub(crate) fn one_line(message: impl std::fmt::Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
