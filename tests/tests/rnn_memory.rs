//! What recurrent layers allocate: memory linear in the number of steps, none per token when writing, and none of the
//! size of all logits.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_kernels::rng::SharedRng;
use gdl_rnn::{
    CrossEntropy, Embedding, EmbeddingConfig, Gru, GruConfig, Lstm, LstmConfig, Stepper, linear,
    linear_cross_entropy,
};
use gdl_tests::Counting;
use gdl_train::ParamStore;
use std::sync::Mutex;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are those of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes that a call needs beyond what is there.
fn peak(f: impl FnOnce()) -> usize {
    Counting::peak_of(f).1
}

#[test]
fn memory_is_linear_in_the_steps() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if gdl_kernels::force_reference() {
        return; // One node of the graph per step, and a stack that ends.
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    let config = LstmConfig::new(16, 24).num_layers(2).bidirectional(true);
    let plain = Lstm::new(&config, store.vb().pp("plain")).unwrap();
    let options = config.proj_size(10).layer_norm(true).zoneout(0.1, 0.1);
    let options = Lstm::new(&options, store.vb().pp("options")).unwrap().with_rng(SharedRng::seed(1));
    let gru = Gru::new(&GruConfig::new(16, 24).num_layers(2), store.vb().pp("gru")).unwrap();
    let train = |t: usize, which: usize| {
        let x = Tensor::zeros((2, t, 16), DType::F32, &Device::Cpu).unwrap();
        let y = match which {
            0 => plain.forward_t(&x, None, true).unwrap().0,
            1 => options.forward_t(&x, None, true).unwrap().0,
            _ => gru.forward_t(&x, None, true).unwrap().0,
        };
        y.sum_all().unwrap().backward().unwrap();
    };
    for which in 0..3 {
        train(500, which); // What is made once in a process.
        let [one, two, four] = [500, 1000, 2000].map(|t| peak(|| train(t, which)));
        // Twice the steps need twice the memory, where the square of them would need four times as much. How much scratch of
        // the threads lies in a peak depends on the system's scheduler: a tenth on a loaded machine.
        let ratios = [two as f64 / one as f64, four as f64 / two as f64];
        assert!(ratios.iter().all(|r| (1.5..2.6).contains(r)), "{which}: {one}, {two}, {four} bytes");
    }
}

#[test]
fn padding_needs_no_gates() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if gdl_kernels::force_reference() {
        return;
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    let lstm = Lstm::new(&LstmConfig::new(4, 64), store.vb()).unwrap();
    let x = Tensor::zeros((8, 500, 4), DType::F32, &Device::Cpu).unwrap();
    let train = |lengths: &[usize]| {
        let (y, _) = lstm.forward_padded(&x, lengths, None, true).unwrap();
        y.sum_all().unwrap().backward().unwrap();
    };
    train(&[500; 8]);
    let [full, padded] = [[500; 8], [500, 1, 1, 1, 1, 1, 1, 1]].map(|lengths| peak(|| train(&lengths)));
    // Outputs and their gradient are as large as before; gates and cells, nine times as large, are an eighth.
    assert!((padded as f64) < 0.6 * full as f64, "{padded} of {full} bytes");
}

#[test]
fn writing_allocates_nothing_per_token() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if gdl_kernels::force_reference() {
        return;
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    let table = Embedding::new(&EmbeddingConfig::new(65, 32), store.vb().pp("table")).unwrap();
    let head = linear(48, 65, store.vb().pp("head")).unwrap();
    let lstm = Lstm::new(&LstmConfig::new(32, 48).num_layers(2), store.vb().pp("lstm")).unwrap();
    let gru = Gru::new(&GruConfig::new(32, 48).num_layers(2), store.vb().pp("gru")).unwrap();
    let steppers = [
        Stepper::lstm(&table, &lstm, &head, None).unwrap(),
        Stepper::gru(&table, &gru, &head, None).unwrap(),
    ];
    for stepper in steppers {
        let mut stepper = stepper.unwrap();
        stepper.step(0).unwrap();
        let before = Counting::calls();
        for token in 0..65 {
            stepper.step(token).unwrap();
        }
        // Other threads of the test harness may do something; 65 tokens do not.
        let calls = Counting::calls() - before;
        assert!(calls < 10, "{calls} allocations for 65 tokens");
    }
}

#[test]
fn the_fused_loss_never_holds_all_logits() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if gdl_kernels::force_reference() {
        return;
    }
    let (rows, size, vocab) = (1000, 4, 50_000);
    let store = ParamStore::new(DType::F32, &Device::Cpu, 1);
    let head = linear(size, vocab, store.vb()).unwrap();
    let x = Tensor::zeros((rows, size), DType::F32, &Device::Cpu).unwrap();
    let targets = Tensor::zeros(rows, DType::U32, &Device::Cpu).unwrap();
    let bytes = peak(|| {
        let loss = linear_cross_entropy(&x, &head, &targets, &CrossEntropy::default()).unwrap();
        loss.backward().unwrap();
    });
    // All logits would be 200 MB; 32 MiB of them, and a few times the weight's 0.8 MB.
    assert!(bytes < 48 << 20, "{bytes} bytes");
}
