use super::{Sizes, before, on_device};
use crate::lstm_sequence::LstmCell;
use crate::rows::{self, SequenceParams};
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, only_cuda, tensor};
use std::sync::OnceLock;

pub(crate) const SOURCE: Source = Source { name: "lstm", code: include_str!("lstm.cu") };

/// A plain LSTM layer in one direction, as [`reference`](crate::reference::lstm_sequence): outputs, final h, final c.
pub(crate) fn lstm(
    x: &Tensor,
    cell: &LstmCell<'_>,
    h0: &Tensor,
    c0: &Tensor,
    SequenceParams { reverse, lengths }: SequenceParams<'_>,
) -> Result<(Tensor, Tensor, Tensor)> {
    let turn = |x: &Tensor| if reverse { rows::reverse(x, lengths) } else { Ok(x.clone()) };
    let gates = rows::input_gates(&turn(x)?, cell.w_ih, cell.bias)?; // (N, T, 4H)
    let op = Lstm { lengths: on_device(lengths, x)?, kept: OnceLock::new() };
    let states = gates.apply_op3(cell.w_hh, &Tensor::stack(&[h0, c0], 0)?, op)?; // (2, N, T, H)
    let (hs, cs) = (states.get(0)?, states.get(1)?);
    let ends = super::ends(x, lengths)?;
    let (h, c) = (rows::last(&hs, &ends)?, rows::last(&cs, &ends)?);
    Ok((turn(&hs)?, h, c))
}

/// From the input's gates (N, T, 4H), the recurrent weights (4H, H) and h and c at the start (2, N, H) to h and c after each
/// step (2, N, T, H).
struct Lstm {
    lengths: Option<Tensor>,
    /// The gates after their activations.
    kept: OnceLock<Tensor>,
}

type Arg<'a> = (&'a CudaStorage, &'a Layout);

impl Lstm {
    fn forward(&self, gates: Arg<'_>, w_hh: Arg<'_>, start: Arg<'_>) -> Result<(CudaStorage, Shape)> {
        let (rows, steps, width) = gates.1.shape().dims3()?;
        let (gates, w_hh, start) =
            (Input::new(gates.0, gates.1)?, Input::new(w_hh.0, w_hh.1)?, Input::new(start.0, start.1)?);
        let (device, dtype, size) = (gates.device(), gates.dtype(), width / 4);
        let shape = Shape::from((2, rows, steps, size));
        let mut out = empty(device, dtype, &shape)?;
        let mut kept = empty(device, dtype, &Shape::from((rows, steps, width)))?;
        Input::of_maybe(self.lengths.as_ref(), |lengths| {
            let sizes = Sizes { rows, steps, size, gates: width };
            super::forward_steps(sizes, &w_hh, &start, &mut out, |step, product, out| {
                let params = &mut [
                    Param::In(&gates),
                    Param::In(product),
                    Param::In(&start),
                    Param::Out(out, 0),
                    Param::Out(&mut kept, 0),
                    Param::Maybe(lengths),
                    Param::Int(rows),
                    Param::Int(steps),
                    Param::Int(size),
                    Param::Int(step),
                ];
                launch(device, &SOURCE, dtype, "lstm_step", Grid::elements(rows * size), params)
            })
        })?;
        let _ = self.kept.set(tensor(kept, (rows, steps, width)));
        Ok((out, shape))
    }

    /// The gradients of the gates (N, T, 4H), of h at the start and of c at the start (N, H).
    fn gradients(
        &self,
        w_hh: &Tensor,
        start: &Tensor,
        states: &Tensor,
        grad: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let Some(kept) = self.kept.get() else { bail!("lstm_sequence: backward before forward") };
        let (rows, steps, gates) = kept.dims3()?;
        let (device, dtype, size) = (device(kept)?, kept.dtype(), gates / 4);
        let mut out = empty(&device, dtype, kept.shape())?;
        let mut cell = empty(&device, dtype, &Shape::from((rows, size)))?;
        let passed =
            Input::of_all([w_hh, start, states, grad, kept], |[w_hh, start, states, grad, kept]| {
                Input::of_maybe(self.lengths.as_ref(), |lengths| {
                    let sizes = Sizes { rows, steps, size, gates };
                    super::backward_steps(sizes, w_hh, &mut out, |step, passed, out| {
                        let params = &mut [
                            Param::In(grad),
                            Param::In(states),
                            Param::In(start),
                            Param::In(kept),
                            Param::In(passed),
                            Param::Out(&mut cell, 0),
                            Param::Out(out, 0),
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
                            "lstm_step_gradient",
                            Grid::elements(rows * size),
                            params,
                        )
                    })
                })
            })?;
        Ok((tensor(out, kept.shape()), tensor(passed, (rows, size)), tensor(cell, (rows, size))))
    }
}

impl CustomOp3 for Lstm {
    fn name(&self) -> &'static str {
        "lstm_sequence"
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
        only_cuda("lstm_sequence")
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
        let (d_gates, dh, dc) = self.gradients(w_hh, start, states, grad)?;
        let d_w_hh = match w_hh.track_op() {
            true => {
                let before = before(&start.detach().get(0)?, &states.detach().get(0)?)?;
                Some(d_gates.flatten_to(1)?.t()?.matmul(&before)?)
            }
            false => None,
        };
        Ok((Some(d_gates), d_w_hh, Some(Tensor::stack(&[dh, dc], 0)?)))
    }
}
