use super::{Product, Sizes, before, on_device, only_cuda};
use crate::lstm_sequence::LstmCell;
use crate::rows::{self, SequenceParams};
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gdl_kernels::cuda::{Grid, Input, Param, Source, device, empty, launch, pointer, pointer_mut, tensor};
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
    let ends = match lengths {
        Some(lengths) => lengths.to_vec(),
        None => vec![x.dim(1)?; x.dim(0)?],
    };
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
    fn with_lengths<R>(&self, f: impl FnOnce(Option<&Input<'_>>) -> Result<R>) -> Result<R> {
        match &self.lengths {
            Some(lengths) => Input::of(lengths, |lengths| f(Some(lengths))),
            None => f(None),
        }
    }

    fn forward(&self, gates: Arg<'_>, w_hh: Arg<'_>, start: Arg<'_>) -> Result<(CudaStorage, Shape)> {
        let (rows, steps, width) = gates.1.shape().dims3()?;
        let sizes = Sizes { rows, steps, size: width / 4, gates: width };
        let (gates, w_hh, start) =
            (Input::new(gates.0, gates.1)?, Input::new(w_hh.0, w_hh.1)?, Input::new(start.0, start.1)?);
        let (device, dtype, size) = (gates.device(), gates.dtype(), sizes.size);
        let shape = Shape::from((2, rows, steps, size));
        let mut out = empty(device, dtype, &shape)?;
        let mut kept = empty(device, dtype, &Shape::from((rows, steps, width)))?;
        let mut recurrent = empty(device, dtype, &Shape::from((rows, width)))?;
        let stream = device.cuda_stream();
        let weights = pointer(w_hh.parts().0, w_hh.parts().1, &stream)?.0;
        let first = pointer(start.parts().0, start.parts().1, &stream)?.0;
        let product = Product { device, dtype, sizes, weights };
        self.with_lengths(|lengths| {
            for step in 0..steps {
                let (state, apart) = match step {
                    0 => (first, size),
                    _ => (pointer(&out, (step - 1) * size, &stream)?.0, steps * size),
                };
                let to = pointer_mut(&mut recurrent, 0, &stream)?.0;
                // SAFETY: the states before this step (N, H) lie in `start` or in `out`, the result goes to its own buffer.
                unsafe { product.forward(state, apart, to)? };
                let layout = Layout::contiguous((rows, width));
                let recurrent = Input::new(&recurrent, &layout)?;
                let params = &mut [
                    Param::In(&gates),
                    Param::In(&recurrent),
                    Param::In(&start),
                    Param::Out(&mut out, 0),
                    Param::Out(&mut kept, 0),
                    Param::Maybe(lengths),
                    Param::Int(rows),
                    Param::Int(steps),
                    Param::Int(size),
                    Param::Int(step),
                ];
                launch(device, &SOURCE, dtype, "lstm_step", Grid::elements(rows * size), params)?;
            }
            Ok(())
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
        let sizes = Sizes::of(kept, w_hh)?;
        let Sizes { rows, steps, size, gates } = sizes;
        let (device, dtype) = (device(kept)?, kept.dtype());
        let mut out = empty(&device, dtype, kept.shape())?;
        let mut cell = empty(&device, dtype, &Shape::from((rows, size)))?;
        let mut passed = empty(&device, dtype, &Shape::from((rows, size)))?;
        let stream = device.cuda_stream();
        let layout = Layout::contiguous((rows, size));
        let mut run = |inputs: [&Input<'_>; 5], lengths: Option<&Input<'_>>| -> Result<()> {
            let [w_hh, start, states, grad, kept] = inputs;
            let weights = pointer(w_hh.parts().0, w_hh.parts().1, &stream)?.0;
            let product = Product { device: &device, dtype, sizes, weights };
            for step in (0..steps).rev() {
                {
                    let passed = Input::new(&passed, &layout)?;
                    let params = &mut [
                        Param::In(grad),
                        Param::In(states),
                        Param::In(start),
                        Param::In(kept),
                        Param::In(&passed),
                        Param::Out(&mut cell, 0),
                        Param::Out(&mut out, 0),
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
                    )?;
                }
                let of_step = pointer(&out, step * gates, &stream)?.0;
                let to = pointer_mut(&mut passed, 0, &stream)?.0;
                // SAFETY: the gates' gradient of this step (N, 4H) lies in `out`, the result goes to its own buffer.
                unsafe { product.backward(of_step, steps * gates, to)? };
            }
            Ok(())
        };
        super::lend([w_hh, start, states, grad, kept], |inputs| {
            self.with_lengths(|lengths| run(inputs, lengths))
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
