//! pix2pix: whole training steps against PyTorch, pairs from files, resuming, and learning.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor};
use gdl_cyclegan::builtin::Domain;
use gdl_cyclegan::eval::{self, Similarity};
use gdl_cyclegan::{
    AlignedConfig, AlignedData, DataSpec, Direction, DiscriminatorConfig, Event, GeneratorConfig, Length,
    Losses, Method, NormKind, Pairs, Pix2Pix, Pix2PixConfig, Pix2PixTrainer, Pix2PixTrainerConfig,
    Translator, halves,
};
use gdl_image_io::Preprocess;
use gdl_patchgan::GanLoss;
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close};
use gdl_train::{AdamConfig, OnExisting, Tensors};
use std::ops::ControlFlow;
use std::path::Path;

fn f64s(t: &Tensor) -> Tensor {
    t.to_dtype(DType::F64).unwrap()
}

fn tiny() -> Pix2PixConfig {
    Pix2PixConfig {
        generator: GeneratorConfig::unet(3).base_channels(2).norm(NormKind::Batch),
        discriminator: DiscriminatorConfig::basic(6).base_channels(2).n_layers(1).norm(NormKind::Batch),
        optimizer: AdamConfig { learning_rate: 2e-3, ..AdamConfig::gan() },
        ..Pix2PixConfig::default()
    }
}

fn net_tensors(fixture: &Fixture, prefix: &str) -> Tensors {
    let prefix = format!("{prefix}.");
    let names = fixture.names().into_iter();
    names
        .filter_map(|name| Some((name.strip_prefix(&prefix)?.to_string(), f64s(&fixture.get(&name)))))
        .collect()
}

#[test]
fn two_training_steps_match_pytorch() {
    let fixture = Fixture::load("pix2pix");
    let mut model = Pix2Pix::new(&tiny(), DType::F64, &DEV).unwrap();
    for (net, store) in model.stores() {
        store.load_tensors(net, &net_tensors(&fixture, &format!("{net}.before"))).unwrap();
    }
    for step in 0..2 {
        let [a, b] = ["a", "b"].map(|x| f64s(&fixture.get(&format!("{x}{step}"))));
        for (name, got) in model.train_step(&a, &b).unwrap().named() {
            let want = f64s(&fixture.get(&format!("loss{step}.{name}"))).to_scalar::<f64>().unwrap();
            assert!((got - want).abs() <= 1e-6 * want, "step {step}: {name} is {got}, expected {want}");
        }
    }
    for (net, store) in model.stores() {
        let want = net_tensors(&fixture, &format!("{net}.after"));
        assert_eq!(want.len(), store.tensors().len());
        for (key, want) in want {
            // Two steps moved the weights by some 4e-3; f32 rounds the fixture by 6e-8 of up to 1. Running statistics too.
            assert_close(&store.tensors()[&key], &want, 1e-7, 2e-7, &format!("{net} {key}"));
        }
    }
}

fn tiny_training(steps: u64) -> Pix2PixTrainerConfig {
    let data =
        AlignedConfig { size: 16, builtin_count: 5, ..AlignedConfig::new(DataSpec::Builtin(Domain::A)) };
    Pix2PixTrainerConfig {
        model: Pix2PixConfig { pool_size: 2, ..tiny() },
        length: Length::Steps(steps),
        checkpoint_every: 0,
        sample_every: 0,
        batch: 2,
        ..Pix2PixTrainerConfig::new(data)
    }
}

#[test]
fn a_resumed_run_is_the_same_bit_for_bit() {
    for gan_loss in [GanLoss::Vanilla, GanLoss::WassersteinGp] {
        let dir = tempfile::tempdir().unwrap();
        let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
        let mut config = tiny_training(6);
        config.model.gan_loss = gan_loss;
        // With four levels none would have dropout.
        config.model.generator =
            GeneratorConfig::resnet(1).base_channels(2).norm(NormKind::Batch).dropout(true);
        let create =
            |path: &Path| Pix2PixTrainer::create(path, config.clone(), OnExisting::Refuse, &DEV).unwrap();
        create(&whole).run(|_| ControlFlow::Continue(())).unwrap();
        let stop = |event: &Event<_>| match event {
            Event::Step(step) if step.step == 3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        create(&parts).run(stop).unwrap();
        let mut resumed = Pix2PixTrainer::resume(&parts, &DEV).unwrap();
        assert_eq!(resumed.step(), 3);
        resumed.run(|_| ControlFlow::Continue(())).unwrap();
        for file in [
            "weights.safetensors",
            "state/step-00000006/optimizer-G.safetensors",
            "state/step-00000006/optimizer-D.safetensors",
            "state/step-00000006/tensors-pool.safetensors",
        ] {
            let [a, b] = [&whole, &parts].map(|run| gdl_train::load_tensors(run.join(file), &DEV).unwrap().0);
            assert!(!a.is_empty() && a.len() == b.len(), "{file}");
            for (key, tensor) in &a {
                assert_bitwise(tensor, &b[key], &format!("{file} {key}"));
            }
        }
        let [a, b] = [&whole, &parts].map(|run| std::fs::read_to_string(run.join("metrics.jsonl")).unwrap());
        assert_eq!(a, b);
    }
}

#[test]
fn training_on_pairs_lowers_the_distance() {
    let mut config = tiny_training(60);
    config.model.generator = GeneratorConfig::resnet(1).base_channels(4).norm(NormKind::Batch);
    let mut losses = Vec::new();
    let mut trainer = Pix2PixTrainer::new(config, &DEV).unwrap();
    trainer
        .run(|event| {
            if let Event::Step(step) = event {
                losses.push(step.losses.l1);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
    let (before, after) = (mean(&losses[..10]), mean(&losses[50..]));
    assert!(after < 0.6 * before, "from {before} to {after}");
}

#[test]
fn a_run_translates_and_shows_samples() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut config = tiny_training(2);
    config.sample_every = 1;
    let mut trainer = Pix2PixTrainer::create(&run, config, OnExisting::Refuse, &DEV).unwrap();
    trainer.run(|_| ControlFlow::Continue(())).unwrap();
    let sheet = gdl_image_io::image_size(run.join("samples/step-00000002.png")).unwrap();
    // Four rows of picture, translation and truth, with 2 pixels around each.
    assert_eq!(sheet, (4 * 18 + 2, 3 * 18 + 2));
    let picture = Tensor::full(0.5f32, (3, 21, 18), &DEV).unwrap();
    let got =
        Translator::load_pix2pix(&run, &DEV).unwrap().by_running_statistics().translate(&picture).unwrap();
    let want = Translator::new(trainer.model().generator().clone(), &DEV).translate(&picture).unwrap();
    assert_bitwise(&got, &want, "translation");
    assert!(Translator::load(&run, Direction::AtoB, &DEV).is_err());
}

/// Files of two pictures side by side, the right one the negative of the left.
fn files(dir: &Path, sizes: &[(usize, usize)]) {
    for (i, &(h, w)) in sizes.iter().enumerate() {
        let left = Tensor::rand(0f32, 1f32, (3, h, w / 2), &DEV).unwrap();
        let middle = Tensor::zeros((3, h, w % 2), DType::F32, &DEV).unwrap();
        let right = left.affine(-1.0, 1.0).unwrap();
        let both = Tensor::cat(&[&left, &middle, &right], 2).unwrap();
        gdl_image_io::save_image(&both, dir.join(format!("{i}.png"))).unwrap();
    }
}

#[test]
fn both_halves_are_cut_and_mirrored_alike() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), &[(40, 80), (33, 71), (20, 90)]);
    let all = [
        Preprocess::ResizeAndCrop,
        Preprocess::Crop,
        Preprocess::ScaleWidth,
        Preprocess::ScaleWidthAndCrop,
        Preprocess::None,
    ];
    for preprocess in all {
        let mut config = AlignedConfig::new(DataSpec::Folder(dir.path().into()));
        (config.size, config.load_size, config.preprocess) = (16, Some(24), preprocess);
        let forth = AlignedData::open(&config, 3).unwrap();
        assert_eq!(forth.epoch_len(), 3);
        config.direction = Direction::BtoA;
        let back = AlignedData::open(&config, 3).unwrap();
        for i in 0..9 {
            let (a, b) = forth.sample(i).unwrap();
            // 8 bits, [-1, 1]: a step of 2/255 in each, and a resampling that both went through; it may overshoot, and is cut
            // off at the ends of the range.
            assert_close(&a, &b.neg().unwrap(), 0.02, 0.0, &format!("{preprocess:?}"));
            let (b2, a2) = back.sample(i).unwrap();
            assert_bitwise(&a, &a2, "the other direction");
            assert_bitwise(&b, &b2, "the other direction");
            // What a sample is does not depend on what was asked before.
            assert_bitwise(&a, &AlignedData::open(&config, 3).unwrap().sample(i).unwrap().1, "alone");
        }
    }
    let (left, right) =
        halves(&Tensor::arange(0f32, 5.0, &DEV).unwrap().reshape((1, 1, 5)).unwrap()).unwrap();
    assert_eq!(left.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.0, 1.0]);
    assert_eq!(right.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [3.0, 4.0]);
    assert!(halves(&Tensor::zeros((3, 4, 1), DType::F32, &DEV).unwrap()).is_err());
}

#[test]
fn bad_settings_are_named() {
    type Spoil = fn(&mut Pix2PixTrainerConfig);
    let cases: [(&str, Spoil); 7] = [
        ("size", |c| c.data.size = 0),
        ("size", |c| c.data.size = 18),
        ("batch", |c| c.batch = 0),
        ("steps", |c| c.length = Length::Steps(0)),
        ("lambda_l1", |c| c.model.lambda_l1 = f64::NAN),
        ("in_channels", |c| c.model.discriminator.in_channels = 3),
        ("builtin_count", |c| c.data.builtin_count = 0),
    ];
    for (key, spoil) in cases {
        let mut config = tiny_training(1);
        spoil(&mut config);
        let error = Pix2PixTrainer::new(config, &DEV).unwrap_err().to_string();
        assert!(error.starts_with(key) && !error.contains('\n'), "{key}: {error}");
    }
}

/// The sum over every window, written out.
#[test]
fn similarity_is_the_paper_s() {
    let rng = gdl_kernels::rng::SharedRng::seed(9);
    let (h, w) = (14, 13);
    let [a, b] = [(); 2].map(|()| rng.rand((2, h, w), 0.0, 1.0, DType::F64, &DEV).unwrap());
    let planes = |t: &Tensor| t.to_vec3::<f64>().unwrap();
    let (pa, pb) = (planes(&a), planes(&b));
    let gauss = |i: usize| (-(i as f64 - 5.0).powi(2) / 4.5).exp();
    let (mut total, mut count) = (0.0, 0.0);
    for c in 0..2 {
        for (y, x) in (0..h - 10).flat_map(|y| (0..w - 10).map(move |x| (y, x))) {
            let mut sums = [0.0; 6];
            for (i, j) in (0..11).flat_map(|i| (0..11).map(move |j| (i, j))) {
                let (weight, p, q) = (gauss(i) * gauss(j), pa[c][y + i][x + j], pb[c][y + i][x + j]);
                for (sum, term) in sums.iter_mut().zip([1.0, p, q, p * p, q * q, p * q]) {
                    *sum += weight * term;
                }
            }
            let [ma, mb, aa, bb, ab] = [1, 2, 3, 4, 5].map(|i| sums[i] / sums[0]);
            let (va, vb, cov) = (aa - ma * ma, bb - mb * mb, ab - ma * mb);
            let below = (ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4);
            total += (2.0 * ma * mb + 1e-4) * (2.0 * cov + 9e-4) / below;
            count += 1.0;
        }
    }
    let got = eval::ssim(&a, &b).unwrap();
    assert!((got - total / count).abs() < 1e-12, "{got}, not {}", total / count);
    assert!((eval::ssim(&a, &a).unwrap() - 1.0).abs() < 1e-12);
    assert!(eval::ssim(&a, &b.narrow(1, 0, 10).unwrap()).is_err());
    let small = a.narrow(2, 0, 10).unwrap();
    assert!(eval::ssim(&small, &small).unwrap_err().to_string().contains("11x11"));
    let scores = [Similarity { psnr: 20.0, ssim: 0.5 }, Similarity { psnr: 30.0, ssim: 1.0 }];
    assert_eq!(Similarity::mean(&scores), Some(Similarity { psnr: 25.0, ssim: 0.75 }));
    assert_eq!(Similarity::mean(&[]), None);
}
