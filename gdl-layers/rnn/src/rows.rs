use candle_core::{DType, Result, Tensor, bail};

/// Which way a sequence operator runs over a batch, and how far in each row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SequenceParams<'a> {
    /// Whether every row is read from its last step to its first. Outputs stay at the step they belong to.
    pub reverse: bool,
    /// True length of every row of a padded batch, each in 1..=T; without it every row has T steps.
    /// A row's final state is its state after its own last step, its outputs beyond are 0, and what
    /// stands in the padding influences nothing (PyTorch's packed sequences).
    pub lengths: Option<&'a [usize]>,
}

impl SequenceParams<'_> {
    /// Checks the lengths against a batch of `n` rows of `t` steps.
    pub(crate) fn check(&self, op: &str, n: usize, t: usize) -> Result<()> {
        // candle panics when it concatenates tensors without elements, so that N = 0 must end here too.
        if t == 0 || n == 0 {
            bail!("{op}: a batch needs at least one row of at least one step, got N = {n}, T = {t}")
        }
        let Some(lengths) = self.lengths else { return Ok(()) };
        if lengths.len() != n {
            bail!("{op}: expected one length per row, {n}, got {}", lengths.len())
        }
        if let Some((row, len)) = lengths.iter().enumerate().find(|&(_, &len)| len == 0 || len > t) {
            bail!("{op}: the length of row {row} must be in 1..={t}, got {len}")
        }
        Ok(())
    }
}

/// Reverses the first `lengths[n]` steps of every row of x (N, T, F); padding stays where it is.
///
/// A gather, so that the gradient (a scatter-add) goes back where it came from.
pub(crate) fn reverse(x: &Tensor, lengths: Option<&[usize]>) -> Result<Tensor> {
    let (n, t, f) = x.dims3()?;
    let index = (0..n).flat_map(|row| {
        let len = lengths.map_or(t, |l| l[row]);
        (0..t).map(move |step| (row * t + if step < len { len - 1 - step } else { step }) as u32)
    });
    let index = Tensor::from_iter(index, x.device())?;
    x.contiguous()?.reshape((n * t, f))?.index_select(&index, 0)?.reshape((n, t, f))
}

/// The step `lengths[n] - 1` of every row of x (N, T, F), as (N, F).
pub(crate) fn last(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let (n, t, f) = x.dims3()?;
    let index = lengths.iter().enumerate().map(|(row, len)| (row * t + len - 1) as u32);
    let index = Tensor::from_iter(index.collect::<Vec<_>>(), x.device())?;
    x.contiguous()?.reshape((n * t, f))?.index_select(&index, 0)
}

/// x (N, T, F) with 0 in the padding.
pub(crate) fn mask(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let (n, t, _) = x.dims3()?;
    let mask = lengths.iter().flat_map(|&len| (0..t).map(move |step| u8::from(step < len)));
    let mask = Tensor::from_iter(mask.collect::<Vec<_>>(), x.device())?.to_dtype(x.dtype())?;
    x.broadcast_mul(&mask.reshape((n, t, 1))?)
}

/// The T steps of x (N, T, F), each (N, F).
///
/// # Errors
///
/// When x has not three axes, or T is 0.
///
/// Halved again and again rather than cut off one by one: the backward pass of `narrow` fills the whole
/// of what was cut, so that one cut per step would cost O(T^2) and this costs O(T log T).
pub fn steps(x: &Tensor) -> Result<Vec<Tensor>> {
    fn halve(x: &Tensor, out: &mut Vec<Tensor>) -> Result<()> {
        let t = x.dim(0)?;
        if t == 1 {
            out.push(x.squeeze(0)?);
            return Ok(());
        }
        halve(&x.narrow(0, 0, t / 2)?, out)?;
        halve(&x.narrow(0, t / 2, t - t / 2)?, out)
    }
    let mut out = Vec::with_capacity(x.dim(1)?);
    halve(&x.transpose(0, 1)?.contiguous()?, &mut out)?; // (T, N, F)
    Ok(out)
}

/// x W_ih^T + bias for every step at once: (N, T, G H).
pub(crate) fn input_gates(x: &Tensor, w_ih: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (n, t, features) = x.dims3()?;
    let gates = x.contiguous()?.reshape((n * t, features))?.matmul(&w_ih.t()?)?; // (N T, G H)
    let gates = match bias {
        Some(bias) => gates.broadcast_add(bias)?,
        None => gates,
    };
    gates.reshape((n, t, ()))
}

/// What a sequence operator reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SequenceInput<'a> {
    /// Vectors (N, T, I).
    Vectors(&'a Tensor),
    /// The rows of a table (V, I) that the ids (N, T) name.
    Tokens { table: &'a Tensor, ids: &'a Tensor },
}

impl SequenceInput<'_> {
    /// N, T and I.
    pub(crate) fn dims(&self) -> Result<(usize, usize, usize)> {
        match self {
            Self::Vectors(x) => x.dims3(),
            Self::Tokens { table, ids } => {
                let (n, t) = ids.dims2()?;
                Ok((n, t, table.dim(1)?))
            }
        }
    }

    /// The tensor whose gradient is computed: the vectors or the table.
    pub(crate) fn tensor(&self) -> &Tensor {
        match self {
            Self::Vectors(x) => x,
            Self::Tokens { table, .. } => table,
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        self.tensor().dtype()
    }

    /// As vectors (N, T, I).
    pub(crate) fn vectors(&self) -> Result<Tensor> {
        match self {
            Self::Vectors(x) => Ok((*x).clone()),
            Self::Tokens { table, ids } => crate::embedding::lookup(table, ids),
        }
    }

    /// Whether the CUDA kernels take this.
    #[cfg(feature = "cuda")]
    pub(crate) fn takes_cuda(&self) -> bool {
        gdl_kernels::cuda::takes(self.tensor())
    }

    /// Whether the CPU kernel takes this. A single step does not repay packing the weights.
    pub(crate) fn takes_kernel(&self, t: usize) -> bool {
        self.tensor().device().is_cpu() && t > 1 && !gdl_kernels::force_reference()
    }
}

/// What the shapes and types of an operator's arguments have to be.
pub(crate) struct Expected {
    pub(crate) op: &'static str,
    pub(crate) dtype: DType,
    pub(crate) n: usize,
    pub(crate) t: usize,
    pub(crate) gates: usize,
    pub(crate) input: usize,
    pub(crate) size: usize,
}

impl Expected {
    pub(crate) fn weights(
        &self,
        w_ih: &Tensor,
        w_hh: &Tensor,
        bias: Option<&Tensor>,
        outputs: usize,
    ) -> Result<()> {
        let rows = self.gates * self.size;
        self.shape("w_ih (gates * H, I)", w_ih, &[rows, self.input])?;
        self.shape("w_hh (gates * H, P)", w_hh, &[rows, outputs])?;
        bias.map_or(Ok(()), |bias| self.shape("bias (gates * H)", bias, &[rows]))
    }

    pub(crate) fn shape(&self, name: &str, tensor: &Tensor, want: &[usize]) -> Result<()> {
        if tensor.dims() != want {
            bail!("{}: expected {name} of shape {want:?}, got {:?}", self.op, tensor.shape())
        }
        if tensor.dtype() != self.dtype {
            let [want, got] = [self.dtype, tensor.dtype()].map(|dtype| dtype.as_str());
            bail!("{}: expected {name} of {want} as the input is, got {got}", self.op)
        }
        Ok(())
    }
}
