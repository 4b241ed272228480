//! What `gdl cyclegan` and `gdl pix2pix` share: flags of networks and training, the bar, pictures in and out, conversion, export.

mod bar;
mod convert;
mod course;
mod dry_run;
mod export;
mod keep_best;
mod networks;
mod pictures;
mod scores;
mod train;

pub(crate) use bar::TrainingBar;
pub(crate) use convert::{ConvertArgs, convert};
pub(crate) use course::CourseArgs;
use dry_run::dry_run;
pub(crate) use export::export_onnx;
pub(crate) use keep_best::{KeepBestArgs, TrainedArgs, WhichArgs};
pub(crate) use networks::NetworkArgs;
pub(crate) use pictures::{Pictures, TileArgs, same_file};
pub(crate) use scores::{Distances, Likeness, Network, ScoreArgs, ScoreBar};
pub(crate) use train::{Request, check_pictures, train};

/// Every flag of the shared sets, for those that exclude them.
pub(crate) fn settings() -> Vec<&'static str> {
    [networks::FLAGS.as_slice(), course::FLAGS.as_slice(), keep_best::FLAGS.as_slice()].concat()
}
