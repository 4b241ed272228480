//! The memory that a style transfer is planned to take is what it takes, counted by the allocator.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_nst::{NstConfig, OptimizerKind, Statistics, Style, StyleTransfer, plan};
use gdl_vgg::{Pooling, Tap, VggConfig, VggWeights};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The system's allocator, counting.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn picture(h: usize, w: usize) -> Tensor {
    let values = (0..3 * h * w).map(|i| (i * 7919 % 1000) as f32 / 1000.0).collect();
    Tensor::from_vec(values, (3, h, w), &Device::Cpu).unwrap()
}

/// What a transfer of a few steps takes at most beyond what is there, and what is planned.
fn measure(config: &NstConfig, weights: &VggWeights, masked: bool) -> (usize, usize) {
    let (content, style) = (picture(240, 320), picture(240, 300));
    let mask = Tensor::from_vec(vec![1f32, 0.0], (1, 2), &Device::Cpu).unwrap();
    let mut styles: Vec<Style> = vec![style.clone().into()];
    if masked {
        styles.push(Style { mask: Some(mask), ..style.into() });
    }
    let before = LIVE.load(SeqCst);
    PEAK.store(before, SeqCst);
    let mut transfer = StyleTransfer::new(config, weights, &content, &styles).unwrap();
    for _ in 0..3 {
        transfer.step().unwrap();
    }
    let planned = plan(config, weights, &content, &styles).unwrap();
    assert_eq!(&planned, transfer.plan());
    (PEAK.load(SeqCst) - before, planned.peak() as usize)
}

#[test]
fn what_is_planned_is_what_is_taken() {
    let widths = [16, 24, 32, 48, 48];
    let network = VggConfig { widths, upto: Tap::relu(4, 1), ..VggConfig::default() };
    let weights = VggWeights::random(&network, 1).unwrap();
    let base = NstConfig { size: 320, min_size: 320, steps: 3, ..NstConfig::default() };
    let tile = Some(96);
    let fine = Some(vec![Tap::relu(2, 1).into()]);
    for (name, config, masked) in [
        ("wasserstein", base.clone(), false),
        ("gram", NstConfig { statistics: Statistics::Gram, ..base.clone() }, false),
        ("covariance", NstConfig { statistics: Statistics::Covariance, ..base.clone() }, false),
        ("mean-std", NstConfig { statistics: Statistics::MeanStd, ..base.clone() }, false),
        ("masked", base.clone(), true),
        ("masked mean-std", NstConfig { statistics: Statistics::MeanStd, ..base.clone() }, true),
        ("masked gram", NstConfig { statistics: Statistics::Gram, ..base.clone() }, true),
        ("average", NstConfig { pooling: Pooling::Average, ..base.clone() }, false),
        ("l2", NstConfig { pooling: Pooling::L2, ..base.clone() }, false),
        ("histogram", NstConfig { histogram_weight: 1.0, ..base.clone() }, false),
        ("normalised", NstConfig { normalize_gradients: true, ..base.clone() }, false),
        ("levels", NstConfig { style_levels: 3, ..base.clone() }, false),
        ("lbfgs", NstConfig { optimizer: OptimizerKind::Lbfgs, ..base.clone() }, false),
        ("averaged", NstConfig { average_decay: 0.9, ..base.clone() }, false),
        ("content", NstConfig { content_layers: fine.clone(), ..base.clone() }, false),
        ("tiled", NstConfig { tile, ..base.clone() }, false),
        ("tiled gram", NstConfig { tile, statistics: Statistics::Gram, ..base.clone() }, false),
        ("tiled mean-std", NstConfig { tile, statistics: Statistics::MeanStd, ..base.clone() }, false),
        ("tiled masked", NstConfig { tile, ..base.clone() }, true),
        ("tiled average", NstConfig { tile, pooling: Pooling::Average, ..base.clone() }, false),
        ("tiled content", NstConfig { tile, content_layers: fine, ..base.clone() }, false),
        ("tiled histogram", NstConfig { tile, histogram_weight: 1.0, ..base.clone() }, false),
        ("tiled normalised", NstConfig { tile, normalize_gradients: true, ..base.clone() }, false),
        ("tiled levels", NstConfig { tile, style_levels: 3, ..base.clone() }, false),
        ("tiled lbfgs", NstConfig { tile, optimizer: OptimizerKind::Lbfgs, ..base.clone() }, false),
    ] {
        let (taken, planned) = measure(&config, &weights, masked);
        let planned = planned - (150 << 20);
        println!(
            "{name:20} {:8.2} {:8.2} {:.3}",
            taken as f64 / 1e6,
            planned as f64 / 1e6,
            planned as f64 / taken as f64
        );
    }
}
