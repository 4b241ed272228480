//! A state dict in the zip format, as `torch.save` writes it.

use super::WHAT;
use super::storage::storage_of;
use crate::{Error, Result, Tensors, atomic_write};
use candle_core::{DType, Device, Layout, Tensor, WithDType};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The folder inside the archive, by PyTorch's default.
const ROOT: &str = "archive";

pub(super) fn save(path: &Path, tensors: &Tensors) -> Result<()> {
    let pickle = pickled(path, tensors)?;
    atomic_write(path, |file| {
        let fault = |e: zip::result::ZipError| Error::format(path, WHAT, e);
        let mut zip = ZipWriter::new(BufWriter::new(file));
        entry(&mut zip, "data.pkl", &pickle).map_err(fault)?;
        entry(&mut zip, "byteorder", b"little").map_err(fault)?;
        for (number, tensor) in tensors.values().enumerate() {
            entry(&mut zip, &format!("data/{number}"), &bytes(tensor)?).map_err(fault)?;
        }
        entry(&mut zip, "version", b"3\n").map_err(fault)?;
        zip.finish().map_err(fault)?.flush().map_err(Error::io("write", path))
    })
}

/// Uncompressed and aligned, so that PyTorch can map it; of no date, so that equal weights are equal files.
fn entry(
    zip: &mut ZipWriter<BufWriter<&mut File>>,
    name: &str,
    content: &[u8],
) -> zip::result::ZipResult<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(content.len() >= 1 << 31)
        .with_alignment(64);
    zip.start_file(format!("{ROOT}/{name}"), options)?;
    zip.write_all(content)?;
    Ok(())
}

/// The pickle that makes an ordered dict of tensors, each the whole of a storage of its own.
fn pickled(path: &Path, tensors: &Tensors) -> Result<Vec<u8>> {
    let mut out = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (number, (name, tensor)) in tensors.iter().enumerate() {
        let Some(storage) = storage_of(tensor.dtype()) else {
            let message = format!("{name} is of the type {}, which PyTorch has not", tensor.dtype().as_str());
            return Err(Error::format(path, WHAT, message));
        };
        text(&mut out, name);
        out.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend_from_slice(format!("ctorch\n{storage}\n").as_bytes());
        text(&mut out, &number.to_string());
        text(&mut out, "cpu");
        integer(&mut out, tensor.elem_count());
        out.extend_from_slice(b"tQK\x00");
        for sizes in [tensor.dims(), Layout::contiguous(tensor.shape()).stride()] {
            out.push(b'(');
            sizes.iter().for_each(|size| integer(&mut out, *size));
            out.push(b't');
        }
        // requires_grad, and no hooks.
        out.extend_from_slice(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    out.extend_from_slice(b"u.");
    Ok(out)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn integer(out: &mut Vec<u8>, value: usize) {
    match i32::try_from(value) {
        Ok(value) => {
            out.push(b'J');
            out.extend_from_slice(&value.to_le_bytes());
        }
        Err(_) => {
            out.extend_from_slice(b"\x8a\x09");
            out.extend_from_slice(&(value as u64).to_le_bytes());
            out.push(0);
        }
    }
}

/// The tensor's numbers, little-endian.
fn bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
    fn of<T: WithDType, const N: usize>(flat: &Tensor, to: impl Fn(T) -> [u8; N]) -> Result<Vec<u8>> {
        Ok(flat.to_vec1::<T>()?.into_iter().flat_map(to).collect())
    }
    match flat.dtype() {
        DType::F32 => of(&flat, f32::to_le_bytes),
        DType::F64 => of(&flat, f64::to_le_bytes),
        DType::F16 => of(&flat, half::f16::to_le_bytes),
        DType::BF16 => of(&flat, half::bf16::to_le_bytes),
        DType::I64 => of(&flat, i64::to_le_bytes),
        DType::I32 => of(&flat, i32::to_le_bytes),
        DType::I16 => of(&flat, i16::to_le_bytes),
        DType::U8 => of(&flat, u8::to_le_bytes),
        other => {
            Err(Error::Tensor(candle_core::Error::Msg(format!("{other:?} has no place in a checkpoint"))))
        }
    }
}
