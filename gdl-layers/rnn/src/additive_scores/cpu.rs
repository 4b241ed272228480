use crate::cpu::activation::tanh;
use crate::cpu::simd::{Isa, Job, Real, Simd};
use crate::cpu::slices::{add, slices, sum};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use gdl_kernels::{par, view};
use std::marker::PhantomData;

pub(super) fn additive_scores<T: Real>(queries: &Tensor, keys: &Tensor, v: &Tensor) -> Result<Tensor> {
    queries.apply_op3(keys, v, AdditiveScores(PhantomData::<T>))
}

struct AdditiveScores<T>(PhantomData<T>);

impl<T: Real> CustomOp3 for AdditiveScores<T> {
    fn name(&self) -> &'static str {
        "additive_scores"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        queries_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, t, h) = queries_layout.shape().dims3()?;
        let s = keys_layout.dims()[1];
        let queries = view::contiguous::<T>(queries, queries_layout)?;
        let keys = view::contiguous::<T>(keys, keys_layout)?;
        let v = view::contiguous::<T>(v, v_layout)?;
        let mut scores = par::zeros(n * t * s);
        par::chunks_mut(&mut scores, s.max(1), |row, scores| {
            let query = &queries[row * h..][..h];
            let keys = &keys[row / t * s * h..][..s * h];
            Isa::best().run(&mut Scores { query, keys, v: &v, scores });
        });
        Ok((T::to_cpu_storage_owned(scores), Shape::from((n, t, s))))
    }

    fn bwd(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((n, t, h), s) = (queries.dims3()?, keys.dim(1)?);
        // Of each entry of the batch its queries' gradients, its keys' and its share of that of v, behind each other.
        let width = (t + s + 1) * h;
        let mut all = par::zeros::<T>(n * width);
        slices::<T, _>(&[queries, keys, v, grad], |tensors| {
            let [queries, keys, v, grad] = tensors else { return Ok(()) };
            par::chunks_mut(&mut all, width.max(1), |row, out| {
                let (d_queries, rest) = out.split_at_mut(t * h);
                let (d_keys, d_v) = rest.split_at_mut(s * h);
                Isa::best().run(&mut Gradients {
                    queries: &queries[row * t * h..][..t * h],
                    keys: &keys[row * s * h..][..s * h],
                    v,
                    grad: &grad[row * t * s..][..t * s],
                    d_queries,
                    d_keys,
                    d_v,
                });
            });
            Ok(())
        })?;
        let part = |from: usize, len: usize| -> Vec<T> {
            all.chunks_exact(width.max(1)).flat_map(|row| row[from..from + len].iter().copied()).collect()
        };
        let d_queries = Tensor::from_vec(part(0, t * h), (n, t, h), queries.device())?;
        let d_keys = Tensor::from_vec(part(t * h, s * h), (n, s, h), keys.device())?;
        let mut d_v = vec![T::ZERO; h];
        all.chunks_exact(width.max(1)).for_each(|row| add(&mut d_v, &row[(t + s) * h..]));
        Ok((Some(d_queries), Some(d_keys), Some(Tensor::from_vec(d_v, h, v.device())?)))
    }
}

/// The scores (S) of one query (H) with all keys (S, H).
struct Scores<'a, T> {
    query: &'a [T],
    keys: &'a [T],
    v: &'a [T],
    scores: &'a mut [T],
}

impl<T: Real> Job<T> for Scores<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Self { query, keys, v, scores } = self;
        let h = v.len();
        for (score, key) in scores.iter_mut().zip(keys.chunks_exact(h)) {
            let (query, key) = (&query[..h], &key[..h]);
            *score = sum(h, |j| v[j] * tanh::<T, S>(query[j] + key[j]));
        }
    }
}

/// The gradients of one entry of the batch.
struct Gradients<'a, T> {
    queries: &'a [T],
    keys: &'a [T],
    v: &'a [T],
    grad: &'a [T],
    d_queries: &'a mut [T],
    d_keys: &'a mut [T],
    d_v: &'a mut [T],
}

impl<T: Real> Job<T> for Gradients<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd<T>>(&mut self) {
        let Self { queries, keys, v, grad, d_queries, d_keys, d_v } = self;
        let (h, s) = (v.len(), keys.len() / v.len().max(1));
        let d_v = &mut d_v[..h];
        for (t, (query, d_query)) in queries.chunks_exact(h).zip(d_queries.chunks_exact_mut(h)).enumerate() {
            let pairs = keys.chunks_exact(h).zip(d_keys.chunks_exact_mut(h));
            for ((key, d_key), &g) in pairs.zip(&grad[t * s..]) {
                for j in 0..h {
                    let y = tanh::<T, S>(query[j] + key[j]);
                    let d = g * v[j] * (T::ONE - y * y);
                    d_query[j] += d;
                    d_key[j] += d;
                    d_v[j] += g * y;
                }
            }
        }
    }
}
