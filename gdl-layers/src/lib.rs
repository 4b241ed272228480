#![doc = include_str!("../README.md")]

#[cfg(feature = "blocks")]
#[doc(inline)]
pub use gdl_blocks as blocks;
#[cfg(feature = "conv")]
#[doc(inline)]
pub use gdl_conv as conv;
#[cfg(feature = "image-io")]
#[doc(inline)]
pub use gdl_image_io as image_io;
#[cfg(feature = "instance-norm")]
#[doc(inline)]
pub use gdl_instance_norm as instance_norm;
#[cfg(feature = "kernels")]
#[doc(inline)]
pub use gdl_kernels as kernels;
#[cfg(feature = "norm")]
#[doc(inline)]
pub use gdl_norm as norm;
#[cfg(feature = "patchgan")]
#[doc(inline)]
pub use gdl_patchgan as patchgan;
#[cfg(feature = "rnn")]
#[doc(inline)]
pub use gdl_rnn as rnn;
#[cfg(feature = "seq2seq")]
#[doc(inline)]
pub use gdl_seq2seq as seq2seq;
#[cfg(feature = "train")]
#[doc(inline)]
pub use gdl_train as train;
#[cfg(feature = "vgg")]
#[doc(inline)]
pub use gdl_vgg as vgg;
