//! The memory that a style transfer is planned to take is what it takes, counted by the allocator.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_nst::{NstConfig, OptimizerKind, Plan, Statistics, Style, StyleTransfer, plan};
use gdl_tests::Counting;
use gdl_vgg::{Arch, Pooling, Tap, VggConfig, VggWeights};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn picture(h: usize, w: usize) -> Tensor {
    let values = (0..3 * h * w).map(|i| (i * 7919 % 1000) as f32 / 1000.0).collect();
    Tensor::from_vec(values, (3, h, w), &Device::Cpu).unwrap()
}

/// What a transfer of a few steps takes at most, with the pictures it is given, and what is planned for it beside the
/// program itself.
fn measure(config: &NstConfig, weights: &VggWeights, masked: bool) -> (f64, f64) {
    let (h, w) = (192, 256);
    let (plan, peak) = Counting::peak_of(|| {
        let (content, style) = (picture(h, w), picture(h, 240));
        let mask = Tensor::from_vec(vec![1f32, 0.0], (1, 2), &Device::Cpu).unwrap();
        let mut styles: Vec<Style> = vec![style.clone().into()];
        if masked {
            styles.push(Style { mask: Some(mask), ..style.into() });
        }
        let mut transfer = StyleTransfer::new(config, weights, &content, &styles).unwrap();
        while transfer.step().unwrap().is_some() {}
        let plan = plan(config, weights, &content, &styles).unwrap();
        assert_eq!(&plan, transfer.plan());
        plan
    });
    (peak as f64, (plan.peak() - Plan::PROGRAM) as f64)
}

#[test]
fn what_is_planned_is_what_is_taken() {
    if gdl_kernels::force_reference() {
        return; // Other operators, which keep more.
    }
    let widths = [24, 32, 40, 48, 48];
    let network = VggConfig { arch: Arch::Vgg16, widths, upto: Tap::relu(4, 1), ..VggConfig::default() };
    let weights = VggWeights::random(&network, 1).unwrap();
    let base = NstConfig { size: 256, min_size: 256, steps: 2, ..NstConfig::default() };
    let fine = Some(vec![Tap::relu(2, 1).into()]);
    // What is made once in a process.
    measure(&base, &weights, false);
    let lbfgs = NstConfig {
        optimizer: OptimizerKind::Lbfgs,
        lbfgs_history: 2,
        steps: 4,
        statistics: Statistics::Gram,
        ..base.clone()
    };
    for (name, config, masked) in [
        ("wasserstein", base.clone(), false),
        ("mean and deviation, masked", NstConfig { statistics: Statistics::MeanStd, ..base.clone() }, true),
        ("gram, masked", NstConfig { statistics: Statistics::Gram, ..base.clone() }, true),
        ("average pooling", NstConfig { pooling: Pooling::Average, ..base.clone() }, false),
        (
            "histograms, normalised",
            NstConfig { histogram_weight: 1.0, normalize_gradients: true, ..base.clone() },
            false,
        ),
        ("levels", NstConfig { style_levels: 3, ..base.clone() }, false),
        ("averaged", NstConfig { average_decay: 0.9, ..base.clone() }, false),
        ("shallow content", NstConfig { content_layers: fine, ..base.clone() }, false),
        ("l-bfgs", lbfgs, false),
    ] {
        for tile in [None, Some(96)] {
            let config = NstConfig { tile, ..config.clone() };
            let (taken, planned) = measure(&config, &weights, masked);
            let ratio = planned / taken;
            println!("{name}, tile {tile:?}: {:.1} MB taken, {ratio:.2} times that planned", taken / 1e6);
            // From above, and no more than a quarter too much; some 5% are scratch memory, which depends on the threads.
            assert!((0.98..1.27).contains(&ratio), "{name}, tile {tile:?}: {taken} {planned}");
        }
    }
}
