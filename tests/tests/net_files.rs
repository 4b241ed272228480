//! Networks in files of the reference's: read, recognised, run and written back.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::ModuleT;
use gdl_conv::PadMode;
use gdl_cyclegan::{
    CycleGan, CycleGanConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, Method, NETS,
    NetFile, NormKind, PIX2PIX_NETS, Pix2PixConfig, Pretrained, Translator, Upsampling,
};
use gdl_image_io::Range;
use gdl_tests::{Fixture, assert_bitwise, assert_close};
use gdl_train::{ParamStore, load_pth, save_pth};
use std::path::{Path, PathBuf};

const DEV: Device = Device::Cpu;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reference").join(name)
}

fn case(name: &str) -> (Tensor, Tensor) {
    let (fixture, case) = (Fixture::load("reference"), name.split('.').next().unwrap());
    (fixture.get(&format!("{case}.x")), fixture.get(&format!("{case}.y")))
}

fn run_generator(file: &NetFile, x: &Tensor) -> Tensor {
    let store = ParamStore::new(DType::F32, &DEV, 0);
    let generator = Generator::new(&file.generator().unwrap(), None, store.vb()).unwrap();
    file.load_into(&store).unwrap();
    generator.forward_t(x, false).unwrap()
}

fn generators() -> [(&'static str, GeneratorConfig); 5] {
    let batch = NormKind::Batch;
    let one = GeneratorConfig { in_channels: 1, out_channels: 1, ..GeneratorConfig::resnet(1) };
    let zero = GeneratorConfig { pad_mode: PadMode::Zero, ..GeneratorConfig::resnet(1) };
    let grey = GeneratorConfig { out_channels: 1, ..GeneratorConfig::unet(6) };
    [
        ("resnet_net_G_A.pth", GeneratorConfig::resnet(2).base_channels(2)),
        ("latest_net_G.pth", one.base_channels(2).dropout(true).norm(batch)),
        ("none_net_G.safetensors", zero.base_channels(1).norm(NormKind::None)),
        ("unet_net_G.pth", grey.base_channels(1).norm(batch)),
        ("old_net_G.pth", GeneratorConfig::unet(5).base_channels(1)),
    ]
}

#[test]
fn generators_are_recognised_and_give_pytorch_s_pictures() {
    for (name, config) in generators() {
        let file = NetFile::open(reference(name)).unwrap();
        assert_eq!(file.generator().unwrap(), config, "{name}");
        let (x, y) = case(name);
        // f32 against f64: up to 16 layers of sums of up to 1600 products of order 0.3, each rounded by 6e-8.
        assert_close(&run_generator(&file, &x), &y, 2e-5, 2e-5, name);
    }
    let file = NetFile::open(reference("latest_net_D.pth")).unwrap();
    assert!(file.generator().unwrap_err().to_string().contains("latest_net_D.pth: it holds no generator"));
}

#[test]
fn discriminators_are_recognised_and_give_pytorch_s_scores() {
    let basic = DiscriminatorConfig::basic;
    for (name, config) in [
        ("latest_net_D.pth", basic(4).base_channels(2).n_layers(2).norm(NormKind::Batch)),
        ("basic_net_D_A.pth", basic(3).base_channels(1)),
        ("pixel_net_D_B.pth", DiscriminatorConfig::pixel(3).base_channels(2).norm(NormKind::None)),
    ] {
        let file = NetFile::open(reference(name)).unwrap();
        assert_eq!(file.discriminator().unwrap(), config, "{name}");
        let store = ParamStore::new(DType::F32, &DEV, 0);
        let discriminator = Discriminator::new(&config, store.vb()).unwrap();
        file.load_into(&store).unwrap();
        let (x, y) = case(name);
        // f32 against f64, five layers.
        assert_close(&discriminator.forward(&x).unwrap(), &y, 1e-5, 1e-5, name);
    }
    let file = NetFile::open(reference("old_net_G.pth")).unwrap();
    assert!(file.discriminator().unwrap_err().to_string().contains("it holds no discriminator"));
}

#[test]
fn what_is_written_is_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, config) in generators() {
        let file = NetFile::open(reference(name)).unwrap();
        for kind in ["pth", "safetensors"] {
            let path = dir.path().join(format!("copy.{kind}"));
            file.save(&path).unwrap();
            let copy = NetFile::open(&path).unwrap();
            assert_eq!(copy.generator().unwrap(), config, "{name}");
            assert_eq!(copy.tensors().len(), file.tensors().len());
            for (key, tensor) in copy.tensors() {
                assert_bitwise(tensor, &file.tensors()[key], key);
            }
        }
        let bytes = std::fs::read(dir.path().join("copy.pth")).unwrap();
        file.save(dir.path().join("again.pth")).unwrap();
        assert!(bytes == std::fs::read(dir.path().join("again.pth")).unwrap(), "{name}: the same bytes");
    }
    let file = NetFile::open(reference("old_net_G.pth")).unwrap();
    let error = file.save(dir.path().join("net.onnx")).unwrap_err().to_string();
    assert!(error.contains("net.onnx") && error.contains(".safetensors"), "{error}");
}

#[test]
fn a_translator_opens_a_file() {
    let translator = Translator::open(reference("old_net_G.pth"), &DEV).unwrap();
    let picture = Tensor::full(0.5f32, (3, 21, 34), &DEV).unwrap();
    assert_eq!(translator.translate(&picture).unwrap().dims(), [3, 21, 34]);
}

#[test]
fn a_translator_norms_a_picture_by_its_own_statistics_or_by_the_running_ones() {
    let file = NetFile::open(reference("unet_net_G.pth")).unwrap();
    let config = file.generator().unwrap();
    assert_eq!(config.norm, NormKind::Batch);
    let store = ParamStore::new(DType::F32, &DEV, 0);
    let generator = Generator::new(&config, None, store.vb()).unwrap();
    file.load_into(&store).unwrap();
    let side = config.min_size();
    let picture = Tensor::rand(0f32, 1f32, (3, side, side), &DEV).unwrap();
    let x = Range::Symmetric.from_unit(&picture.unsqueeze(0).unwrap()).unwrap();
    let as_computed = |train| {
        Range::Symmetric.to_unit(&generator.forward_t(&x, train).unwrap().squeeze(0).unwrap()).unwrap()
    };
    // Before the statistics move with the forward pass of a training.
    let (running, own) = (as_computed(false), as_computed(true));
    let translator = Translator::open(reference("unet_net_G.pth"), &DEV).unwrap();
    assert_close(&translator.translate(&picture).unwrap(), &own, 1e-6, 1e-6, "its own");
    let translator = translator.by_running_statistics();
    assert_bitwise(&translator.translate(&picture).unwrap(), &running, "the running ones");
    let apart = (own - running).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(apart > 1e-3, "the same translation twice: {apart}");
}

#[test]
fn files_with_anything_but_tensors_are_refused() {
    for (name, says) in [
        ("hostile.pth", "system"),
        ("hidden.pth", "system"),
        ("number.pth", "epoch is a number; only tensors are read"),
    ] {
        let error = load_pth(reference(name), |_| true).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(says) && !error.contains('\n'), "{error}");
    }
    assert!(!Path::new("gdl-was-here").exists());
    let dir = tempfile::tempdir().unwrap();
    for (content, says) in
        [(&b"PK\x03\x04 and nothing more"[..], "zip"), (b"", "empty"), (b"picture", "neither")]
    {
        let path = dir.path().join("net.pth");
        std::fs::write(&path, content).unwrap();
        let error = load_pth(&path, |_| true).unwrap_err().to_string().to_lowercase();
        assert!(error.contains("net.pth") && error.contains(says), "{error}");
    }
}

#[test]
fn damaged_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["views-zip.pth", "views-legacy.pth"] {
        let whole = std::fs::read(reference(name)).unwrap();
        let path = dir.path().join(name);
        for cut in (0..whole.len()).step_by(37) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(load_pth(&path, |_| true).is_err(), "{name} cut at {cut}");
        }
        for at in 0..whole.len().min(1500) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, bytes).unwrap();
            // An error or other numbers, but no panic and no endless allocation.
            let _ = load_pth(&path, |_| true);
        }
    }
}

#[test]
fn strides_and_types_are_read() {
    let fixture = Fixture::load("reference");
    let (whole, part) = (fixture.get("views.whole"), fixture.get("views.part"));
    for name in ["views-zip.pth", "views-legacy.pth"] {
        let views = load_pth(reference(name), |_| true).unwrap();
        assert_bitwise(&views["whole"], &whole, name);
        assert_bitwise(&views["last"], &whole, name);
        assert_bitwise(&views["part"], &part, name);
        assert_bitwise(&views["half"].to_dtype(DType::F32).unwrap(), &whole, name);
        assert_bitwise(&views["double"].to_dtype(DType::F32).unwrap(), &whole, name);
        assert_eq!(views["long"].to_scalar::<i64>().unwrap(), 7);
        assert_eq!(views["param"].dims(), [3, 2]);
        assert_eq!(load_pth(reference(name), |name| name == "half").unwrap().len(), 1);
        let dir = tempfile::tempdir().unwrap();
        save_pth(dir.path().join("views.pth"), &views).unwrap();
        let again = load_pth(dir.path().join("views.pth"), |_| true).unwrap();
        for (key, tensor) in &views {
            assert_bitwise(
                &again[key].to_dtype(DType::F64).unwrap(),
                &tensor.to_dtype(DType::F64).unwrap(),
                key,
            );
            assert_eq!(again[key].dtype(), tensor.dtype());
        }
    }
}

/// A directory of the reference's files, in which the later ones count.
#[test]
fn a_training_begins_with_given_networks() {
    let dir = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str| {
        std::fs::copy(reference(from), dir.path().join(to)).unwrap();
    };
    put("resnet_net_G_A.pth", "latest_net_G_A.pth");
    put("old_net_G.pth", "5_net_G_A.pth");
    put("resnet_net_G_A.pth", "10_net_G_B.pth");
    put("old_net_G.pth", "5_net_G_B.pth");
    put("basic_net_D_A.pth", "10_net_D_A.pth");
    std::fs::write(dir.path().join("loss_log.txt"), "").unwrap();
    let pretrained = Pretrained::open(&[dir.path().into()], &NETS).unwrap();
    assert_eq!(pretrained.nets().collect::<Vec<_>>(), ["net_D_A", "net_G_A", "net_G_B"]);
    let mut config = CycleGanConfig::default();
    pretrained.configure(&mut config).unwrap();
    assert_eq!(config.generator, GeneratorConfig::resnet(2).base_channels(2));
    assert_eq!(config.discriminator, DiscriminatorConfig::basic(3).base_channels(1));
    let model = CycleGan::new(&config, DType::F32, &DEV).unwrap();
    pretrained.load_into(model.stores()).unwrap();
    let (x, y) = case("resnet_net_G_A");
    // As above.
    assert_close(&model.g_b().forward_t(&x, false).unwrap(), &y, 2e-5, 2e-5, "G_B");

    put("old_net_G.pth", "latest_net_G_B.pth");
    let error = Pretrained::open(&[dir.path().into()], &NETS)
        .unwrap()
        .configure(&mut config)
        .unwrap_err()
        .to_string();
    assert!(error.contains("latest_net_G_B.pth") && error.contains("another kind"), "{error}");
    for (paths, says) in [
        (vec![reference("old_net_G.pth")], "does not tell which network"),
        (vec![dir.path().join("latest_net_G_A.pth"), dir.path().join("5_net_G_A.pth")], "once more"),
        (vec![dir.path().join("missing_net_G_A.pth")], "missing_net_G_A.pth"),
    ] {
        let error = Pretrained::open(&paths, &NETS).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn pix2pix_begins_with_its_own() {
    let paths = [reference("latest_net_D.pth"), reference("latest_net_G.pth")];
    let pretrained = Pretrained::open(&paths, &PIX2PIX_NETS).unwrap();
    let mut config = Pix2PixConfig::default();
    pretrained.configure_pix2pix(&mut config).unwrap();
    assert_eq!(config.generator, generators()[1].1);
    assert_eq!(config.discriminator.in_channels, 4);
}

#[test]
fn resize_convolutions_are_recognised() {
    for config in [
        GeneratorConfig::resnet(0).downs(0).base_channels(2),
        GeneratorConfig::resnet(3).downs(1).base_channels(2).upsampling(Upsampling::Resize),
        GeneratorConfig::resnet(1).downs(3).base_channels(1).norm(NormKind::None),
        GeneratorConfig::unet(2).base_channels(2).upsampling(Upsampling::Resize),
        GeneratorConfig::unet(3).base_channels(2).upsampling(Upsampling::Resize).norm(NormKind::Batch),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = ParamStore::new(DType::F32, &DEV, 0);
        Generator::new(&config, None, store.vb()).unwrap();
        save_pth(dir.path().join("g.pth"), &store.tensors()).unwrap();
        assert_eq!(NetFile::open(dir.path().join("g.pth")).unwrap().generator().unwrap(), config);
    }
}
