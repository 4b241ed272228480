use super::VggWeights;
use crate::{Arch, Error, Result, STANDARD_WIDTHS, Tap};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::Metadata;
use std::collections::BTreeMap;
use std::ops::Range;

const WHAT: &str = "safetensors file";
/// A header of VGG takes 4 kB; one of more than this is something else.
const MAX_HEADER: u64 = 1 << 20;
/// Bytes between two tensors that are read along rather than asked for apart.
const MAX_GAP: u64 = 64 << 10;
/// The largest piece asked for at once: progress is seen, and a failure costs no more than this.
const MAX_PIECE: u64 = 8 << 20;

/// Something that gives bytes by their place: a file on a disk, or one on a server that takes byte ranges.
pub trait RangeSource {
    /// What it is called in messages.
    fn origin(&self) -> String;

    /// The bytes of `range`; fewer when the file ends before.
    ///
    /// # Errors
    /// When they cannot be had.
    fn read_range(&mut self, range: Range<u64>) -> Result<Vec<u8>>;
}

/// Reads from a `.safetensors` file only the convolutions of `arch` up to `upto`.
///
/// The header first, then the byte ranges of the tensors needed, neighbours together. Everything is checked: names,
/// types and shapes before the tensors are read, lengths and finite values after.
///
/// `progress` is told the bytes read and the bytes to read in all, after each piece.
///
/// # Errors
/// Those of the source, and a file that is not what is expected, with the source's name and the key.
///
/// # Source
/// The safetensors format: a length of 8 bytes, a header in JSON, then the tensors.
pub fn fetch_ranges(
    source: &mut dyn RangeSource,
    arch: Arch,
    upto: Tap,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VggWeights> {
    let origin = source.origin();
    let (header, data_start) = read_header(source)?;
    let wanted = wanted(&origin, &header, arch, upto)?;
    let pieces = pieces(wanted.values().map(|w| w.place.clone()).collect());
    let total: u64 = pieces.iter().map(|p| p.end - p.start).sum();
    let mut blocks: Vec<(Range<u64>, Vec<u8>)> = Vec::new();
    let mut done = 0;
    for piece in pieces {
        let bytes = exactly(source, data_start + piece.start..data_start + piece.end)?;
        done += bytes.len() as u64;
        // Pieces of one run are joined again, so that a tensor lies within one block.
        match blocks.last_mut() {
            Some((range, block)) if range.end == piece.start => {
                range.end = piece.end;
                block.extend(bytes);
            }
            _ => blocks.push((piece, bytes)),
        }
        progress(done, total);
    }
    let mut tensors = BTreeMap::new();
    for (key, want) in wanted {
        let block = blocks.iter().find(|(r, _)| r.start <= want.place.start && want.place.end <= r.end);
        let Some((range, block)) = block else {
            return Err(Error::format(&origin, WHAT, format!("{key} was not read")));
        };
        let (from, to) = (want.place.start - range.start, want.place.end - range.start);
        let bytes = &block[from as usize..to as usize];
        tensors.insert(key, Tensor::from_raw_buffer(bytes, want.dtype, &want.shape, &Device::Cpu)?);
    }
    let mut metadata = header.metadata().clone().unwrap_or_default();
    metadata.insert("architecture".into(), arch.to_string());
    VggWeights::from_tensors(&origin, tensors, &metadata)
}

/// A tensor to be read: its bytes within the data part of the file.
struct Wanted {
    place: Range<u64>,
    dtype: DType,
    shape: Vec<usize>,
}

fn exactly(source: &mut dyn RangeSource, range: Range<u64>) -> Result<Vec<u8>> {
    let bytes = source.read_range(range.clone())?;
    if bytes.len() as u64 != range.end - range.start {
        let message = format!("asked for bytes {}..{}, got {} bytes", range.start, range.end, bytes.len());
        return Err(Error::format(&source.origin(), WHAT, message));
    }
    Ok(bytes)
}

/// The header, and where the tensors begin.
fn read_header(source: &mut dyn RangeSource) -> Result<(Metadata, u64)> {
    let fault = |origin: String, message: String| Error::format(&origin, WHAT, message);
    let mut length = [0u8; 8];
    length.copy_from_slice(&exactly(source, 0..8)?);
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(fault(source.origin(), format!("its header would have {length} bytes")));
    }
    let header = exactly(source, 8..8 + length)?;
    let header = serde_json::from_slice(&header).map_err(|e| fault(source.origin(), e.to_string()))?;
    Ok((header, 8 + length))
}

fn wanted(origin: &str, header: &Metadata, arch: Arch, upto: Tap) -> Result<BTreeMap<String, Wanted>> {
    let mut wanted = BTreeMap::new();
    let needed = |block, index| (block, index) <= (upto.block, upto.index);
    for spec in arch.convs().take_while(|c| needed(c.block, c.index)) {
        let (weight_shape, bias_shape) = spec.shapes(&STANDARD_WIDTHS);
        for (key, shape) in spec.keys().into_iter().zip([weight_shape, bias_shape]) {
            let info = header
                .info(&key)
                .ok_or_else(|| Error::mismatch(origin, format!("tensor {key} is missing")))?;
            if info.shape != shape {
                let message = format!("tensor {key} has shape {:?}, expected {shape:?}", info.shape);
                return Err(Error::mismatch(origin, message));
            }
            let dtype = match info.dtype {
                safetensors::Dtype::F32 => DType::F32,
                safetensors::Dtype::F16 => DType::F16,
                safetensors::Dtype::BF16 => DType::BF16,
                other => {
                    let message = format!("tensor {key} holds {other:?}, expected floating point");
                    return Err(Error::mismatch(origin, message));
                }
            };
            let (start, end) = info.data_offsets;
            let size = shape.iter().product::<usize>() * dtype.size_in_bytes();
            if end.checked_sub(start) != Some(size) {
                let message = format!("tensor {key} takes bytes {start}..{end}, expected {size} bytes");
                return Err(Error::mismatch(origin, message));
            }
            wanted.insert(key, Wanted { place: start as u64..end as u64, dtype, shape });
        }
    }
    Ok(wanted)
}

/// The ranges to ask for: neighbours joined, long runs cut.
fn pieces(mut places: Vec<Range<u64>>) -> Vec<Range<u64>> {
    places.sort_by_key(|r| r.start);
    let mut runs: Vec<Range<u64>> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some(run) if place.start <= run.end + MAX_GAP => run.end = run.end.max(place.end),
            _ => runs.push(place),
        }
    }
    let cut = |run: Range<u64>| {
        let starts = (run.start..run.end).step_by(MAX_PIECE as usize);
        starts.map(move |s| s..(s + MAX_PIECE).min(run.end))
    };
    runs.into_iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A file in memory that remembers what was asked of it.
    struct Recorded {
        bytes: Vec<u8>,
        asked: Vec<Range<u64>>,
    }

    impl RangeSource for Recorded {
        fn origin(&self) -> String {
            "memory".into()
        }

        fn read_range(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
            self.asked.push(range.clone());
            let end = (range.end as usize).min(self.bytes.len());
            Ok(self.bytes.get(range.start as usize..end).unwrap_or_default().to_vec())
        }
    }

    /// A file laid out as timm's: the convolutions in alphabetical order, a classifier behind them.
    fn whole(change: impl Fn(&mut BTreeMap<String, Tensor>)) -> Recorded {
        let mut tensors = BTreeMap::new();
        for spec in Arch::Vgg19.convs().filter(|c| c.block <= 3) {
            let (weight, bias) = spec.shapes(&STANDARD_WIDTHS);
            for (key, shape) in spec.keys().into_iter().zip([weight, bias]) {
                let value = 1.0 + spec.feature as f64;
                let t = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap().affine(1.0, value).unwrap();
                tensors.insert(key, t);
            }
        }
        let head = Tensor::zeros((1000, 1000), DType::F32, &Device::Cpu).unwrap();
        tensors.insert("head.fc.weight".into(), head.clone());
        tensors.insert("pre_logits.fc1.weight".into(), head);
        change(&mut tensors);
        let metadata: HashMap<_, _> = [("format".to_string(), "pt".to_string())].into();
        let bytes = safetensors::serialize(&tensors, Some(metadata)).unwrap();
        Recorded { bytes, asked: Vec::new() }
    }

    #[test]
    fn only_the_ranges_needed_are_read() {
        let mut source = whole(|_| ());
        let mut seen = Vec::new();
        let upto = Tap::relu(2, 1);
        let weights =
            fetch_ranges(&mut source, Arch::Vgg19, upto, &mut |done, all| seen.push((done, all))).unwrap();
        assert_eq!((weights.last_tap(), weights.tensors().len()), (upto, 6));
        let value = |key: &str| weights.tensors()[key].flatten_all().unwrap().to_vec1::<f32>().unwrap()[0];
        assert_eq!(["features.0.weight", "features.2.bias", "features.5.weight"].map(value), [1.0, 3.0, 6.0]);

        // Weights of the three convolutions and their biases, the header, and what lies between the first two tensors.
        let needed = 4 * (64 * 27 + 64 + 64 * 576 + 64 + 128 * 576 + 128);
        let read: u64 = source.asked.iter().map(|r| r.end - r.start).sum();
        assert!((needed..needed + 70_000).contains(&read), "{read} bytes read, {needed} needed");
        assert_eq!(seen.last().map(|s| s.0), seen.last().map(|s| s.1));
        assert!(source.asked.len() <= 5, "{:?}", source.asked);
    }

    #[test]
    fn long_runs_are_cut_and_put_together_again() {
        let mut source = whole(|_| ());
        let weights = fetch_ranges(&mut source, Arch::Vgg19, Tap::relu(3, 4), &mut |_, _| ()).unwrap();
        assert!(source.asked.iter().all(|r| r.end - r.start <= MAX_PIECE));
        for spec in Arch::Vgg19.convs().filter(|c| c.block <= 3) {
            for key in spec.keys() {
                let values: Vec<f32> = weights.tensors()[&key].flatten_all().unwrap().to_vec1().unwrap();
                assert!(values.iter().all(|v| *v == 1.0 + spec.feature as f32), "{key}");
            }
        }
        let runs = pieces(vec![10..20, 5 * MAX_GAP..5 * MAX_GAP + 3 * MAX_PIECE + 1]);
        assert_eq!(runs.len(), 5);
        assert_eq!(runs.iter().map(|r| r.end - r.start).sum::<u64>(), 10 + 3 * MAX_PIECE + 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_read() {
        let fetch = |source: &mut Recorded| {
            fetch_ranges(source, Arch::Vgg19, Tap::relu(3, 1), &mut |_, _| ()).unwrap_err().to_string()
        };
        let missing = &mut whole(|t| drop(t.remove("features.7.bias")));
        assert!(fetch(missing).contains("features.7.bias is missing"));
        assert_eq!(missing.asked.len(), 2);

        let shape = &mut whole(|t| {
            t.insert("features.2.bias".into(), Tensor::zeros(63, DType::F32, &Device::Cpu).unwrap());
        });
        let error = fetch(shape);
        assert!(error.contains("features.2.bias has shape [63], expected [64]"), "{error}");

        let dtype = &mut whole(|t| {
            t.insert("features.2.bias".into(), Tensor::zeros(64, DType::U8, &Device::Cpu).unwrap());
        });
        assert!(fetch(dtype).contains("features.2.bias holds U8"));

        let nan = &mut whole(|t| {
            t.insert("features.2.bias".into(), Tensor::new(vec![f32::NAN; 64], &Device::Cpu).unwrap());
        });
        assert!(fetch(nan).contains("features.2.bias holds NaN"));

        let mut cut = whole(|_| ());
        cut.bytes.truncate(cut.bytes.len() / 10);
        assert!(fetch(&mut cut).contains("asked for bytes"));
        let mut page = Recorded { bytes: b"<!DOCTYPE html><html>".to_vec(), asked: vec![] };
        assert!(fetch(&mut page).contains("its header would have"));
    }
}
