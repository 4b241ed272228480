use super::{Sizes, before, on_device};
use crate::rows::{self, SequenceParams};
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, only_cuda, tensor};
use std::sync::OnceLock;

pub(crate) const SOURCE: Source = Source { name: "gru", code: include_str!("gru.cu") };

/// A GRU layer in one direction whose reset gate acts after the product, as
/// [`reference`](crate::reference::gru_sequence): outputs and final h.
pub(crate) fn gru(
    x: &Tensor,
    (w_ih, w_hh): (&Tensor, &Tensor),
    bias: Option<&Tensor>,
    b_hn: Option<&Tensor>,
    h0: &Tensor,
    SequenceParams { reverse, lengths }: SequenceParams<'_>,
) -> Result<(Tensor, Tensor)> {
    let turn = |x: &Tensor| if reverse { rows::reverse(x, lengths) } else { Ok(x.clone()) };
    let gates = rows::input_gates(&turn(x)?, w_ih, bias)?; // (N, T, 3H)
    let none = Tensor::zeros(h0.dim(1)?, h0.dtype(), h0.device())?;
    // The bias travels in the last row of the state at the start: an operator has three arguments at most.
    let start = Tensor::cat(&[h0, &b_hn.unwrap_or(&none).unsqueeze(0)?], 0)?; // (N + 1, H)
    let op = Gru { lengths: on_device(lengths, x)?, kept: OnceLock::new() };
    let hs = gates.apply_op3(w_hh, &start, op)?; // (N, T, H)
    let ends = super::ends(x, lengths)?;
    let h = rows::last(&hs, &ends)?;
    Ok((turn(&hs)?, h))
}

/// From the input's gates (N, T, 3H), the recurrent weights (3H, H) and h at the start with the bias of n below it (N + 1, H)
/// to h after each step (N, T, H).
struct Gru {
    lengths: Option<Tensor>,
    /// r, z, n and the recurrent share of n (N, T, 4H).
    kept: OnceLock<Tensor>,
}

type Arg<'a> = (&'a CudaStorage, &'a Layout);

impl Gru {
    fn forward(&self, gates: Arg<'_>, w_hh: Arg<'_>, start: Arg<'_>) -> Result<(CudaStorage, Shape)> {
        let (rows, steps, width) = gates.1.shape().dims3()?;
        let (gates, w_hh, start) =
            (Input::new(gates.0, gates.1)?, Input::new(w_hh.0, w_hh.1)?, Input::new(start.0, start.1)?);
        let (device, dtype, size) = (gates.device(), gates.dtype(), width / 3);
        let shape = Shape::from((rows, steps, size));
        let mut out = empty(device, dtype, &shape)?;
        let mut kept = empty(device, dtype, &Shape::from((rows, steps, 4 * size)))?;
        let (storage, offset) = start.parts();
        let below = Layout::contiguous_with_offset(size, offset + rows * size);
        let bias = Input::new(storage, &below)?;
        Input::of_maybe(self.lengths.as_ref(), |lengths| {
            let sizes = Sizes { rows, steps, size, gates: width };
            super::forward_steps(sizes, &w_hh, &start, &mut out, |step, product, out| {
                let params = &mut [
                    Param::In(&gates),
                    Param::In(product),
                    Param::In(&bias),
                    Param::In(&start),
                    Param::Out(out, 0),
                    Param::Out(&mut kept, 0),
                    Param::Maybe(lengths),
                    Param::Int(rows),
                    Param::Int(steps),
                    Param::Int(size),
                    Param::Int(step),
                ];
                launch(device, &SOURCE, dtype, "gru_step", Grid::elements(rows * size), params)
            })
        })?;
        let _ = self.kept.set(tensor(kept, (rows, steps, 4 * size)));
        Ok((out, shape))
    }

    /// The gradients of the input's and of the state's share of the gates (N, T, 3H), and of h at the start (N, H).
    fn gradients(
        &self,
        w_hh: &Tensor,
        start: &Tensor,
        states: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let Some(kept) = self.kept.get() else { bail!("gru_sequence: backward before forward") };
        let (rows, steps, size) = states.dims3()?;
        let (device, dtype) = (device(kept)?, kept.dtype());
        let shape = Shape::from((rows, steps, 3 * size));
        let mut input = empty(&device, dtype, &shape)?;
        let mut state = empty(&device, dtype, &shape)?;
        let mut direct = empty(&device, dtype, &Shape::from((rows, size)))?;
        let passed =
            Input::of_all([w_hh, start, states, grad, kept], |[w_hh, start, states, grad, kept]| {
                Input::of_maybe(self.lengths.as_ref(), |lengths| {
                    let sizes = Sizes { rows, steps, size, gates: 3 * size };
                    super::backward_steps(sizes, w_hh, &mut state, |step, passed, state| {
                        let params = &mut [
                            Param::In(grad),
                            Param::In(states),
                            Param::In(start),
                            Param::In(kept),
                            Param::In(passed),
                            Param::Out(&mut direct, 0),
                            Param::Out(&mut input, 0),
                            Param::Out(state, 0),
                            Param::Maybe(lengths),
                            Param::Int(rows),
                            Param::Int(steps),
                            Param::Int(size),
                            Param::Int(step),
                        ];
                        launch(
                            &device,
                            &SOURCE,
                            dtype,
                            "gru_step_gradient",
                            Grid::elements(rows * size),
                            params,
                        )
                    })
                })
            })?;
        let d_start = (tensor(passed, (rows, size)) + tensor(direct, (rows, size)))?;
        Ok((tensor(input, shape.clone()), tensor(state, shape), d_start))
    }
}

impl CustomOp3 for Gru {
    fn name(&self) -> &'static str {
        "gru_sequence"
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
        only_cuda("gru_sequence")
    }

    fn cuda_fwd(
        &self,
        gates: &CudaStorage,
        gates_layout: &Layout,
        w_hh: &CudaStorage,
        w_layout: &Layout,
        start: &CudaStorage,
        start_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.forward((gates, gates_layout), (w_hh, w_layout), (start, start_layout))
    }

    fn bwd(
        &self,
        _: &Tensor,
        w_hh: &Tensor,
        start: &Tensor,
        states: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (d_input, d_state, d_h0) = self.gradients(w_hh, start, states, grad)?;
        let (rows, _, size) = states.dims3()?;
        let flat = d_state.flatten_to(1)?; // (N T, 3H)
        let d_w_hh = match w_hh.track_op() {
            true => {
                let before = before(&start.detach().narrow(0, 0, rows)?, &states.detach())?;
                Some(flat.t()?.matmul(&before)?)
            }
            false => None,
        };
        let d_bias = flat.narrow(1, 2 * size, size)?.sum(0)?;
        Ok((Some(d_input), d_w_hh, Some(Tensor::cat(&[d_h0, d_bias.unsqueeze(0)?], 0)?)))
    }
}
