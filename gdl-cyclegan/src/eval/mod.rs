//! How good translations are: picture by picture where the truth is known ([`psnr`], [`ssim`]), else as sets of pictures
//! ([`kid`], [`fid`]).
//!
//! # KID and FID here
//! Both compare two sets of feature vectors. Here these are the maps of a VGG network at one [tap](FeatureNet), averaged over
//! the picture: values are comparable with one another under the same weights, tap and size of the pictures, and **not**
//! with published ones, for which an Inception network is used.
//!
//! KID is unbiased, so it can be compared between sets of different sizes. FID is biased upward: a few pictures lie apart
//! more than many do, the more so the fewer they are. Compare FID only between sets of the same sizes, and with the FID of
//! doing nothing on the same pictures. With fewer pictures than features the covariances are singular; the value is well
//! defined all the same, and computed without inverting or taking roots of them (see [`fid`]).

mod estimate;
mod features;
mod fid;
mod kid;
mod nuclear_norm;
mod pictures;
mod psnr;
mod score;
mod similarity;
mod ssim;
mod test_set;

pub use estimate::Estimate;
pub use features::{FeatureNet, Features, random_network};
pub use fid::{FidConfig, fid, fid_estimate};
pub use kid::{KidConfig, kid, kid_estimate};
pub use pictures::{Part, Pictures};
pub use psnr::psnr;
pub use score::{Score, score};
pub use similarity::Similarity;
pub use ssim::ssim;
pub use test_set::{SCENES, TestOptions, TestSet, Translated};
