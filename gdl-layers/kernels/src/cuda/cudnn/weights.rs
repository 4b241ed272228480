//! Where the parameters of a recurrent layer lie in cuDNN's weight space.

use super::descriptor::{Rnn, Tensor};
use super::error::{Error, Result, check, int};
use super::handle::Handle;
use super::rnn::{Cell, RnnConfig};
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::sys::CUdeviceptr;
use std::ffi::c_void;

/// One of PyTorch's parameters of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    WeightIh,
    WeightHh,
    BiasIh,
    BiasHh,
}

/// Bytes that lie together both in a parameter and in the weight space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) direction: usize,
    pub(super) part: Part,
    /// Offset in the parameter.
    pub(super) from: usize,
    /// Offset in the weight space.
    pub(super) at: usize,
    pub(super) bytes: usize,
}

impl Cell {
    /// Gates, each with so many rows as there are hidden units.
    ///
    /// PyTorch stacks their rows in the order in which cuDNN numbers its linear layers, first all that read the
    /// input, then all that read the state: input, forget, cell and output gate for the LSTM; reset, update
    /// (PyTorch's z, cuDNN's i) and new gate for the GRU.
    pub(super) fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }
}

/// Asks cuDNN for the place of each gate and joins neighbours.
///
/// The weight space need not hold anything: only its address is used.
pub(super) fn segments(
    handle: &Handle,
    rnn: &Rnn,
    config: &RnnConfig,
    space: CUdeviceptr,
    bytes: usize,
) -> Result<Vec<Segment>> {
    let (matrix, bias) = (Tensor::empty()?, Tensor::empty()?);
    let mut found = Vec::new();
    for direction in 0..config.directions() {
        for layer in 0..2 * config.cell.gates() {
            let (mut matrix_at, mut bias_at) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: handle and descriptors are alive, and both addresses have a place.
            let status = unsafe {
                sys::cudnnGetRNNWeightParams(
                    handle.raw(),
                    rnn.raw(),
                    int(direction)?,
                    bytes,
                    space as *const c_void,
                    int(layer)?,
                    matrix.raw(),
                    &mut matrix_at,
                    bias.raw(),
                    &mut bias_at,
                )
            };
            check("cudnnGetRNNWeightParams", status)?;
            let gate = layer % config.cell.gates();
            let (weight, columns, offset) = if layer < config.cell.gates() {
                (Part::WeightIh, config.input, Part::BiasIh)
            } else {
                (Part::WeightHh, config.hidden, Part::BiasHh)
            };
            let mut add = |part, shape: [usize; 2], at: *mut c_void, descriptor: &Tensor| {
                check_shape(descriptor, shape)?;
                let bytes_here = shape[0] * shape[1] * config.dtype.size();
                let at = (at as usize).wrapping_sub(space as usize);
                if at.checked_add(bytes_here).is_none_or(|end| end > bytes) {
                    return Err(Error::invalid("cuDNN places a parameter outside its weight space"));
                }
                found.push(Segment { direction, part, from: gate * bytes_here, at, bytes: bytes_here });
                Ok(())
            };
            add(weight, [config.hidden, columns], matrix_at, &matrix)?;
            if config.bias {
                add(offset, [config.hidden, 1], bias_at, &bias)?;
            }
        }
    }
    Ok(join(found))
}

/// Checks that a gate's parameter has the shape of what is copied into it, row by row.
fn check_shape(descriptor: &Tensor, shape: [usize; 2]) -> Result<()> {
    let (dims, _) = descriptor.layout()?;
    let shape = [int(shape[0])?, int(shape[1])?];
    // How many ones stand around a bias says nothing.
    let longer = |dims: &[i32]| -> Vec<i32> { dims.iter().copied().filter(|&dim| dim != 1).collect() };
    if !dims.is_empty() && longer(&dims) == longer(&shape) {
        return Ok(());
    }
    Err(Error::invalid(format!("cuDNN has room for {dims:?} where a gate has {shape:?}")))
}

/// Joins segments that continue one another.
fn join(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_by_key(|segment| segment.at);
    let mut joined: Vec<Segment> = Vec::new();
    for next in segments {
        match joined.last_mut() {
            Some(last)
                if (last.direction, last.part) == (next.direction, next.part)
                    && (last.from + last.bytes, last.at + last.bytes) == (next.from, next.at) =>
            {
                last.bytes += next.bytes;
            }
            _ => joined.push(next),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::Dtype;
    use super::*;

    fn segment(part: Part, from: usize, at: usize, bytes: usize) -> Segment {
        Segment { direction: 0, part, from, at, bytes }
    }

    #[test]
    fn neighbours_are_joined() {
        let found = vec![
            segment(Part::WeightIh, 0, 100, 10),
            segment(Part::BiasIh, 0, 300, 2),
            segment(Part::WeightIh, 10, 110, 10),
            segment(Part::WeightIh, 20, 120, 10),
            segment(Part::WeightHh, 30, 130, 10),
        ];
        let joined = [
            segment(Part::WeightIh, 0, 100, 30),
            segment(Part::WeightHh, 30, 130, 10),
            segment(Part::BiasIh, 0, 300, 2),
        ];
        assert_eq!(join(found), joined);
    }

    #[test]
    fn gates_in_another_order_stay_apart() {
        let found = vec![segment(Part::WeightIh, 10, 0, 10), segment(Part::WeightIh, 0, 10, 10)];
        assert_eq!(join(found.clone()), found);
        let gap = vec![segment(Part::WeightIh, 0, 0, 10), segment(Part::WeightIh, 10, 12, 10)];
        assert_eq!(join(gap.clone()), gap);
    }

    #[test]
    fn a_gate_of_another_shape_is_refused() {
        let matrix = Tensor::contiguous3(Dtype::F32, [1, 3, 5]).unwrap();
        assert!(check_shape(&matrix, [3, 5]).is_ok());
        assert!(check_shape(&matrix, [5, 3]).is_err());
        let bias = Tensor::contiguous3(Dtype::F32, [1, 3, 1]).unwrap();
        assert!(check_shape(&bias, [3, 1]).is_ok());
        assert!(check_shape(&bias, [1, 1]).is_err());
    }
}
