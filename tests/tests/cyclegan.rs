//! CycleGAN: generators and whole training steps against PyTorch, any image size, resuming, and learning.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use candle_nn::{ModuleT, VarBuilder};
use gdl_cyclegan::{
    CycleGan, CycleGanConfig, DataConfig, DataSpec, Direction, DiscriminatorConfig, Event, Generator,
    GeneratorConfig, Length, Losses, LrPolicy, Method, NormKind, Pairs, StepLosses, Trainer, TrainerConfig,
    Translator, UnalignedData, Upsampling, eval,
};
use gdl_kernels::init::InitScheme;
use gdl_patchgan::GanLoss;
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close};
use gdl_train::{AdamConfig, OnExisting, Tensors};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

fn f64s(t: &Tensor) -> Tensor {
    t.to_dtype(DType::F64).unwrap()
}

/// Output, input gradient and every parameter's gradient, under the reference's names.
fn generator_matches_pytorch(name: &str, config: &GeneratorConfig) {
    let fixture = Fixture::load("cyclegan");
    let vars: HashMap<String, Var> = fixture
        .vars(&format!("{name}.weight"))
        .into_iter()
        .map(|(k, v)| (k, Var::from_tensor(&f64s(&v)).unwrap()))
        .collect();
    let tensors = vars.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
    let generator =
        Generator::new(config, None, VarBuilder::from_tensors(tensors, DType::F64, &DEV)).unwrap();
    let x = Var::from_tensor(&f64s(&fixture.get(&format!("{name}.x")))).unwrap();
    let y = generator.forward_t(&x, false).unwrap();
    // Both compute in f64; the fixture is rounded to f32 (6e-8 of each number).
    let check = |got: &Tensor, key: &str| {
        assert_close(got, &fixture.get(&format!("{name}.{key}")), 1e-7, 2e-7, &format!("{name} {key}"));
    };
    check(&y, "y");
    let grads = (y * x.as_detached_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
    check(grads.get(&x).unwrap(), "gx");
    for (key, var) in &vars {
        check(grads.get(var).unwrap(), &format!("grad.{key}"));
    }
    // The other way: no name of the reference is left over.
    let store = gdl_train::ParamStore::new(DType::F32, &DEV, 0);
    Generator::new(config, None, store.vb()).unwrap();
    let mut theirs: Vec<_> = vars.into_keys().collect();
    theirs.sort();
    assert_eq!(store.vars().into_keys().collect::<Vec<_>>(), theirs);
}

#[test]
fn resnet_matches_pytorch() {
    generator_matches_pytorch("resnet", &GeneratorConfig::resnet(2).base_channels(2));
    generator_matches_pytorch("resnet_dropout", &GeneratorConfig::resnet(1).base_channels(1).dropout(true));
}

#[test]
fn unet_matches_pytorch() {
    generator_matches_pytorch("unet", &GeneratorConfig::unet(5).base_channels(1));
}

fn tiny() -> CycleGanConfig {
    CycleGanConfig {
        generator: GeneratorConfig::resnet(1).base_channels(2),
        discriminator: DiscriminatorConfig::basic(3).base_channels(2).n_layers(1),
        ..CycleGanConfig::default()
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
    let fixture = Fixture::load("cyclegan");
    let optimizer = AdamConfig { learning_rate: 2e-3, ..AdamConfig::gan() };
    let config = CycleGanConfig { lambda_b: 7.0, pool_size: 0, optimizer, ..tiny() };
    let mut model = CycleGan::new(&config, DType::F64, &DEV).unwrap();
    for (net, store) in model.stores() {
        store.load_tensors(net, &net_tensors(&fixture, &format!("train.{net}.before"))).unwrap();
    }
    for step in 0..2 {
        let [a, b] = ["a", "b"].map(|x| f64s(&fixture.get(&format!("train.{x}{step}"))));
        let losses = model.train_step(&a, &b).unwrap();
        for (name, got) in losses.named() {
            let want = f64s(&fixture.get(&format!("train.loss{step}.{name}"))).to_scalar::<f64>().unwrap();
            assert!((got - want).abs() <= 1e-6 * want, "step {step}: {name} is {got}, expected {want}");
        }
    }
    for (net, store) in model.stores() {
        for (key, want) in net_tensors(&fixture, &format!("train.{net}.after")) {
            // Two steps moved the weights by some 4e-3; f32 rounds the fixture by 6e-8 of about 0.3.
            assert_close(&store.tensors()[&key], &want, 5e-8, 1e-7, &format!("{net} {key}"));
        }
    }
}

#[test]
fn the_sum_is_what_the_names_say() {
    let losses = StepLosses {
        validity_a: 1.0,
        reconstruction_b: 2.0,
        identity_a: 4.0,
        d_b: 8.0,
        ..Default::default()
    };
    assert_eq!((losses.generator(), losses.discriminator()), (7.0, 8.0));
    assert_eq!(losses.named().iter().map(|(_, v)| v).sum::<f64>(), 15.0);
}

#[test]
fn translates_any_size() {
    let store = gdl_train::ParamStore::new(DType::F32, &DEV, 1);
    for (prefix, config) in [("r", GeneratorConfig::resnet(1)), ("u", GeneratorConfig::unet(4))] {
        let generator = Generator::new(&config.base_channels(2), None, store.vb().pp(prefix)).unwrap();
        for (h, w) in [(16, 16), (17, 40), (1, 1), (3, 50), (9, 2), (31, 33)] {
            let x = Tensor::full(0.25f32, (2, 3, h, w), &DEV).unwrap();
            assert_eq!(
                generator.translate(&x).unwrap().dims(),
                [2, 3, h, w],
                "{config:?}",
                config = generator.config()
            );
        }
        // Nothing is padded where nothing is needed.
        let x = Tensor::arange(0f32, 3.0 * 16.0 * 32.0, &DEV).unwrap().reshape((1, 3, 16, 32)).unwrap();
        let x = (x / 1536.0).unwrap();
        assert_bitwise(&generator.translate(&x).unwrap(), &generator.forward_t(&x, false).unwrap(), prefix);
    }
}

fn tiny_training(steps: u64) -> TrainerConfig {
    let mut config = TrainerConfig::demo();
    config.model = CycleGanConfig { pool_size: 3, ..tiny() };
    config.model.generator.dropout = true;
    config.data.size = 16;
    config.data.builtin_count = 5;
    config.length = Length::Steps(steps);
    config.checkpoint_every = 0;
    config.sample_every = 0;
    config
}

fn go_on(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn stop_after(steps: u64) -> impl FnMut(&Event) -> ControlFlow<()> {
    move |event| match event {
        Event::Step(step) if step.step == steps => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

/// N + M steps equal N, save, load, M: every file of the two runs is the same.
#[test]
fn a_resumed_run_is_the_same_bit_for_bit() {
    for (gan_loss, norm, lr_policy) in [
        (GanLoss::Lsgan, NormKind::Instance, LrPolicy::Plateau),
        (GanLoss::WassersteinGp, NormKind::Instance, LrPolicy::Linear),
        (GanLoss::Hinge, NormKind::Batch, LrPolicy::Cosine),
        (GanLoss::WassersteinGp, NormKind::Batch, LrPolicy::Step),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
        let mut config = tiny_training(12);
        config.model.gan_loss = gan_loss;
        config.model.generator.norm = norm;
        config.model.discriminator.norm = norm;
        config.lr_policy = lr_policy;
        config.batch = 2;
        let create = |path: &Path| Trainer::create(path, config.clone(), OnExisting::Refuse, &DEV).unwrap();
        create(&whole).run(go_on).unwrap();
        create(&parts).run(stop_after(7)).unwrap();
        // What a crash leaves: records after the last checkpoint.
        gdl_train::RunDir::open(&parts).unwrap().metrics().append(8, &[("d_a", 1.0)]).unwrap();
        let mut resumed = Trainer::resume(&parts, &DEV).unwrap();
        assert_eq!(resumed.step(), 7);
        resumed.run(go_on).unwrap();
        let state = "state/step-00000012";
        for file in [
            "weights.safetensors".to_string(),
            "metrics.jsonl".to_string(),
            "config.json".to_string(),
            format!("{state}/optimizer-G.safetensors"),
            format!("{state}/optimizer-D.safetensors"),
            format!("{state}/tensors-pool_A.safetensors"),
            format!("{state}/tensors-pool_B.safetensors"),
            format!("{state}/trainer.json"),
        ] {
            let [a, b] = [&whole, &parts].map(|run| run.join(&file));
            if file.ends_with(".safetensors") {
                // The order of a header's entries is free; the tensors are what must agree.
                let [a, b] = [a, b].map(|path| gdl_train::load_tensors(path, &DEV).unwrap());
                assert_eq!((a.0.len(), a.1), (b.0.len(), b.1), "{file}");
                for (key, tensor) in &a.0 {
                    assert_bitwise(tensor, &b.0[key], &format!("{file} {key} ({gan_loss:?})"));
                }
            } else {
                let [a, b] = [a, b].map(|path| std::fs::read_to_string(path).unwrap());
                assert_eq!(a, b, "{file} ({gan_loss:?})");
            }
        }
    }
}

#[test]
fn training_on_the_built_in_domains_lowers_reconstruction() {
    let mut config = tiny_training(60);
    config.model = CycleGanConfig { generator: GeneratorConfig::resnet(1).base_channels(4), ..config.model };
    config.model.optimizer.learning_rate = 2e-3;
    let mut losses = Vec::new();
    Trainer::new(config, &DEV)
        .unwrap()
        .run(|event| {
            if let Event::Step(step) = event {
                losses.push(step.losses.reconstruction() + step.losses.identity());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
    let (before, after) = (mean(&losses[..10]), mean(&losses[50..]));
    assert!(after < 0.7 * before, "from {before} to {after}");
}

#[test]
fn the_learning_rate_follows_its_policy() {
    let rates = |policy: LrPolicy, rate: f64| {
        let mut config = tiny_training(8);
        (config.lr_policy, config.lr_decay_iters) = (policy, 3);
        config.model.optimizer.learning_rate = rate;
        config.data.builtin_count = 1;
        // Nothing that changes the loss from step to step.
        (config.data.flip, config.model.generator.dropout) = (false, false);
        let mut trainer = Trainer::new(config, &DEV).unwrap();
        (0..8).map(|_| trainer.train_step().unwrap().learning_rate / rate).collect::<Vec<_>>()
    };
    assert_eq!(rates(LrPolicy::Step, 2e-4)[2..4], [1.0, 0.1]);
    let cosine = rates(LrPolicy::Cosine, 2e-4);
    assert!((cosine[4] - 0.5).abs() < 1e-12 && cosine[7] > 0.0, "{cosine:?}");
    assert!(rates(LrPolicy::Linear, 2e-4)[7] < 0.25);
    // A rate of 1e-12 moves nothing: an epoch of one step each, the loss stands, and after six of them the rate falls.
    let plateau = rates(LrPolicy::Plateau, 1e-12);
    assert_eq!(plateau[..7], [1.0; 7]);
    assert!((plateau[7] - 0.2).abs() < 1e-12, "{plateau:?}");
}

/// Running statistics of the generators move in training, and `translate` goes by them.
#[test]
fn batch_norm_s_statistics_are_kept_with_the_weights() {
    let mut config = tiny_training(2);
    config.model.generator.norm = NormKind::Batch;
    config.model.discriminator = DiscriminatorConfig::pixel(3).base_channels(2).norm(NormKind::Batch);
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut trainer = Trainer::create(&run, config, OnExisting::Refuse, &DEV).unwrap();
    trainer.run(go_on).unwrap();
    let (weights, _) = gdl_train::load_tensors(run.join("weights.safetensors"), &DEV).unwrap();
    for key in ["net_G_A.model.2.running_mean", "net_D_B.net.3.running_mean"] {
        let moved = weights[key].abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(moved > 0.0, "{key}");
    }
    assert!(!weights.contains_key("net_G_A.model.1.bias"));
    let picture = Tensor::full(0.5f32, (3, 16, 16), &DEV).unwrap();
    let got = Translator::load(&run, Direction::AtoB, &DEV).unwrap();
    let got = got.by_running_statistics().translate(&picture).unwrap();
    let want = Translator::new(trainer.model().g_a().clone(), &DEV).translate(&picture).unwrap();
    assert_bitwise(&got, &want, "translation");
}

#[test]
fn a_run_translates_and_shows_samples() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut config = tiny_training(2);
    config.sample_every = 1;
    let mut trainer = Trainer::create(&run, config, OnExisting::Refuse, &DEV).unwrap();
    let mut events = Vec::new();
    trainer
        .run(|event| {
            events.push(event.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    let sheets = events.iter().filter(|e| matches!(e, Event::Samples(path) if path.is_file())).count();
    assert_eq!(sheets, 2);
    assert_eq!(events.last(), Some(&Event::Checkpoint(2)));
    assert_eq!(trainer.samples(3).unwrap().len(), 3);
    let picture = Tensor::full(0.5f32, (3, 21, 18), &DEV).unwrap();
    for (direction, generator) in
        [(Direction::AtoB, trainer.model().g_a()), (Direction::BtoA, trainer.model().g_b())]
    {
        let got = Translator::load(&run, direction, &DEV).unwrap().translate(&picture).unwrap();
        let want = Translator::new(generator.clone(), &DEV).translate(&picture).unwrap();
        assert_bitwise(&got, &want, &direction.to_string());
    }
}

#[test]
fn checkpoints_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    Trainer::create(&run, tiny_training(1), OnExisting::Refuse, &DEV).unwrap().run(go_on).unwrap();
    let file = run.join("weights.safetensors");
    let (whole, metadata) = gdl_train::load_tensors(&file, &DEV).unwrap();
    let key = "net_G_A.model.1.weight";
    let zeros = Tensor::zeros((1, 2), DType::F32, &DEV).unwrap();
    type Spoil<'a> = Box<dyn Fn(&mut Tensors) + 'a>;
    let cases: [(&str, Spoil); 4] = [
        ("missing: model.1.weight", Box::new(|t| drop(t.remove(key)))),
        ("model.99.weight", Box::new(|t| drop(t.insert("net_G_A.model.99.weight".into(), zeros.clone())))),
        ("nobody.weight", Box::new(|t| drop(t.insert("nobody.weight".into(), zeros.clone())))),
        ("expected [2, 3, 7, 7], found [1, 2]", Box::new(|t| drop(t.insert(key.into(), zeros.clone())))),
    ];
    for (message, spoil) in cases {
        let mut tensors = whole.clone();
        spoil(&mut tensors);
        gdl_train::save_tensors(&file, &tensors, &metadata).unwrap();
        for error in [
            Translator::load(&run, Direction::AtoB, &DEV).unwrap_err().to_string(),
            Trainer::resume(&run, &DEV).unwrap_err().to_string(),
        ] {
            assert!(error.contains(message) && error.contains("weights.safetensors"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
    std::fs::write(&file, "no tensors").unwrap();
    assert!(Translator::load(&run, Direction::BtoA, &DEV).is_err());
    std::fs::remove_file(&file).unwrap();
    assert!(Translator::load(&run, Direction::BtoA, &DEV).unwrap_err().to_string().contains("train the run"));
}

#[test]
fn bad_settings_are_named() {
    let dir = tempfile::tempdir().unwrap();
    type Spoil = fn(&mut TrainerConfig);
    let cases: [(&str, Spoil); 11] = [
        ("lr_decay_iters", |c| c.lr_decay_iters = 0),
        ("size", |c| c.data.size = 0),
        ("size", |c| c.data.size = 18),
        ("size", |c| c.model.discriminator.n_layers = 3),
        ("batch", |c| c.batch = 0),
        ("steps", |c| c.length = Length::Steps(0)),
        ("epochs", |c| c.length = Length::Epochs(0)),
        ("decay", |c| c.decay = f64::NAN),
        ("lambda_a", |c| c.model.lambda_a = -1.0),
        ("builtin_count", |c| c.data.builtin_count = 0),
        ("learning_rate", |c| c.model.optimizer.learning_rate = f64::INFINITY),
    ];
    for (key, spoil) in cases {
        let mut config = tiny_training(1);
        spoil(&mut config);
        let out = dir.path().join("out");
        let error = Trainer::create(&out, config, OnExisting::Refuse, &DEV).unwrap_err().to_string();
        assert!(error.starts_with(key) && !error.contains('\n'), "{key}: {error}");
        assert!(!out.exists());
    }
    assert!("builtin:C".parse::<DataSpec>().unwrap_err().to_string().contains("builtin:C"));
    let missing = dir.path().join("nowhere");
    let mut config = tiny_training(1);
    config.data.a = DataSpec::Folder(missing.clone());
    let error = Trainer::new(config, &DEV).unwrap_err().to_string();
    assert!(error.contains(&missing.display().to_string()), "{error}");
    assert!("up".parse::<Direction>().is_err());
}

#[test]
fn folders_are_data() {
    let dir = tempfile::tempdir().unwrap();
    for (name, sizes) in [("a", vec![(20, 30), (40, 17)]), ("b", vec![(9, 9), (33, 21), (64, 64)])] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        for (i, (h, w)) in sizes.into_iter().enumerate() {
            let x = Tensor::full(0.2f32 * i as f32, (3, h, w), &DEV).unwrap();
            gdl_image_io::save_image(&x, dir.path().join(name).join(format!("{i}.png"))).unwrap();
        }
    }
    let mut config = tiny_training(1);
    config.data = DataConfig {
        size: 16,
        ..DataConfig::new(DataSpec::Folder(dir.path().join("a")), DataSpec::Folder(dir.path().join("b")))
    };
    config.length = Length::Epochs(2);
    let data = UnalignedData::open(&config.data, 1).unwrap();
    // An epoch is as long as the larger domain, and shows each of A as often as the other but one.
    assert_eq!(data.epoch_len(), 3);
    let (a, b) = data.batch(0, 7).unwrap();
    assert_eq!((a.dims(), b.dims()), ([7, 3, 16, 16].as_slice(), [7, 3, 16, 16].as_slice()));
    assert_eq!(Trainer::new(config, &DEV).unwrap().total_steps(), 6);
    // What a sample is does not depend on what was asked before.
    let alone = data.sample(5).unwrap();
    assert_bitwise(&alone.0, &a.get(5).unwrap(), "a");
    assert_bitwise(&alone.1, &b.get(5).unwrap(), "b");
}

/// Other depths than the reference's two halvings keep its way of counting.
#[test]
fn depth_and_upsampling_are_free() {
    let keys = |config: GeneratorConfig| {
        let store = gdl_train::ParamStore::new(DType::F32, &DEV, 0);
        let generator = Generator::new(&config.base_channels(2), None, store.vb()).unwrap();
        let x = Tensor::zeros((1, 3, 16, 24), DType::F32, &DEV).unwrap();
        assert_eq!(generator.forward_t(&x, false).unwrap().dims(), [1, 3, 16, 24]);
        assert_eq!(generator.translate(&x.narrow(3, 0, 1).unwrap()).unwrap().dims(), [1, 3, 16, 1]);
        store.vars().into_iter().map(|(k, v)| (k, v.dims().to_vec())).collect::<HashMap<_, _>>()
    };
    let one = keys(GeneratorConfig::resnet(1).downs(1));
    assert_eq!(one["model.7.conv_block.1.weight"], [4, 4, 3, 3]);
    assert_eq!((&one["model.8.weight"], &one["model.12.weight"]), (&vec![4, 2, 3, 3], &vec![3, 2, 7, 7]));
    assert_eq!(keys(GeneratorConfig::resnet(1).downs(0))["model.6.weight"], [3, 2, 7, 7]);
    let resize = keys(GeneratorConfig::resnet(1).upsampling(Upsampling::Resize));
    assert_eq!(resize["model.11.weight"], [4, 8, 3, 3]);
    let unet = keys(GeneratorConfig::unet(2).upsampling(Upsampling::Resize));
    assert_eq!(unet["model.model.3.weight"], [3, 4, 3, 3]);
}

/// Wide weights, tall ones and those of transposed convolutions, whose first axis are the inputs: as `orthogonal_` flattens them,
/// the shorter side is orthonormal times the gain; biases are 0, and a batch norm's scale is drawn around 1.
#[test]
fn orthogonal_weights_are_orthogonal_in_every_layer() {
    orthogonal_in_every_layer(GeneratorConfig::resnet(1).base_channels(6), 0);
    // The U-Net's last layer is a transposed convolution from 50 channels to 3, of 4x4: 50 rows, 48 columns.
    orthogonal_in_every_layer(GeneratorConfig::unet(2).base_channels(25), 1);
}

fn orthogonal_in_every_layer(config: GeneratorConfig, tall_ones: usize) {
    let gain = 0.4;
    let config = GeneratorConfig { init: InitScheme::Orthogonal(gain), ..config.norm(NormKind::Batch) };
    let build = |seed| {
        let store = gdl_train::ParamStore::new(DType::F64, &DEV, seed);
        Generator::new(&config, None, store.vb()).unwrap();
        store.vars()
    };
    let vars = build(1);
    let (mut wide, mut tall, mut scales) = (0, 0, Vec::new());
    for (name, var) in &vars {
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        if var.dims().len() < 4 {
            match name.ends_with("weight") {
                true => scales.extend(flat(var)),
                false => assert!(flat(var).iter().all(|b| *b == f64::from(name.ends_with("var"))), "{name}"),
            }
            continue;
        }
        let rows = var.flatten_from(1).unwrap();
        let is_wide = rows.dim(0).unwrap() <= rows.dim(1).unwrap();
        *(if is_wide { &mut wide } else { &mut tall }) += 1;
        let (x, y) = if is_wide { (rows.clone(), rows.t().unwrap()) } else { (rows.t().unwrap(), rows) };
        let gram = x.contiguous().unwrap().matmul(&y.contiguous().unwrap()).unwrap();
        let want = (Tensor::eye(gram.dim(0).unwrap(), DType::F64, &DEV).unwrap() * (gain * gain)).unwrap();
        // Sums of a few hundred products of numbers below 1.
        assert_close(&gram, &want, 1e-12, 0.0, name);
    }
    assert!(wide >= 3 && tall == tall_ones, "{wide} wide, {tall} tall");
    let mean = scales.iter().sum::<f64>() / scales.len() as f64;
    assert!((mean - 1.0).abs() < 0.2 && scales.iter().any(|s| (s - 1.0).abs() > 0.1), "{scales:?}");
    let (again, other) = (build(1), build(2));
    for (name, var) in vars.iter().filter(|(_, var)| var.dims().len() == 4) {
        assert_bitwise(&again[name], var, name);
        assert!(gdl_tests::max_abs_diff(&other[name], var) > 0.01, "{name}");
    }
}

#[test]
fn scores_compare_with_doing_nothing() {
    let grey = |v: f32| vec![Tensor::full(v, (3, 4, 4), &DEV).unwrap(); 2];
    let score = eval::score(&grey(0.0), &grey(0.4), &grey(0.5)).unwrap();
    // Differences of 0.1 and 0.5 everywhere: 20 dB and 6.02 dB.
    assert!((score.psnr - 20.0).abs() < 1e-4 && (score.gain() - 13.9794).abs() < 1e-4, "{score:?}");
    assert_eq!(score.count, 2);
    assert!(eval::score(&[], &[], &[]).is_err());
    assert!(eval::score(&grey(0.0), &grey(0.0)[..1], &grey(0.0)).is_err());
}
