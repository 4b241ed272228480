#![doc = include_str!("../README.md")]

mod config;
mod dropout;
mod grow;
mod residual;
mod unet_down;
mod unet_level;
mod unet_up;

pub use config::{
    ResidualBlockConfig, UnetDownConfig, UnetLevelConfig, UnetPosition, UnetUpConfig, Upsampling,
};
pub use gdl_norm::NormKind;
pub use grow::Grow;
pub use residual::ResidualBlock;
pub use unet_down::UnetDown;
pub use unet_level::UnetLevel;
pub use unet_up::UnetUp;
