//! Times convolutions, forward and backward, and prints a JSON line for each: `bench [runs] [name part]`.
//!
//! `tests/peers/conv_bench.py` does the same in PyTorch. `RAYON_NUM_THREADS` and `THREADS` set the threads; "cpu" is
//! processor time, to be compared with one thread each: waiting threads may spin.
//! Run under the allocator that the program uses, or the page faults of fresh outputs are timed with the rest.

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, Var};
use gdl_conv::{Conv2dParams, ConvTranspose2dParams, conv_transpose2d, conv2d};
use std::time::Instant;

/// (name, transposed, input, weights, stride, padding)
type Case = (&'static str, bool, [usize; 4], [usize; 4], usize, usize);

const CASES: &[Case] = &[
    ("3x3 256->256 at 64", false, [1, 256, 64, 64], [256, 256, 3, 3], 1, 1),
    ("3x3 64->64 at 256", false, [1, 64, 256, 256], [64, 64, 3, 3], 1, 1),
    ("4x4 s2 64->128 at 128", false, [1, 64, 128, 128], [128, 64, 4, 4], 2, 1),
    ("transposed 3x3 s2 256->128 at 64", true, [1, 256, 64, 64], [256, 128, 3, 3], 2, 1),
    ("7x7 3->64 at 256", false, [1, 3, 256, 256], [64, 3, 7, 7], 1, 3),
    ("7x7 64->3 at 256", false, [1, 64, 256, 256], [3, 64, 7, 7], 1, 3),
    ("3x3 512->512 at 32", false, [1, 512, 32, 32], [512, 512, 3, 3], 1, 1),
    ("4x4 s2 512->512 at 8", false, [1, 512, 8, 8], [512, 512, 4, 4], 2, 1),
];

/// A scalar whose gradient is given: what `y.backward(grad)` is in PyTorch.
struct Start(Tensor);

impl CustomOp1 for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.]), Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}

fn values(shape: &[usize], scale: f32) -> Result<Var> {
    let mut state = 1u32;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state as f32 / u32::MAX as f32 - 0.5) * scale
        })
        .collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Processor time of all threads so far, which other programs on the machine disturb less (Linux; else 0).
fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|t| {
        let stat = std::fs::read_to_string(t.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e6
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let runs: usize = args.next().and_then(|a| a.parse().ok()).unwrap_or(15);
    let part = args.next().unwrap_or_default();
    for (name, transposed, x, w, stride, padding) in CASES.iter().filter(|c| c.0.contains(&part)) {
        let (x, w) = (values(x, 1.)?, values(w, 0.1)?);
        let (s, p) = ((*stride, *stride), (*padding, *padding));
        let forward = || {
            if *transposed {
                let params = ConvTranspose2dParams {
                    stride: s,
                    padding: p,
                    output_padding: (stride - 1, stride - 1),
                    ..Default::default()
                };
                conv_transpose2d(&x, &w, None, &params)
            } else {
                conv2d(&x, &w, None, &Conv2dParams { stride: s, padding: p, ..Default::default() })
            }
        };
        let grad = Tensor::ones(forward()?.dims(), DType::F32, &Device::Cpu)?;
        let (mut all, mut forwards, mut cpus) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs + 2 {
            let (start, cpu) = (Instant::now(), cpu_ms());
            let y = forward()?;
            let middle = Instant::now();
            let grads = y.apply_op1(Start(grad.clone()))?.backward()?;
            all.push(start.elapsed().as_secs_f64() * 1e3);
            forwards.push((middle - start).as_secs_f64() * 1e3);
            cpus.push(cpu_ms() - cpu);
            drop(grads);
        }
        let median = |times: &mut Vec<f64>| {
            times.drain(..2);
            times.sort_by(f64::total_cmp);
            (times[times.len() / 2], times[0])
        };
        let ((all, best), (forward, _), (cpu, _)) =
            (median(&mut all), median(&mut forwards), median(&mut cpus));
        println!(
            r#"{{"name": "{name}", "ms": {all:.2}, "best": {best:.2}, "forward": {forward:.2}, "cpu": {cpu:.2}}}"#
        );
    }
    Ok(())
}
