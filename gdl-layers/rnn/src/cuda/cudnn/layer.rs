use super::plans::plan;
use crate::cpu::lock;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, DType, Error, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::cuda::cudnn::rnn::{Backward, Cell, Forward, Parameters, RnnConfig};
use gdl_kernels::cuda::{Input, empty, only_cuda, pointer, pointer_mut, tensor};
use std::sync::Mutex;

pub(super) const NAME: &str = "rnn_layer";

/// So many elements, and so many more that what follows them suits vector loads in every type.
pub(super) fn room(elements: usize) -> usize {
    elements.next_multiple_of(64)
}

/// A layer as one operator, from x (N, T, I), the parameters of all directions in a row and the states at the start
/// to the outputs (N, T, directions * H) with the final states behind them.
///
/// States are (1 or 2, directions, N, H), h before c; they, and the outputs before them, have [`room`]. Of each direction
/// come weight_ih, weight_hh, bias_ih, bias_hh, which PyTorch's names are.
pub(super) struct Layer {
    config: RnnConfig,
    /// For the first backward pass.
    kept: Mutex<Option<Kept>>,
}

/// What the forward pass leaves for the backward pass, which overwrites it.
struct Kept {
    /// The parameters in cuDNN's order.
    weights: CudaStorage,
    reserve: CudaStorage,
}

impl Layer {
    pub(super) fn new(config: RnnConfig) -> Self {
        Self { config, kept: Mutex::new(None) }
    }

    /// Elements of h or c in all directions.
    fn state(&self) -> usize {
        self.config.directions() * self.config.batch * self.config.hidden
    }

    /// Elements in front of the final states.
    fn outputs(&self) -> usize {
        room(self.config.steps * self.state())
    }

    /// Elements of the result.
    fn len(&self) -> usize {
        let states = if self.config.cell == Cell::Lstm { 2 } else { 1 };
        self.outputs() + states * room(self.state())
    }

    /// The addresses of h, and of c in an LSTM, from that of the states on.
    fn states(&self, at: u64) -> (u64, Option<u64>) {
        let c = at + self.bytes(room(self.state()));
        (at, (self.config.cell == Cell::Lstm).then_some(c))
    }

    fn bytes(&self, elements: usize) -> u64 {
        (elements * self.config.dtype.size()) as u64
    }

    /// The addresses of the parameters, from that of the first on.
    fn parameters(&self, at: u64) -> Vec<Parameters> {
        let RnnConfig { cell, input, hidden, .. } = self.config;
        let gates = hidden * if cell == Cell::Lstm { 4 } else { 3 };
        let mut next = at;
        let mut take = |elements: usize| {
            let at = next;
            next += self.bytes(elements);
            at
        };
        let mut direction = || Parameters {
            w_ih: take(gates * input),
            w_hh: take(gates * hidden),
            biases: Some((take(gates), take(gates))),
        };
        (0..self.config.directions()).map(|_| direction()).collect()
    }

    /// The outputs and final states, and what the backward pass needs if there will be one.
    fn forward(&self, inputs: [&Input<'_>; 3]) -> Result<(CudaStorage, Option<Kept>)> {
        let [x, weights, start] = inputs;
        if inputs.iter().any(|input| input.dtype() != x.dtype()) {
            let [x, weights, start] = inputs.map(|input| input.dtype().as_str());
            bail!("{NAME}: an input of {x}, parameters of {weights} and states of {start}")
        }
        let device = x.device();
        let stream = device.cuda_stream();
        let plan = plan(&stream, &self.config)?;
        let mut out = empty(device, x.dtype(), &Shape::from(self.len()))?;
        let mut packed = empty(device, DType::U8, &Shape::from(plan.weight_space_size()))?;
        let mut reserve = match self.config.train {
            true => Some(empty(device, DType::U8, &Shape::from(plan.reserve_size()))?),
            false => None,
        };
        {
            let (x, _x) = x.pointer(&stream)?;
            let (weights, _weights) = weights.pointer(&stream)?;
            let (start, _start) = start.pointer(&stream)?;
            let (y, _y) = pointer_mut(&mut out, 0, &stream)?;
            let (packed, _packed) = pointer_mut(&mut packed, 0, &stream)?;
            let reserve = reserve.as_mut().map(|room| pointer_mut(room, 0, &stream)).transpose()?;
            let ((hx, cx), (hy, cy)) = (self.states(start), self.states(y + self.bytes(self.outputs())));
            let io = Forward {
                x,
                hx: Some(hx),
                cx,
                weights: packed,
                y,
                hy: Some(hy),
                cy,
                reserve: reserve.as_ref().map(|(at, _)| *at),
            };
            // SAFETY: all lie on the stream's device; the shapes of the inputs are those of the configuration.
            unsafe {
                plan.pack_weights(&self.parameters(weights), packed).map_err(Error::wrap)?;
                plan.forward(&io).map_err(Error::wrap)?;
            }
        }
        Ok((out, reserve.map(|reserve| Kept { weights: packed, reserve })))
    }

    /// The gradients of the inputs; of the parameters only if they want one.
    fn backward(
        &self,
        mut kept: Kept,
        [x, start, out, grad]: [&Input<'_>; 4],
        [like_x, like_weights, like_start]: [&Tensor; 3],
    ) -> Result<(Tensor, Option<Tensor>, Tensor)> {
        let device = x.device();
        let stream = device.cuda_stream();
        let plan = plan(&stream, &self.config)?;
        let like = |t: &Tensor| empty(device, x.dtype(), t.shape());
        let (mut dx, mut d_start) = (like(like_x)?, like(like_start)?);
        let mut d_weights = match like_weights.track_op() {
            true => {
                Some((empty(device, DType::U8, &Shape::from(plan.weight_space_size()))?, like(like_weights)?))
            }
            false => None,
        };
        {
            let (x, _x) = x.pointer(&stream)?;
            let (start, _start) = start.pointer(&stream)?;
            let (y, _y) = out.pointer(&stream)?;
            let (dy, _dy) = grad.pointer(&stream)?;
            let (weights, _weights) = pointer(&kept.weights, 0, &stream)?;
            let (reserve, _reserve) = pointer_mut(&mut kept.reserve, 0, &stream)?;
            let (dx, _dx) = pointer_mut(&mut dx, 0, &stream)?;
            let (d_start, _d_start) = pointer_mut(&mut d_start, 0, &stream)?;
            let d_weights = match &mut d_weights {
                Some((packed, flat)) => {
                    Some((pointer_mut(packed, 0, &stream)?, pointer_mut(flat, 0, &stream)?))
                }
                None => None,
            };
            let ((hx, cx), (dhx, dcx)) = (self.states(start), self.states(d_start));
            let (dhy, dcy) = self.states(dy + self.bytes(self.outputs()));
            let io = Backward {
                x,
                hx: Some(hx),
                cx,
                weights,
                y,
                dy,
                dhy: Some(dhy),
                dcy,
                reserve,
                dx,
                dhx: Some(dhx),
                dcx,
                dweights: d_weights.as_ref().map(|((packed, _), _)| *packed),
            };
            // SAFETY: all lie on the stream's device, in the shapes of the forward pass, which ran with these arguments.
            unsafe { plan.backward(&io) }.map_err(Error::wrap)?;
            if let Some(((packed, _), (flat, _))) = &d_weights {
                // SAFETY: as above.
                unsafe { plan.unpack_gradients(*packed, &self.parameters(*flat)) }.map_err(Error::wrap)?;
            }
        }
        Ok((
            tensor(dx, like_x.shape()),
            d_weights.map(|(_, flat)| tensor(flat, like_weights.shape())),
            tensor(d_start, like_start.shape()),
        ))
    }
}

impl CustomOp3 for Layer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        only_cuda(NAME)
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        weights: &CudaStorage,
        weights_layout: &Layout,
        start: &CudaStorage,
        start_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let x = Input::new(x, x_layout)?;
        let weights = Input::new(weights, weights_layout)?;
        let start = Input::new(start, start_layout)?;
        let (out, kept) = self.forward([&x, &weights, &start])?;
        *lock(&self.kept) = kept;
        Ok((out, Shape::from(self.len())))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        start: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let like = [x, weights, start];
        let (dx, d_weights, d_start) =
            Input::of_all([x, weights, start, out, grad], |[x, weights, start, out, grad]| {
                let taken = lock(&self.kept).take();
                let kept = match taken {
                    Some(kept) => Some(kept),
                    // An earlier backward pass has used it up.
                    None => self.forward([x, weights, start])?.1,
                };
                let Some(kept) = kept else { bail!("{NAME}: backward of a layer that does not train") };
                self.backward(kept, [x, start, out, grad], like)
            })?;
        Ok((x.track_op().then_some(dx), d_weights, start.track_op().then_some(d_start)))
    }
}
