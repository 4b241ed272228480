use crate::NstConfig;
use gdl_vgg::{Result, VggWeights};

/// The weights in half precision, with their own metadata and checksum.
const WEIGHTS: &[u8] = include_bytes!("network.safetensors");

/// A small network that was trained to see as VGG-19 sees, on pictures drawn by code: VGG-16's layers up to `relu4_1`, of 32,
/// 64, 128 and 192 channels.
///
/// [`NstConfig::builtin`] has the settings that suit it. How it was made, with what losses, and how it compares, is in
/// `docs/builtin-network.md` in the repository; the program that made it is beside this crate.
///
/// # Errors
/// Only as making tensors fails.
pub fn network() -> Result<VggWeights> {
    VggWeights::from_safetensors("the built-in network", WEIGHTS)
}

impl NstConfig {
    /// Settings for the network inside this crate, [`builtin::network`](crate::builtin::network).
    pub fn builtin() -> Self {
        Self::default()
    }
}
