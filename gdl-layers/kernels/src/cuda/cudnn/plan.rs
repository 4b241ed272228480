//! A recurrent layer made ready for its shapes, and the calls that run it.

use super::descriptor::{Dropout, Rnn, Sequences, Tensor};
use super::error::{Error, Result, check};
use super::handle::{Handle, address, with_workspace};
use super::rnn::{Backward, Cell, Forward, Parameters, RnnConfig, layer, no_dropout, sequences};
use super::weights::{Part, Segment, segments};
use candle_core::cuda_backend::cudarc::cudnn::sys;
use candle_core::cuda_backend::cudarc::driver::result::{memcpy_dtod_async, memset_d8_async};
use candle_core::cuda_backend::cudarc::driver::sys::CUdeviceptr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream};
use std::cell::OnceCell;
use std::ffi::c_void;
use std::sync::Arc;

/// A recurrent layer made ready: descriptors, sizes, and the sequence lengths on the device.
///
/// # Source
/// The recurrent layers of cuDNN 9 by their version-8 interface, used as in PyTorch's
/// `aten/src/ATen/native/cudnn/RNN.cpp`, except that the data are batch-major and padded, and that the algorithm is
/// always the standard one, which takes sequences of different lengths.
#[derive(Debug)]
pub struct RnnPlan {
    config: RnnConfig,
    stream: Arc<CudaStream>,
    rnn: Rnn,
    /// The layer's descriptor refers to it.
    _dropout: Dropout,
    x: Sequences,
    y: Sequences,
    state: Tensor,
    lengths: CudaSlice<i32>,
    weight_bytes: usize,
    work_bytes: usize,
    reserve_bytes: usize,
    segments: OnceCell<Vec<Segment>>,
}

// SAFETY: cuDNN's descriptors belong to no thread; the handle, which does, is not part of the plan. The plan is not
// `Sync`, so that two threads never use a descriptor at once.
unsafe impl Send for RnnPlan {}

impl RnnPlan {
    /// Makes the layer ready to run on the stream.
    ///
    /// # Errors
    /// If a size is zero, a length is not from 1 to `steps`, or cuDNN or the driver fail.
    pub fn new(stream: &Arc<CudaStream>, config: RnnConfig) -> Result<Self> {
        let subject = config.subject();
        Self::build(stream, config).map_err(|error| error.about(subject))
    }

    fn build(stream: &Arc<CudaStream>, config: RnnConfig) -> Result<Self> {
        let RnnConfig { batch, hidden, dtype, .. } = config;
        if [config.input, hidden, batch, config.steps].contains(&0) {
            return Err(Error::invalid("cuDNN takes no recurrent layer with a zero among its sizes"));
        }
        let lengths = config.lengths()?;
        let handle = Handle::of(stream)?;
        let dropout = no_dropout(&handle)?;
        let rnn = layer(&config, &dropout)?;
        let x = sequences(&config, config.input, &lengths)?;
        let y = sequences(&config, config.directions() * hidden, &lengths)?;
        let state = Tensor::contiguous3(dtype, [config.directions(), batch, hidden])?;
        let [mut weight_bytes, mut work_bytes, mut reserve_bytes] = [0; 3];
        let (h, r, w) = (handle.raw(), rnn.raw(), &mut weight_bytes);
        // SAFETY: handle and descriptor are alive, and the size has a place.
        check("cudnnGetRNNWeightSpaceSize", unsafe { sys::cudnnGetRNNWeightSpaceSize(h, r, w) })?;
        let (mode, work, reserve) = (mode(&config), &mut work_bytes, &mut reserve_bytes);
        // SAFETY: handle and descriptors are alive, and both sizes have a place.
        let status = unsafe { sys::cudnnGetRNNTempSpaceSizes(h, r, mode, x.raw(), work, reserve) };
        check("cudnnGetRNNTempSpaceSizes", status)?;
        let lengths = stream.clone_htod(&lengths).map_err(Error::driver("copy of the sequence lengths"))?;
        Ok(Self {
            config,
            stream: stream.clone(),
            rnn,
            _dropout: dropout,
            x,
            y,
            state,
            lengths,
            weight_bytes,
            work_bytes,
            reserve_bytes,
            segments: OnceCell::new(),
        })
    }

    /// The layer that the plan is for.
    pub fn config(&self) -> &RnnConfig {
        &self.config
    }

    /// Bytes of the weight space, and of its gradients.
    pub fn weight_space_size(&self) -> usize {
        self.weight_bytes
    }

    /// Bytes that the forward pass leaves for the backward pass; 0 unless the plan trains.
    pub fn reserve_size(&self) -> usize {
        if self.config.train { self.reserve_bytes } else { 0 }
    }

    /// Copies the parameters, one entry per direction, into the weight space.
    ///
    /// # Errors
    /// If the directions or biases are not those of the layer, or cuDNN or the driver fail.
    ///
    /// # Safety
    /// The parameters have the shapes of [`Parameters`], and `space` has [`Self::weight_space_size`] bytes, all on
    /// the stream's device. The stream's earlier work has written the parameters, and nothing else uses `space`
    /// until the enqueued copies are done.
    pub unsafe fn pack_weights(&self, parameters: &[Parameters], space: CUdeviceptr) -> Result<()> {
        let pack = || {
            let segments = self.segments(parameters, space)?;
            if segments.iter().map(|segment| segment.bytes).sum::<usize>() < self.weight_bytes {
                self.zero(space, self.weight_bytes)?;
            }
            self.each(parameters, segments, |segment, at| (space + segment.at as u64, at))
        };
        pack().map_err(|error| error.about(self.config.subject()))
    }

    /// Copies gradients in the layout of the weight space into those of the parameters, one entry per direction.
    ///
    /// # Errors
    /// As [`Self::pack_weights`].
    ///
    /// # Safety
    /// As [`Self::pack_weights`], with `space` read and `gradients` written.
    pub unsafe fn unpack_gradients(&self, space: CUdeviceptr, gradients: &[Parameters]) -> Result<()> {
        let unpack = || {
            let segments = self.segments(gradients, space)?;
            self.each(gradients, segments, |segment, at| (at, space + segment.at as u64))
        };
        unpack().map_err(|error| error.about(self.config.subject()))
    }

    /// Enqueues the forward pass.
    ///
    /// # Errors
    /// If a GRU is given a cell state, a plan that trains no reserve space, or cuDNN or the driver fail.
    ///
    /// # Safety
    /// The addresses have the sizes that [`Forward`] says, on the stream's device. The stream's earlier work has
    /// written what is read, and nothing else uses what is written until the enqueued work is done.
    pub unsafe fn forward(&self, io: &Forward) -> Result<()> {
        let run = || {
            self.check_cell(io.cx.is_some() || io.cy.is_some())?;
            if self.config.train && io.reserve.is_none() {
                return Err(Error::invalid("a plan that trains needs reserve space"));
            }
            let reserve = if self.config.train { io.reserve } else { None };
            let handle = Handle::of(&self.stream)?;
            let lengths = address(&self.lengths, &self.stream) as *const i32;
            with_workspace(&self.stream, self.work_bytes, |work| {
                // SAFETY: handle and descriptors are alive, sizes are those that cuDNN gave for them, and the
                // caller answers for the addresses.
                let status = unsafe {
                    sys::cudnnRNNForward(
                        handle.raw(),
                        self.rnn.raw(),
                        mode(&self.config),
                        lengths,
                        self.x.raw(),
                        io.x as *const c_void,
                        self.y.raw(),
                        io.y as *mut c_void,
                        self.state.raw(),
                        optional(io.hx),
                        optional(io.hy),
                        self.cell_state(),
                        optional(io.cx),
                        optional(io.cy),
                        self.weight_bytes,
                        io.weights as *const c_void,
                        self.work_bytes,
                        work,
                        self.reserve_size(),
                        optional(reserve),
                    )
                };
                check("cudnnRNNForward", status)
            })
        };
        run().map_err(|error| error.about(self.config.subject()))
    }

    /// Enqueues the backward pass: the gradients of input and states, then, if asked for, those of the parameters.
    ///
    /// # Errors
    /// If the plan does not train, a GRU is given a cell state, or cuDNN or the driver fail.
    ///
    /// # Safety
    /// As [`Self::forward`], with the addresses of [`Backward`]. The forward pass has run on the same plan, or on one
    /// of equal configuration, with the same arguments.
    pub unsafe fn backward(&self, io: &Backward) -> Result<()> {
        let run = || {
            self.check_cell(io.cx.is_some() || io.dcy.is_some() || io.dcx.is_some())?;
            if !self.config.train {
                return Err(Error::invalid("this plan does not train"));
            }
            let RnnConfig { batch, steps, input, dtype, .. } = self.config;
            if self.config.lengths.is_some() {
                // cuDNN does not say what it leaves behind the end of a sequence.
                self.zero(io.dx, batch * steps * input * dtype.size())?;
            }
            if let Some(dweights) = io.dweights {
                // cuDNN only ever adds to it.
                self.zero(dweights, self.weight_bytes)?;
            }
            self.data_gradients(io)?;
            io.dweights.map_or(Ok(()), |dweights| self.weight_gradients(io, dweights))
        };
        run().map_err(|error| error.about(self.config.subject()))
    }

    fn data_gradients(&self, io: &Backward) -> Result<()> {
        let handle = Handle::of(&self.stream)?;
        let lengths = address(&self.lengths, &self.stream) as *const i32;
        with_workspace(&self.stream, self.work_bytes, |work| {
            // SAFETY: as in `forward`.
            let status = unsafe {
                sys::cudnnRNNBackwardData_v8(
                    handle.raw(),
                    self.rnn.raw(),
                    lengths,
                    self.y.raw(),
                    io.y as *const c_void,
                    io.dy as *const c_void,
                    self.x.raw(),
                    io.dx as *mut c_void,
                    self.state.raw(),
                    optional(io.hx),
                    optional(io.dhy),
                    optional(io.dhx),
                    self.cell_state(),
                    optional(io.cx),
                    optional(io.dcy),
                    optional(io.dcx),
                    self.weight_bytes,
                    io.weights as *const c_void,
                    self.work_bytes,
                    work,
                    self.reserve_bytes,
                    io.reserve as *mut c_void,
                )
            };
            check("cudnnRNNBackwardData_v8", status)
        })
    }

    fn weight_gradients(&self, io: &Backward, dweights: CUdeviceptr) -> Result<()> {
        let handle = Handle::of(&self.stream)?;
        let lengths = address(&self.lengths, &self.stream) as *const i32;
        with_workspace(&self.stream, self.work_bytes, |work| {
            // SAFETY: as in `forward`.
            let status = unsafe {
                sys::cudnnRNNBackwardWeights_v8(
                    handle.raw(),
                    self.rnn.raw(),
                    sys::cudnnWgradMode_t::CUDNN_WGRAD_MODE_ADD,
                    lengths,
                    self.x.raw(),
                    io.x as *const c_void,
                    self.state.raw(),
                    optional(io.hx),
                    self.y.raw(),
                    io.y as *const c_void,
                    self.weight_bytes,
                    dweights as *mut c_void,
                    self.work_bytes,
                    work,
                    self.reserve_bytes,
                    io.reserve as *mut c_void,
                )
            };
            check("cudnnRNNBackwardWeights_v8", status)
        })
    }

    fn cell_state(&self) -> sys::cudnnTensorDescriptor_t {
        match self.config.cell {
            Cell::Lstm => self.state.raw(),
            Cell::Gru => std::ptr::null_mut(),
        }
    }

    fn check_cell(&self, given: bool) -> Result<()> {
        if given && self.config.cell == Cell::Gru {
            return Err(Error::invalid("a GRU has no cell state"));
        }
        Ok(())
    }

    /// The places of the parameters, found on first use.
    fn segments(&self, parameters: &[Parameters], space: CUdeviceptr) -> Result<&[Segment]> {
        if parameters.len() != self.config.directions() {
            let reason = format!("parameters of {} directions", parameters.len());
            return Err(Error::invalid(reason));
        }
        if parameters.iter().any(|direction| direction.biases.is_some() != self.config.bias) {
            return Err(Error::invalid("biases are given exactly for a layer with biases"));
        }
        let handle = Handle::of(&self.stream)?;
        if let Some(known) = self.segments.get() {
            return Ok(known);
        }
        let found = segments(&handle, &self.rnn, &self.config, space, self.weight_bytes)?;
        Ok(self.segments.get_or_init(|| found))
    }

    /// Enqueues a copy per segment, between the addresses (to, from) that `ends` gives for a place in a parameter.
    fn each(
        &self,
        parameters: &[Parameters],
        segments: &[Segment],
        ends: impl Fn(&Segment, CUdeviceptr) -> (CUdeviceptr, CUdeviceptr),
    ) -> Result<()> {
        for segment in segments {
            let direction = parameters.get(segment.direction);
            let biases = direction.and_then(|direction| direction.biases);
            let start = match segment.part {
                Part::WeightIh => direction.map(|direction| direction.w_ih),
                Part::WeightHh => direction.map(|direction| direction.w_hh),
                Part::BiasIh => biases.map(|(ih, _)| ih),
                Part::BiasHh => biases.map(|(_, hh)| hh),
            };
            let start = start.ok_or_else(|| Error::invalid(format!("no {:?}", segment.part)))?;
            let (to, from) = ends(segment, start + segment.from as u64);
            // SAFETY: the segment lies within the parameter and within the weight space, and the caller answers
            // for both.
            unsafe { memcpy_dtod_async(to, from, segment.bytes, self.stream.cu_stream()) }
                .map_err(Error::driver("copy of recurrent weights"))?;
        }
        Ok(())
    }

    fn zero(&self, at: CUdeviceptr, bytes: usize) -> Result<()> {
        let context = self.stream.context();
        context.bind_to_thread().map_err(Error::driver("cuCtxSetCurrent"))?;
        // SAFETY: the caller answers for the address, which has these bytes.
        unsafe { memset_d8_async(at, 0, bytes, self.stream.cu_stream()) }
            .map_err(Error::driver("cuMemsetD8Async"))
    }
}
fn optional(address: Option<CUdeviceptr>) -> *mut c_void {
    address.unwrap_or(0) as *mut c_void
}

fn mode(config: &RnnConfig) -> sys::cudnnForwardMode_t {
    if config.train {
        sys::cudnnForwardMode_t::CUDNN_FWD_MODE_TRAINING
    } else {
        sys::cudnnForwardMode_t::CUDNN_FWD_MODE_INFERENCE
    }
}
