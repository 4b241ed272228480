//! State dicts of PyTorch: `.pth` files of named tensors, read without executing anything.

mod archive;
mod legacy;
mod pickle;
mod state;
mod storage;
mod write;

use crate::{Error, Result, Tensors};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a message calls such a file.
const WHAT: &str = "PyTorch checkpoint";
const ZIP: &[u8] = b"PK\x03\x04";

/// Whether a file begins as `torch.save` begins one, in the zip format or in the one before PyTorch 1.6.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn is_pth(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    let mut head = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(legacy::MAGIC.len() as u64).read_to_end(&mut head).map_err(Error::io("read", path))?;
    Ok(head.starts_with(ZIP) || head == legacy::MAGIC)
}

/// Reads the tensors of a `.pth` file whose names `wanted` wants, onto the CPU.
///
/// The file is a state dict, or a dict with one under `state_dict`, in the zip format or in the one before PyTorch 1.6. Its
/// pickle is read as data: nothing named in it is looked up or called, and a file that names anything but tensors and what
/// they are made of is refused. Tensors are contiguous in the result, whatever their strides were.
///
/// # Errors
/// [`Error::Io`], and [`Error::Format`] saying what is wrong or is refused.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use gdl_train::{Tensors, load_pth, save_pth};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("latest_net_G.pth");
///
/// let weights = Tensors::from([("model.1.bias".to_string(), Tensor::new(&[1f32, 2.0], &Device::Cpu)?)]);
/// save_pth(&path, &weights)?;
/// assert_eq!(load_pth(&path, |_| true)?["model.1.bias"].to_vec1::<f32>()?, [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load_pth(path: impl AsRef<Path>, wanted: impl Fn(&str) -> bool) -> Result<Tensors> {
    let path = path.as_ref();
    let mut head = [0; 4];
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let read = match file.read_exact(&mut head) {
        Ok(()) if head == *ZIP => archive::load(path, &wanted),
        Ok(()) => legacy::load(path, &wanted),
        Err(_) => Err("it is empty".to_string()),
    };
    read.map_err(|message| Error::format(path, WHAT, message))
}

/// Writes tensors as `torch.save` writes a state dict, in the zip format: whole or not at all.
///
/// `torch.load` reads it, with `weights_only=True` too. The same tensors give the same bytes.
///
/// # Errors
/// [`Error::Io`] with the path, and [`Error::Format`] where a tensor is of a type that PyTorch has not.
pub fn save_pth(path: impl AsRef<Path>, tensors: &Tensors) -> Result<()> {
    write::save(path.as_ref(), tensors)
}
