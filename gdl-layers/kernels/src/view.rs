//! A storage and its layout as one contiguous slice.

use candle_core::{CpuStorage, Layout, Result, WithDType};
use std::borrow::Cow;

/// The elements of a CPU tensor in row-major order: borrowed where the layout is contiguous, copied where it is not.
///
/// # Errors
/// When the storage holds another element type than `T`.
pub fn contiguous<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<Cow<'a, [T]>> {
    let data = storage.as_slice::<T>()?;
    Ok(match layout.contiguous_offsets() {
        Some((start, end)) => Cow::Borrowed(&data[start..end]),
        None => {
            let mut out = Vec::with_capacity(layout.shape().elem_count());
            copy_strided(data, layout, &mut out);
            Cow::Owned(out)
        }
    })
}

fn copy_strided<T: WithDType>(data: &[T], layout: &Layout, out: &mut Vec<T>) {
    let (Some((&row, outer)), Some((&step, strides))) =
        (layout.dims().split_last(), layout.stride().split_last())
    else {
        return;
    };
    let mut index = vec![0usize; outer.len()];
    for _ in 0..outer.iter().product::<usize>() {
        let start = layout.start_offset() + index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
        if step == 1 {
            // Whole rows at a time where the last axis is dense, which slices of images and sequences are.
            out.extend_from_slice(&data[start..start + row]);
        } else {
            out.extend((0..row).map(|i| data[start + i * step]));
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            if index[axis] < outer[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Storage, Tensor};

    fn through(t: &Tensor) -> (Vec<f32>, bool) {
        let (storage, layout) = t.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { panic!("not on the CPU") };
        let view = contiguous::<f32>(storage, layout).unwrap();
        (view.to_vec(), matches!(view, Cow::Borrowed(_)))
    }

    #[test]
    fn agrees_with_candle_for_every_kind_of_view() {
        let t = Tensor::arange(0f32, 120.0, &Device::Cpu).unwrap().reshape((2, 3, 4, 5)).unwrap();
        let views = [
            (t.clone(), true),
            (t.narrow(0, 1, 1).unwrap(), true),
            (t.narrow(2, 1, 2).unwrap(), false),
            (t.transpose(1, 3).unwrap(), false),
            (t.narrow(3, 2, 3).unwrap().transpose(0, 1).unwrap(), false),
            (t.narrow(3, 2, 1).unwrap(), false),
            (t.narrow(1, 0, 0).unwrap(), false),
        ];
        for (view, borrowed) in views {
            let want: Vec<f32> = view.flatten_all().unwrap().to_vec1().unwrap();
            assert_eq!(through(&view), (want, borrowed), "{:?}", view.layout());
        }
    }

    #[test]
    fn another_element_type_is_an_error() {
        let t = Tensor::zeros(3, candle_core::DType::F64, &Device::Cpu).unwrap();
        let (storage, layout) = t.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { panic!("not on the CPU") };
        assert!(contiguous::<f32>(storage, layout).is_err());
    }
}
