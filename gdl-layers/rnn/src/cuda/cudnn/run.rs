use super::layer::{Layer, NAME, room};
use crate::rows;
use candle_core::cuda_backend::gemm_reduced_precision_f32;
use candle_core::{Result, Tensor, bail};
use gdl_kernels::cuda::cudnn::Dtype;
use gdl_kernels::cuda::cudnn::rnn::{Cell, RnnConfig};

/// The parameters of one direction, in cuDNN's terms: every gate has two biases.
pub(super) struct Direction<'a> {
    /// (gates * H, I)
    pub(super) w_ih: &'a Tensor,
    /// (gates * H, H)
    pub(super) w_hh: &'a Tensor,
    /// (gates * H), added to the input's share of the gates.
    pub(super) b_ih: Tensor,
    /// (gates * H), added to the state's share of the gates.
    pub(super) b_hh: Tensor,
    pub(super) reverse: bool,
}

/// Runs a layer over x (N, T, I), from the h of each direction and then, in an LSTM, the c of each (N, H): the outputs
/// (N, T, directions * H), and the final states (1 or 2, directions, N, H).
///
/// The directions are one of either kind, or a forward and a reverse one.
pub(super) fn run(
    cell: Cell,
    x: &Tensor,
    directions: &[Direction<'_>],
    start: &[&Tensor],
    lengths: Option<&[usize]>,
) -> Result<(Tensor, Tensor)> {
    let (batch, steps, input) = x.dims3()?;
    let (Some(first), Some(dtype)) = (directions.first(), Dtype::of(x.dtype())) else {
        bail!("{NAME}: no layer for cuDNN")
    };
    let (count, hidden) = (directions.len(), first.w_hh.dim(1)?);
    // cuDNN has no layer that only goes backwards.
    let turned = count == 1 && first.reverse;
    let turn = |x: &Tensor| if turned { rows::reverse(x, lengths) } else { Ok(x.clone()) };
    let x = aligned(turn(x)?)?;
    let mut weights = Vec::with_capacity(4 * count);
    for Direction { w_ih, w_hh, b_ih, b_hh, .. } in directions {
        weights.extend([w_ih.flatten_all()?, w_hh.flatten_all()?, b_ih.clone(), b_hh.clone()]);
    }
    let weights = Tensor::cat(&weights, 0)?;
    let size = count * batch * hidden;
    let start = Tensor::cat(start, 0)?.reshape(((), size))?;
    let start = aligned(start.pad_with_zeros(1, 0, room(size) - size)?)?;
    let states = start.dim(0)?;
    let layer = Layer::new(RnnConfig {
        cell,
        input,
        hidden,
        bidirectional: count == 2,
        batch,
        steps,
        lengths: lengths.filter(|all| all.iter().any(|&len| len < steps)).map(<[usize]>::to_vec),
        dtype,
        bias: true,
        train: x.track_op() || weights.track_op() || start.track_op(),
        tf32: gemm_reduced_precision_f32(),
    });
    let out = x.apply_op3(&weights, &start, layer)?;
    let y = out.narrow(0, 0, steps * size)?.reshape((batch, steps, count * hidden))?;
    let ends = out.narrow(0, room(steps * size), states * room(size))?.reshape((states, room(size)))?;
    let ends = ends.narrow(1, 0, size)?.reshape((states, count, batch, hidden))?;
    Ok((turn(&y)?, ends))
}

/// Contiguous, from an address on that suits vector loads, as every allocation has it.
fn aligned(x: Tensor) -> Result<Tensor> {
    let start = x.layout().start_offset() * x.dtype().size_in_bytes();
    if x.is_contiguous() && start.is_multiple_of(16) { Ok(x) } else { x.force_contiguous() }
}
