/// What can go wrong in a style transfer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting outside its range.
    #[error("{key}: {message}")]
    Setting {
        /// The setting's name, as in [`NstConfig`](crate::NstConfig).
        key: &'static str,
        /// What it must be and what it was.
        message: String,
    },
    /// A picture that is not (3, H, W), or has no pixels.
    #[error("the {what} picture must have shape (3, H, W) with at least one pixel, not {shape:?}")]
    Picture {
        /// Which one: "content", "style".
        what: &'static str,
        /// The shape it has.
        shape: Vec<usize>,
    },
    /// A picture with NaN or infinite values.
    #[error("the {what} picture has values that are not finite")]
    PictureNotFinite {
        /// Which one: "content", "style".
        what: &'static str,
    },
    /// A picture for which the memory does not do, whatever the tiles.
    #[error(
        "a picture of {width}x{height} takes {:.1} GB at least, in the smallest tiles, and max_memory is {:.1} GB: \
         allow it more, or ask for a smaller size",
        (*least as f64 / 1e8).ceil() / 10.0, *most as f64 / 1e9
    )]
    Memory {
        /// Height of the picture.
        height: usize,
        /// Width of the picture.
        width: usize,
        /// Bytes that would do.
        least: u64,
        /// Bytes that were allowed.
        most: u64,
    },
    /// A loss or a gradient that is not finite, also after retries; the picture stands as it was before this step.
    #[error(
        "step {step}: the {what} is {value}, also after {retries} retries at half the rate each: try a lower \
         learning rate, smaller weights, or the other optimizer"
    )]
    NotFinite {
        /// The step that was tried, from 1.
        step: usize,
        /// What: "content loss", "style loss", "gradient".
        what: &'static str,
        /// What it came to.
        value: f64,
        /// How often it was retried.
        retries: usize,
    },
    /// A style cache that is damaged, or was made with other settings than it is used with.
    #[error("{origin}: {message}; make it anew from the picture")]
    StyleCache {
        /// The file, or what stands for it.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// A saved state that does not belong to these pictures or settings, or is damaged.
    #[error("the saved state of a style transfer does not fit: {0}")]
    State(String),
    /// The optimizer's state, or a file of tensors.
    #[error(transparent)]
    Optimizer(#[from] gdl_train::Error),
    /// Taps and weights of the network.
    #[error(transparent)]
    Vgg(#[from] gdl_vgg::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
