//! Which algorithm of cuDNN computes a convolution: measured once per shape, then remembered.

use super::conv::{Geometry, Options};
use super::error::{Error, Result, check};
use super::handle::{Dtype, address, lock, workspace_limit};
use super::problem::{Buffers, Pass, Problem};
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as Data, cudnnConvolutionBwdDataAlgoPerf_t as DataPerf,
    cudnnConvolutionBwdFilterAlgo_t as Weight, cudnnConvolutionBwdFilterAlgoPerf_t as WeightPerf,
    cudnnConvolutionFwdAlgo_t as Forward, cudnnConvolutionFwdAlgoPerf_t as ForwardPerf, cudnnDeterminism_t,
    cudnnMathType_t as Math, cudnnStatus_t,
};
use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::{Arc, LazyLock, Mutex};

const FORWARD: [Forward; 8] = [
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_DIRECT,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_FFT,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD,
    Forward::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
];
const DATA: [Data; 6] = [
    Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0,
    Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
    Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
    Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING,
    Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD,
    Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
];
const WEIGHT: [Weight; 7] = [
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0,
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD,
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED,
    Weight::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING,
];

/// An algorithm for one of the passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Forward(Forward),
    BackwardData(Data),
    BackwardWeight(Weight),
}

impl Algorithm {
    /// All algorithms for a pass, in the order of their numbers.
    fn all(pass: Pass) -> Vec<Self> {
        match pass {
            Pass::Forward => FORWARD.map(Self::Forward).to_vec(),
            Pass::BackwardData => DATA.map(Self::BackwardData).to_vec(),
            Pass::BackwardWeight => WEIGHT.map(Self::BackwardWeight).to_vec(),
        }
    }

    /// The algorithm of a number that cuDNN gave, unless it is newer than this list.
    fn of(pass: Pass, number: u32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|at| Self::all(pass).get(at).copied())
    }
}

/// What cuDNN reports on an algorithm. Its structures for the three passes differ in the type of the first field
/// only; numbers instead of enumerations take values that a newer cuDNN may add.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Perf {
    algorithm: u32,
    status: u32,
    time: f32,
    memory: usize,
    determinism: u32,
    math: u32,
    reserved: [c_int; 3],
}

const _: () = {
    assert!(size_of::<Perf>() == size_of::<ForwardPerf>() && align_of::<Perf>() == align_of::<ForwardPerf>());
    assert!(size_of::<Perf>() == size_of::<DataPerf>() && align_of::<Perf>() == align_of::<DataPerf>());
    assert!(size_of::<Perf>() == size_of::<WeightPerf>() && align_of::<Perf>() == align_of::<WeightPerf>());
};

impl Perf {
    /// Calls with room for results, as (room, place for their count, first result), and returns those written.
    pub(super) fn collect(
        call: impl FnOnce(c_int, *mut c_int, *mut Self) -> (&'static str, cudnnStatus_t),
    ) -> Result<Vec<Self>> {
        // Each algorithm may come once per way of multiplying.
        let mut perfs = [Self::default(); 16];
        let mut count = 0;
        let (name, status) = call(perfs.len() as c_int, &mut count, perfs.as_mut_ptr());
        check(name, status)?;
        let count = usize::try_from(count).unwrap_or(0).min(perfs.len());
        Ok(perfs[..count].to_vec())
    }
}

/// An algorithm, how it multiplies, and the bytes of workspace that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) algorithm: Algorithm,
    pub(super) math: Math,
    pub(super) workspace: usize,
}

type Key = (usize, Pass, Options, Geometry);
static CHOICES: LazyLock<Mutex<HashMap<Key, Arc<[Choice]>>>> = LazyLock::new(Mutex::default);

/// Forgets all choices.
pub(super) fn forget() {
    lock(&CHOICES).clear();
}

/// The algorithms for a convolution, the best first: at least one.
pub(super) fn choices(problem: &Problem, pass: Pass, buffers: Buffers) -> Result<Arc<[Choice]>> {
    let options = problem.options;
    let key = (problem.stream().context().ordinal(), pass, options, problem.geometry);
    if let Some(known) = lock(&CHOICES).get(&key) {
        return Ok(known.clone());
    }
    let limit = workspace_limit(problem.stream())?;
    let mut choices = Vec::new();
    if !options.deterministic {
        // What cannot be measured, for want of memory say, is left to cuDNN's guess.
        let perfs = measure(problem, pass, buffers, limit).unwrap_or_default();
        choices = within(problem, usable(&perfs, pass, options), limit)?;
    }
    if choices.is_empty() {
        choices = within(problem, usable(&problem.suggest(pass)?, pass, options), limit)?;
    }
    if choices.is_empty() {
        return Err(Error::NoAlgorithm { deterministic: options.deterministic, subject: String::new() });
    }
    let choices: Arc<[Choice]> = choices.into();
    lock(&CHOICES).insert(key, choices.clone());
    Ok(choices)
}

/// Runs all algorithms that do with the workspace allowed, in memory that is given back at once.
fn measure(problem: &Problem, pass: Pass, mut buffers: Buffers, limit: usize) -> Result<Vec<Perf>> {
    let stream = problem.stream();
    let needs = Algorithm::all(pass).into_iter().filter_map(|algorithm| problem.workspace(algorithm).ok());
    let bytes = needs.filter(|&bytes| bytes <= limit).max().unwrap_or(0);
    let alloc = |bytes: usize| {
        // SAFETY: cuDNN writes a workspace before it reads it, and nobody reads the scratch output.
        unsafe { stream.alloc::<u8>(bytes.max(1)) }.map_err(Error::driver("allocation for a measurement"))
    };
    let space = alloc(bytes)?;
    // What the result is to be added to must not be overwritten.
    let scratch = if buffers.add {
        Some(alloc(problem.geometry.weight_shape().iter().product::<usize>() * problem.options.dtype.size())?)
    } else {
        None
    };
    if let Some(scratch) = &scratch {
        buffers.weight = address(scratch, stream);
    }
    problem.measure(pass, buffers, address(&space, stream), bytes)
}

/// The algorithms that the options allow, with the way of multiplying, in the order reported.
fn usable(perfs: &[Perf], pass: Pass, options: Options) -> Vec<(Algorithm, Math)> {
    let wanted = options.dtype.math(options.tf32);
    let good = |perf: &&Perf| {
        perf.status == cudnnStatus_t::CUDNN_STATUS_SUCCESS as u32
            && (!options.deterministic || perf.determinism == cudnnDeterminism_t::CUDNN_DETERMINISTIC as u32)
    };
    let mut perfs: Vec<_> = perfs.iter().filter(good).collect();
    if wanted == Math::CUDNN_FMA_MATH {
        // cuDNN tries its default beside what is asked for. With TF32 forbidden its time there does not count.
        perfs.sort_by_key(|perf| perf.math != wanted as u32);
    }
    let mut found = Vec::new();
    for perf in perfs {
        let math = match options.dtype {
            Dtype::F16 | Dtype::BF16 if perf.math == Math::CUDNN_DEFAULT_MATH as u32 => {
                Math::CUDNN_DEFAULT_MATH
            }
            _ => wanted,
        };
        let Some(algorithm) = Algorithm::of(pass, perf.algorithm) else { continue };
        if !found.contains(&(algorithm, math)) {
            found.push((algorithm, math));
        }
    }
    found
}

/// Those that do with the workspace allowed.
fn within(problem: &Problem, found: Vec<(Algorithm, Math)>, limit: usize) -> Result<Vec<Choice>> {
    let mut choices = Vec::new();
    for (algorithm, math) in found {
        problem.set_math(math)?;
        if let Ok(workspace) = problem.workspace(algorithm)
            && workspace <= limit
        {
            choices.push(Choice { algorithm, math, workspace });
        }
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Options = Options { dtype: Dtype::F32, tf32: false, deterministic: false };

    fn perf(algorithm: u32, status: u32, determinism: u32, math: Math) -> Perf {
        Perf { algorithm, status, determinism, math: math as u32, ..Perf::default() }
    }

    #[test]
    fn numbers_are_cudnns() {
        for pass in [Pass::Forward, Pass::BackwardData, Pass::BackwardWeight] {
            for (number, algorithm) in Algorithm::all(pass).into_iter().enumerate() {
                let raw = match algorithm {
                    Algorithm::Forward(a) => a as usize,
                    Algorithm::BackwardData(a) => a as usize,
                    Algorithm::BackwardWeight(a) => a as usize,
                };
                assert_eq!(raw, number);
                assert_eq!(Algorithm::of(pass, number as u32), Some(algorithm));
            }
        }
        assert_eq!(Algorithm::of(Pass::Forward, 8), None);
        assert_eq!(Algorithm::of(Pass::BackwardData, 6), None);
    }

    #[test]
    fn without_tf32_only_what_was_measured_without_it_leads() {
        let (fma, default) = (Math::CUDNN_FMA_MATH, Math::CUDNN_DEFAULT_MATH);
        let perfs = [perf(1, 0, 1, default), perf(6, 0, 1, fma), perf(1, 0, 1, fma), perf(0, 0, 1, default)];
        let of = |numbers: &[usize], math| -> Vec<_> {
            numbers.iter().map(|&n| (Algorithm::Forward(FORWARD[n]), math)).collect()
        };
        assert_eq!(usable(&perfs, Pass::Forward, PLAIN), of(&[6, 1, 0], fma));
        let tf32 = Options { tf32: true, ..PLAIN };
        assert_eq!(usable(&perfs, Pass::Forward, tf32), of(&[1, 6, 0], default));
    }

    #[test]
    fn failures_and_unknown_algorithms_are_left_out() {
        let math = Math::CUDNN_FMA_MATH;
        let perfs = [perf(2, 3000, 1, math), perf(99, 0, 1, math), perf(3, 0, 0, math), perf(1, 0, 1, math)];
        let of = |n: usize| (Algorithm::BackwardWeight(WEIGHT[n]), math);
        assert_eq!(usable(&perfs, Pass::BackwardWeight, PLAIN), [of(3), of(1)]);
        let deterministic = Options { deterministic: true, ..PLAIN };
        assert_eq!(usable(&perfs, Pass::BackwardWeight, deterministic), [of(1)]);
    }

    #[test]
    fn half_precision_keeps_both_ways_of_multiplying() {
        let (tensor, default) = (Math::CUDNN_TENSOR_OP_MATH, Math::CUDNN_DEFAULT_MATH);
        let perfs = [perf(1, 0, 1, tensor), perf(1, 0, 1, default)];
        let of = |math| (Algorithm::Forward(FORWARD[1]), math);
        let half = Options { dtype: Dtype::F16, ..PLAIN };
        assert_eq!(usable(&perfs, Pass::Forward, half), [of(tensor), of(default)]);
        // Nobody asked for half precision here.
        let single = Options { tf32: true, ..PLAIN };
        let perfs = [perf(1, 0, 1, Math::CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION)];
        assert_eq!(usable(&perfs, Pass::Forward, single), [of(default)]);
    }

    #[test]
    fn as_many_results_as_cudnn_counts() {
        let write = |count: c_int, status: cudnnStatus_t| {
            Perf::collect(|room, places, perfs| {
                assert_eq!(room, 16);
                // SAFETY: `collect` gives a place for the count and sixteen for results.
                unsafe {
                    *places = count;
                    (*perfs.add(1)).algorithm = 5;
                }
                ("call", status)
            })
        };
        let perfs = write(2, cudnnStatus_t::CUDNN_STATUS_SUCCESS).unwrap();
        assert_eq!((perfs.len(), perfs[1].algorithm), (2, 5));
        assert_eq!(write(-1, cudnnStatus_t::CUDNN_STATUS_SUCCESS).unwrap().len(), 0);
        assert_eq!(write(99, cudnnStatus_t::CUDNN_STATUS_SUCCESS).unwrap().len(), 16);
        assert!(write(1, cudnnStatus_t::CUDNN_STATUS_BAD_PARAM).is_err());
    }
}
