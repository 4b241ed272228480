//! One recurrent layer over whole sequences, forwards and backwards in time: what it is, reads and writes.

use super::descriptor::{Dropout, Rnn, Sequences};
use super::error::{Error, Result, check, int};
use super::handle::{Dtype, Handle};
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::sys::CUdeviceptr;

pub use super::plan::RnnPlan;

/// The kinds of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cell {
    /// `c' = f c + i g`, `h' = o tanh(c')`; rows of PyTorch's parameters i, f, g, o.
    Lstm,
    /// `n = tanh(W x + b + r (U h + d))`, `h' = (1 - z) n + z h`; rows of PyTorch's parameters r, z, n.
    Gru,
}

/// A recurrent layer and the sequences that it reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RnnConfig {
    /// Kind of cell.
    pub cell: Cell,
    /// Numbers of an input vector.
    pub input: usize,
    /// Numbers of a state.
    pub hidden: usize,
    /// Whether a second direction reads each sequence from its last step to its first.
    pub bidirectional: bool,
    /// Sequences.
    pub batch: usize,
    /// Steps that each sequence has room for.
    pub steps: usize,
    /// Steps of each sequence, from 1 to `steps`, in any order; none if all have `steps`.
    pub lengths: Option<Vec<usize>>,
    /// Element type of everything.
    pub dtype: Dtype,
    /// Whether each gate has its two biases, one with the input and one with the state.
    pub bias: bool,
    /// Whether [`RnnPlan::backward`] will follow.
    pub train: bool,
    /// Whether factors of type `F32` may be rounded to TF32, where the GPU has it.
    pub tf32: bool,
}

impl RnnConfig {
    /// Directions: 1 or 2.
    pub fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    pub(super) fn lengths(&self) -> Result<Vec<i32>> {
        let lengths = self.lengths.clone().unwrap_or_else(|| vec![self.steps; self.batch]);
        if lengths.len() != self.batch {
            let reason = format!("{} lengths for {} sequences", lengths.len(), self.batch);
            return Err(Error::invalid(reason));
        }
        if let Some(row) = lengths.iter().position(|length| !(1..=self.steps).contains(length)) {
            let reason = format!("sequence {row} has {} of {} steps", lengths[row], self.steps);
            return Err(Error::invalid(reason));
        }
        lengths.into_iter().map(int).collect()
    }

    pub(super) fn subject(&self) -> String {
        let Self { cell, input, hidden, batch, steps, dtype, .. } = self;
        let directions = self.directions();
        format!("{cell:?}, {dtype:?}, {batch}x{steps}x{input} to {hidden}x{directions}")
    }
}

/// PyTorch's parameters of one direction, or their gradients, each contiguous.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// `weight_ih`, (gates x hidden, input).
    pub w_ih: CUdeviceptr,
    /// `weight_hh`, (gates x hidden, hidden).
    pub w_hh: CUdeviceptr,
    /// `bias_ih` and `bias_hh`, (gates x hidden) each, in a layer with biases.
    pub biases: Option<(CUdeviceptr, CUdeviceptr)>,
}

/// What the forward pass reads and writes. A state is (directions, batch, hidden).
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    /// Read: (batch, steps, input).
    pub x: CUdeviceptr,
    /// Read: first hidden state, zeros if none.
    pub hx: Option<CUdeviceptr>,
    /// Read: first cell state of an LSTM, zeros if none.
    pub cx: Option<CUdeviceptr>,
    /// Read: the packed weight space.
    pub weights: CUdeviceptr,
    /// Written: (batch, steps, directions x hidden), zeros behind the end of a sequence.
    pub y: CUdeviceptr,
    /// Written, if given: the hidden state after each sequence's last step.
    pub hy: Option<CUdeviceptr>,
    /// Written, if given: the cell state of an LSTM after each sequence's last step.
    pub cy: Option<CUdeviceptr>,
    /// Written: [`RnnPlan::reserve_size`] bytes for the backward pass, if the plan trains.
    pub reserve: Option<CUdeviceptr>,
}

/// What the backward pass reads and writes, in the shapes of [`Forward`].
#[derive(Debug, Clone, Copy)]
pub struct Backward {
    /// Read: as in the forward pass.
    pub x: CUdeviceptr,
    /// Read: as in the forward pass.
    pub hx: Option<CUdeviceptr>,
    /// Read: as in the forward pass.
    pub cx: Option<CUdeviceptr>,
    /// Read: as in the forward pass.
    pub weights: CUdeviceptr,
    /// Read: as the forward pass wrote it.
    pub y: CUdeviceptr,
    /// Read: gradient of `y`.
    pub dy: CUdeviceptr,
    /// Read: gradient of `hy`, zeros if none.
    pub dhy: Option<CUdeviceptr>,
    /// Read: gradient of `cy`, zeros if none.
    pub dcy: Option<CUdeviceptr>,
    /// Read and overwritten: what the forward pass left. A second backward pass needs a copy made before the first.
    pub reserve: CUdeviceptr,
    /// Written: gradient of `x`, zeros behind the end of a sequence.
    pub dx: CUdeviceptr,
    /// Written, if given: gradient of `hx`.
    pub dhx: Option<CUdeviceptr>,
    /// Written, if given: gradient of `cx`.
    pub dcx: Option<CUdeviceptr>,
    /// Written, if given: gradients of the parameters, in the layout of the weight space.
    pub dweights: Option<CUdeviceptr>,
}

/// Dropout lies between layers, and there is one layer.
pub(super) fn no_dropout(handle: &Handle) -> Result<Dropout> {
    let dropout = Dropout::empty()?;
    let (d, states) = (dropout.raw(), std::ptr::null_mut());
    // SAFETY: handle and descriptor are alive; without dropout there are no random states.
    let status = unsafe { sys::cudnnSetDropoutDescriptor(d, handle.raw(), 0., states, 0, 0) };
    check("cudnnSetDropoutDescriptor", status)?;
    Ok(dropout)
}

pub(super) fn layer(config: &RnnConfig, dropout: &Dropout) -> Result<Rnn> {
    let rnn = Rnn::empty()?;
    let cell = match config.cell {
        Cell::Lstm => sys::cudnnRNNMode_t::CUDNN_LSTM,
        Cell::Gru => sys::cudnnRNNMode_t::CUDNN_GRU,
    };
    let bias = if config.bias {
        sys::cudnnRNNBiasMode_t::CUDNN_RNN_DOUBLE_BIAS
    } else {
        sys::cudnnRNNBiasMode_t::CUDNN_RNN_NO_BIAS
    };
    let direction = if config.bidirectional {
        sys::cudnnDirectionMode_t::CUDNN_BIDIRECTIONAL
    } else {
        sys::cudnnDirectionMode_t::CUDNN_UNIDIRECTIONAL
    };
    // Not in the bindings: CUDNN_RNN_PADDED_IO_ENABLED, without which padded sequences must all be of full length.
    const PADDED_IO: u32 = 1;
    let hidden = int(config.hidden)?;
    // SAFETY: both descriptors are alive. The size of the projection is the hidden size where there is none.
    let status = unsafe {
        sys::cudnnSetRNNDescriptor_v8(
            rnn.raw(),
            sys::cudnnRNNAlgo_t::CUDNN_RNN_ALGO_STANDARD,
            cell,
            bias,
            direction,
            sys::cudnnRNNInputMode_t::CUDNN_LINEAR_INPUT,
            config.dtype.raw(),
            config.dtype.compute(),
            config.dtype.math(config.tf32),
            int(config.input)?,
            hidden,
            hidden,
            1,
            dropout.raw(),
            PADDED_IO,
        )
    };
    check("cudnnSetRNNDescriptor_v8", status)?;
    Ok(rnn)
}

/// Vectors of a size, padded with zeros.
pub(super) fn sequences(config: &RnnConfig, size: usize, lengths: &[i32]) -> Result<Sequences> {
    let sequences = Sequences::empty()?;
    // A zero of any type.
    let mut fill = [0u8; 8];
    let (steps, batch, size) = (int(config.steps)?, int(config.batch)?, int(size)?);
    let layout = sys::cudnnRNNDataLayout_t::CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED;
    // SAFETY: the descriptor is alive, there is a length for each sequence, and cuDNN copies both arrays.
    let status = unsafe {
        sys::cudnnSetRNNDataDescriptor(
            sequences.raw(),
            config.dtype.raw(),
            layout,
            steps,
            batch,
            size,
            lengths.as_ptr(),
            fill.as_mut_ptr().cast(),
        )
    };
    check("cudnnSetRNNDataDescriptor", status)?;
    Ok(sequences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RnnConfig {
        RnnConfig {
            cell: Cell::Lstm,
            input: 5,
            hidden: 7,
            bidirectional: true,
            batch: 3,
            steps: 4,
            lengths: Some(vec![2, 4, 1]),
            dtype: Dtype::F32,
            bias: true,
            train: true,
            tf32: false,
        }
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(config().lengths().unwrap(), [2, 4, 1]);
        assert_eq!(RnnConfig { lengths: None, ..config() }.lengths().unwrap(), [4, 4, 4]);
        for wrong in [vec![2, 4], vec![2, 5, 1], vec![2, 0, 1]] {
            assert!(RnnConfig { lengths: Some(wrong), ..config() }.lengths().is_err());
        }
        let error = RnnConfig { lengths: Some(vec![2, 0, 1]), ..config() }.lengths().unwrap_err();
        assert_eq!(error.to_string(), "sequence 1 has 0 of 4 steps");
    }

    /// cuDNN takes the layer in each type that it is offered in, and gives back what was set.
    #[test]
    fn cudnn_takes_the_layer() {
        let dropout = Dropout::empty().unwrap();
        for cell in [Cell::Lstm, Cell::Gru] {
            for dtype in [Dtype::F32, Dtype::F64, Dtype::F16, Dtype::BF16] {
                for (bias, bidirectional, tf32) in [(true, false, true), (false, true, false)] {
                    let config = RnnConfig { cell, dtype, bias, bidirectional, tf32, ..config() };
                    layer(&config, &dropout).unwrap();
                }
            }
        }
    }

    #[test]
    fn cudnn_keeps_the_sequences() {
        let data = sequences(&config(), 5, &[2, 4, 1]).unwrap();
        let mut dtype = sys::cudnnDataType_t::CUDNN_DATA_DOUBLE;
        let mut layout = sys::cudnnRNNDataLayout_t::CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED;
        let ([mut steps, mut batch, mut size], mut lengths, mut fill) = ([0; 3], [0; 3], 1f32);
        // SAFETY: the descriptor is alive, the array has room for the three lengths asked for, and the fill is of
        // the type of the data.
        let status = unsafe {
            sys::cudnnGetRNNDataDescriptor(
                data.raw(),
                &mut dtype,
                &mut layout,
                &mut steps,
                &mut batch,
                &mut size,
                3,
                lengths.as_mut_ptr(),
                (&raw mut fill).cast(),
            )
        };
        check("cudnnGetRNNDataDescriptor", status).unwrap();
        assert_eq!(dtype, Dtype::F32.raw());
        assert_eq!(layout, sys::cudnnRNNDataLayout_t::CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED);
        assert_eq!(([steps, batch, size], lengths, fill), ([4, 3, 5], [2, 4, 1], 0.));
    }
}
