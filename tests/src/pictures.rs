use crate::DEV;
use candle_core::{DType, Tensor};
use gdl_train::SharedRng;
use gdl_vgg::{Tap, VggConfig, VggWeights};

/// A picture of noise: (3, h, w) in [0, 1], f32.
pub fn noise_picture(h: usize, w: usize, seed: u64) -> Tensor {
    SharedRng::seed(seed).rand((3, h, w), 0.0, 1.0, DType::F32, &DEV).unwrap()
}

/// A VGG network of a few channels up to `relu3_1`.
pub fn small_vgg() -> VggWeights {
    let config = VggConfig { widths: [8, 12, 16, 16, 16], upto: Tap::relu(3, 1), ..VggConfig::default() };
    VggWeights::random(&config, 1).unwrap()
}
