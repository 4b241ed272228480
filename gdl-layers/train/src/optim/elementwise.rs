//! Element-wise updates of variables in place: one parallel pass on the CPU, composed tensor operations elsewhere.

use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Result, Storage, Tensor, Var, bail};
use gdl_kernels::{read, read_one};
use std::cell::Cell;
use std::ops::{Add, Div, Mul, Range, Sub};

/// Elements per task. A fixed size: which elements are computed together does not depend on the number of threads.
const CHUNK: usize = 16 * 1024;

/// The number types of the CPU path.
pub(crate) trait Real:
    Copy + Send + Sync + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    fn of(x: f64) -> Self;
    fn to_f64(self) -> f64;
    fn sqrt(self) -> Self;
    fn slice(storage: &CpuStorage) -> Option<&[Self]>;
    fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

macro_rules! real {
    ($t:ty, $variant:ident) => {
        impl Real for $t {
            fn of(x: f64) -> Self {
                x as $t
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            fn slice(storage: &CpuStorage) -> Option<&[Self]> {
                if let CpuStorage::$variant(data) = storage { Some(data) } else { None }
            }
            fn slice_mut(storage: &mut CpuStorage) -> Option<&mut [Self]> {
                if let CpuStorage::$variant(data) = storage { Some(data) } else { None }
            }
        }
    };
}
real!(f32, F32);
real!(f64, F64);

/// How a variable and `K` states of its shape change under a gradient. A state that a rule has no use for may be empty.
pub(crate) trait Rule<const K: usize>: Sync {
    /// One pass over a stretch of the variable.
    fn run<F: Real>(&self, p: &mut [F], g: &[F], state: [&mut [F]; K]);

    /// The same with tensors, for every device: the new variable and the new states (`None`: unchanged).
    fn compose(&self, p: &Tensor, g: &Tensor, state: [&Tensor; K]) -> Result<(Tensor, [Option<Tensor>; K])>;
}

/// A rule that an optimizer steps by.
pub(crate) trait StepRule<const K: usize>: Rule<K> {
    /// The kernel that does the same on CUDA.
    #[cfg(feature = "cuda")]
    fn kernel(&self) -> super::cuda::Kernel;
}

/// Changes `p` and `state` in place.
pub(crate) fn update<const K: usize, R: Rule<K>>(
    rule: &R,
    name: &str,
    p: &Var,
    g: &Tensor,
    state: [&Var; K],
) -> Result<()> {
    check(name, p, g)?;
    match p.dtype() {
        _ if !p.device().is_cpu() || gdl_kernels::force_reference() => composed(rule, p, g, state),
        DType::F32 => fused::<f32, K, R>(rule, p, g, state),
        DType::F64 => fused::<f64, K, R>(rule, p, g, state),
        _ => composed(rule, p, g, state),
    }
}

/// Whether a gradient fits its variable, or an error that names it.
pub(crate) fn check(name: &str, p: &Var, g: &Tensor) -> Result<()> {
    if g.shape() != p.shape() || g.dtype() != p.dtype() {
        bail!(
            "{name}: the gradient is {:?} {}, the variable {:?} {}",
            g.shape(),
            g.dtype().as_str(),
            p.shape(),
            p.dtype().as_str()
        )
    }
    Ok(())
}

pub(crate) fn composed<const K: usize, R: Rule<K>>(
    rule: &R,
    p: &Var,
    g: &Tensor,
    state: [&Var; K],
) -> Result<()> {
    let before = state.map(|s| s.as_detached_tensor());
    let (new, states) = rule.compose(&p.as_detached_tensor(), g, before.each_ref())?;
    for (var, value) in state.into_iter().zip(states) {
        if let Some(value) = value {
            var.set(&value.detach())?;
        }
    }
    p.set(&new.detach())
}

fn fused<F: Real, const K: usize, R: Rule<K>>(rule: &R, p: &Var, g: &Tensor, state: [&Var; K]) -> Result<()> {
    let g = g.contiguous()?;
    lend(&state, Vec::with_capacity(K), &mut |held| {
        let mut slices: [&mut [F]; K] = std::array::from_fn(|_| Default::default());
        for (slice, (storage, range)) in slices.iter_mut().zip(held) {
            *slice = stretch(F::slice_mut(storage), range)?;
        }
        let slices = Cell::new(Some(slices));
        let op = Lend2(|ps: &mut CpuStorage, pr, gs: &CpuStorage, gr: Range<usize>| {
            let p = stretch(F::slice_mut(ps), pr)?;
            let g = F::slice(gs).and_then(|g| g.get(gr)).unwrap_or_default();
            if let Some(state) = slices.take() {
                split(rule, p, g, state);
            }
            Ok(())
        });
        p.inplace_op2(&g, &op)
    })
}

fn stretch<F>(data: Option<&mut [F]>, range: Range<usize>) -> Result<&mut [F]> {
    match data.and_then(|d| d.get_mut(range)) {
        Some(slice) => Ok(slice),
        None => bail!("optimizer: a variable and its state differ in type"),
    }
}

/// Halves the work until a piece is small enough for one task.
fn split<F: Real, const K: usize, R: Rule<K>>(rule: &R, p: &mut [F], g: &[F], state: [&mut [F]; K]) {
    if p.len() <= CHUNK {
        return rule.run(p, g, state);
    }
    let mid = p.len().div_ceil(CHUNK) / 2 * CHUNK;
    let (p0, p1) = p.split_at_mut(mid);
    let (g0, g1) = g.split_at(mid);
    let mut right: [&mut [F]; K] = std::array::from_fn(|_| Default::default());
    let mut places = right.iter_mut();
    let left = state.map(|s| {
        let (a, b) = s.split_at_mut(mid.min(s.len()));
        if let Some(place) = places.next() {
            *place = b;
        }
        a
    });
    gdl_kernels::par::join(|| split(rule, p0, g0, left), || split(rule, p1, g1, right));
}

type Held<'a> = (&'a mut CpuStorage, Range<usize>);

/// Gives `f` the storage of several CPU variables at once, each locked while it runs.
fn lend(vars: &[&Var], held: Vec<Held<'_>>, f: &mut dyn FnMut(Vec<Held<'_>>) -> Result<()>) -> Result<()> {
    let Some((var, rest)) = vars.split_first() else { return f(held) };
    let op = Lend1(Cell::new(Some(move |storage: &mut CpuStorage, range: Range<usize>| {
        let mut held = held;
        held.push((storage, range));
        lend(rest, held, f)
    })));
    var.inplace_op1(&op)
}

fn range(layout: &Layout) -> Result<Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => bail!("optimizer: a variable is not contiguous"),
    }
}

struct Lend1<F>(Cell<Option<F>>);

impl<F: FnOnce(&mut CpuStorage, Range<usize>) -> Result<()>> InplaceOp1 for Lend1<F> {
    fn name(&self) -> &'static str {
        "optimizer-update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match self.0.take() {
            Some(f) => f(storage, range(layout)?),
            None => Ok(()),
        }
    }
}

struct Lend2<F>(F);

impl<F: Fn(&mut CpuStorage, Range<usize>, &CpuStorage, Range<usize>) -> Result<()>> InplaceOp2 for Lend2<F> {
    fn name(&self) -> &'static str {
        "optimizer-update"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, pl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<()> {
        (self.0)(p, range(pl)?, g, range(gl)?)
    }
}

/// The sum of `f(a_i, b_i)`, added up in f64 in a fixed order on the CPU.
fn reduce<F: Real>(a: &[F], b: &[F], f: impl Fn(f64, f64) -> f64 + Sync) -> f64 {
    const LANES: usize = 8;
    let partial = gdl_kernels::par::map(a.len().div_ceil(CHUNK), |i| {
        let range = i * CHUNK..((i + 1) * CHUNK).min(a.len());
        let (a, b) = (a[range.clone()].chunks_exact(LANES), b[range].chunks_exact(LANES));
        let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| f(x.to_f64(), y.to_f64())).sum();
        let mut lanes = [0f64; LANES];
        for (x, y) in a.zip(b) {
            for l in 0..LANES {
                lanes[l] += f(x[l].to_f64(), y[l].to_f64());
            }
        }
        lanes.iter().sum::<f64>() + rest
    });
    partial.into_iter().sum()
}

fn on_cpu(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64 + Sync) -> Result<Option<f64>> {
    if !a.device().is_cpu() || a.dtype() != b.dtype() || a.elem_count() != b.elem_count() {
        return Ok(None);
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    let ((sa, la), (sb, lb)) = (a.storage_and_layout(), b.storage_and_layout());
    let (Storage::Cpu(sa), Storage::Cpu(sb)) = (&*sa, &*sb) else { return Ok(None) };
    let (ra, rb) = (range(la)?, range(lb)?);
    Ok(match (sa, sb) {
        (CpuStorage::F32(a), CpuStorage::F32(b)) => Some(reduce(&a[ra], &b[rb], f)),
        (CpuStorage::F64(a), CpuStorage::F64(b)) => Some(reduce(&a[ra], &b[rb], f)),
        _ => None,
    })
}

/// For sums: a half-precision tensor is added up in f32.
pub(crate) fn wide(t: &Tensor) -> Result<Tensor> {
    if t.dtype() == DType::F64 { Ok(t.clone()) } else { t.to_dtype(DType::F32) }
}

/// The inner product of two tensors of one shape.
pub(crate) fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    match on_cpu(a, b, |x, y| x * y)? {
        Some(sum) => Ok(sum),
        None => read_one(&(wide(a)? * wide(b)?)?.sum_all()?),
    }
}

/// The sum of squares of each tensor, and the values of scalars. However many lie on a device, it is waited for once.
pub(crate) fn squares<'a>(
    tensors: impl Iterator<Item = &'a Tensor>,
    scalars: &[Tensor],
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut waiting = scalars.to_vec();
    let mut sums = Vec::new();
    for t in tensors {
        let sum = on_cpu(t, t, |x, y| x * y)?;
        if sum.is_none() {
            waiting.push(wide(t)?.sqr()?.sum_all()?);
        }
        sums.push(sum);
    }
    let mut read = read(&waiting)?;
    let mut others = read.split_off(scalars.len()).into_iter();
    let sums = sums.into_iter().map(|sum| sum.or_else(|| others.next()).unwrap_or(f64::NAN));
    Ok((sums.collect(), read))
}

/// The sum of the absolute values.
pub(crate) fn abs_sum(a: &Tensor) -> Result<f64> {
    match on_cpu(a, a, |x, _| x.abs())? {
        Some(sum) => Ok(sum),
        None => read_one(&wide(a)?.abs()?.sum_all()?),
    }
}

/// The largest absolute value; 0 for an empty tensor, NaN when there is a NaN.
pub(crate) fn abs_max(a: &Tensor) -> Result<f64> {
    if a.elem_count() == 0 {
        return Ok(0.0);
    }
    // A maximum may skip a NaN, a sum cannot.
    let sum = abs_sum(a)?;
    if sum.is_nan() { Ok(sum) } else { read_one(&a.abs()?.flatten_all()?.max(0)?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::adam::AdamRule;
    use crate::optim::rms_prop::RmsPropRule;
    use crate::optim::sgd::SgdRule;
    use crate::{AdamConfig, RmsPropConfig, SgdConfig, SharedRng};
    use candle_core::Device;

    /// Takes a step: in one pass or composed, on a variable, with a gradient and states.
    type Stepper<const K: usize> = Box<dyn Fn(bool, &Var, &Tensor, [&Var; K])>;

    /// More than one chunk, and an odd rest.
    const N: usize = 3 * CHUNK + 7;

    /// Three steps by each path from the same state; `empty` states are those the rule does not keep.
    fn compare<const K: usize>(empty: [bool; K], rule: impl Fn(u64) -> Stepper<K>) {
        for dtype in [DType::F32, DType::F64] {
            let rng = SharedRng::seed(5);
            let draw = |n: usize| rng.randn(n, dtype, &Device::Cpu).unwrap();
            let p = draw(N);
            let make = || {
                let state = empty.map(|e| Var::zeros(if e { 0 } else { N }, dtype, &Device::Cpu).unwrap());
                (Var::from_tensor(&p).unwrap(), state)
            };
            let ((p0, s0), (p1, s1)) = (make(), make());
            for t in 1..=3 {
                // A gradient that is not contiguous.
                let g = draw(2 * N).reshape((N, 2)).unwrap().narrow(1, 1, 1).unwrap().squeeze(1).unwrap();
                assert!(!g.is_contiguous());
                rule(t)(true, &p0, &g, s0.each_ref());
                rule(t)(false, &p1, &g, s1.each_ref());
            }
            let bits = |t: &Tensor| t.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
            // The same operations in the same order: equal to the last bit.
            assert_eq!(bits(&p0), bits(&p1));
            for (a, b) in s0.iter().zip(&s1) {
                assert_eq!(bits(a), bits(b));
            }
            assert_ne!(bits(&p0), bits(&p));
        }
    }

    fn both<const K: usize, R: Rule<K> + 'static>(rule: R) -> Stepper<K> {
        Box::new(move |one_pass, p, g, state| {
            if one_pass { update(&rule, "p", p, g, state) } else { composed(&rule, p, g, state) }.unwrap()
        })
    }

    #[test]
    fn adam_in_one_pass_equals_composed() {
        for decoupled in [false, true] {
            let config = AdamConfig { weight_decay: 0.1, decoupled, ..AdamConfig::default() };
            compare([false; 2], |t| both(AdamRule::new(&config, t)));
        }
    }

    #[test]
    fn rms_prop_in_one_pass_equals_composed() {
        for (centered, momentum) in [(false, 0.0), (true, 0.0), (false, 0.9), (true, 0.9)] {
            let config = RmsPropConfig { centered, momentum, weight_decay: 0.1, ..RmsPropConfig::default() };
            let config: &'static _ = Box::leak(Box::new(config));
            compare([false, !centered, momentum == 0.0], |_| both(RmsPropRule(config)));
        }
    }

    #[test]
    fn sgd_in_one_pass_equals_composed() {
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let config = SgdConfig { momentum, nesterov, weight_decay: 0.1, ..SgdConfig::default() };
            let config: &'static _ = Box::leak(Box::new(config));
            compare([momentum == 0.0], |t| both(SgdRule { config, first: t == 1 }));
        }
    }

    #[test]
    fn sums() {
        for dtype in [DType::F32, DType::F64, DType::F16] {
            let a = Tensor::arange(0u32, 2000, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let a = ((a / 2000.).unwrap() - 0.75).unwrap();
            let b: Vec<f64> = a.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
            let want: f64 = b.iter().map(|x| x * x).sum();
            let close = |got: f64, want: f64| assert!((got - want).abs() <= 1e-5 * want, "{got} {want}");
            close(dot(&a, &a).unwrap(), want);
            close(abs_sum(&a).unwrap(), b.iter().map(|x| x.abs()).sum());
            close(abs_max(&a).unwrap(), 0.75);
        }
        let nan = Tensor::new(&[1f32, f32::NAN, 0.], &Device::Cpu).unwrap();
        assert!(abs_max(&nan).unwrap().is_nan());
    }

    #[test]
    fn a_gradient_sharing_its_variables_storage_is_refused() {
        let p = Var::zeros(3, DType::F32, &Device::Cpu).unwrap();
        let state: [Var; 2] = std::array::from_fn(|_| Var::zeros(3, DType::F32, &Device::Cpu).unwrap());
        let rule = AdamRule::new(&AdamConfig::default(), 1);
        let refused = update(&rule, "p", &p, &p.as_detached_tensor(), state.each_ref());
        assert!(refused.unwrap_err().to_string().contains("shares storage"));
    }
}
