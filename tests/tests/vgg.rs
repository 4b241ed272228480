//! VGG against PyTorch, and its weight files against all that can be wrong with one.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Tensor, Var};
use candle_nn::VarBuilder;
use gdl_conv::PadMode;
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, shared_data};
use gdl_vgg::{
    Arch, FileRange, Pooling, Preprocess, Stage, Tap, Vgg, VggConfig, VggWeights, fetch_ranges, gram_matrix,
};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

const WIDTHS: [usize; 5] = [4, 5, 6, 7, 8];
const TAPS: [&str; 5] = ["conv1_1", "relu1_2", "relu2_1", "conv3_3", "relu5_1"];

fn taps() -> Vec<Tap> {
    TAPS.iter().map(|t| t.parse().unwrap()).collect()
}

fn narrow(fixture: &Fixture, arch: Arch) -> VggWeights {
    let prefix = format!("{arch}.");
    let tensors: BTreeMap<_, _> = fixture
        .names()
        .into_iter()
        .filter_map(|n| Some((n.strip_prefix(&prefix)?.to_string(), fixture.get(&n))))
        .collect();
    let metadata = [("architecture", arch.to_string()), ("widths", "4,5,6,7,8".into())];
    let metadata = metadata.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    VggWeights::from_tensors("the fixture", tensors, &metadata).unwrap()
}

#[test]
fn features_grams_and_gradients_are_pytorchs() {
    let fixture = Fixture::load("vgg");
    for (arch, pooling, kind, first_padding) in [
        (Arch::Vgg16, Pooling::Max, "max", PadMode::Zero),
        (Arch::Vgg19, Pooling::Average, "average", PadMode::Replicate),
        (Arch::Vgg19, Pooling::L2, "l2", PadMode::Zero),
    ] {
        let name = format!("{arch}-{kind}");
        let weights = narrow(&fixture, arch);
        let upto = Tap::relu(5, 1);
        let config = VggConfig { pooling, first_padding, ..weights.config(upto).unwrap() };
        let vgg = weights.vgg(&config, DType::F64, &DEV).unwrap();
        let x = Var::from_tensor(&fixture.get("x")).unwrap();
        let found = vgg.features(&weights.preprocess().apply(&x).unwrap(), &taps()).unwrap();
        let mut loss = Tensor::zeros((), DType::F64, &DEV).unwrap();
        // f64 on both sides, sums of at most a few thousand products: only the order of summation differs.
        let close = |got: &Tensor, key: &str| {
            let key = format!("{name}.{key}");
            assert_close(got, &fixture.get(&key), 1e-12, 1e-10, &key);
        };
        for (f, tap) in found.iter().zip(TAPS) {
            let gram = gram_matrix(f).unwrap();
            close(&gram, &format!("{tap}.gram"));
            let up = fixture.get(&format!("{name}.{tap}.up"));
            let weighed = (gram * up).unwrap().sum_all().unwrap();
            loss = ((loss + weighed).unwrap() + f.sqr().unwrap().mean_all().unwrap()).unwrap();
        }
        close(&found[3], "conv3_3");
        close(&found[4], "relu5_1");
        let grads = loss.backward().unwrap();
        close(grads.get(&x).unwrap(), "dx");
    }
}

#[test]
fn taps_come_in_the_order_asked_for() {
    let weights = narrow(&Fixture::load("vgg"), Arch::Vgg16);
    let vgg = weights.vgg(&weights.config(Tap::conv(3, 2)).unwrap(), DType::F32, &DEV).unwrap();
    let x = Tensor::ones((1, 3, 9, 4), DType::F32, &DEV).unwrap();
    let (a, b) = (Tap::relu(2, 1), Tap::conv(1, 2));
    let both = vgg.features(&x, &[a, b, a]).unwrap();
    assert_eq!(both.iter().map(|t| t.dims()[1]).collect::<Vec<_>>(), [5, 4, 5]);
    assert_bitwise(&both[0], &both[2], "the same tap");
    assert!(vgg.features(&x, &[]).unwrap().is_empty());

    let beyond = vgg.features(&x, &[Tap::relu(3, 2)]).unwrap_err().to_string();
    assert!(beyond.contains("relu3_2") && beyond.contains("conv3_2"), "{beyond}");
    let small = vgg.features(&x.narrow(2, 0, 3).unwrap(), &[Tap::conv(3, 2)]).unwrap_err().to_string();
    assert!(small.contains("3x4") && small.contains("4x4"), "{small}");
    let none = Vgg::new(
        &VggConfig { arch: Arch::Vgg16, upto: Tap::relu(3, 4), ..VggConfig::default() },
        VarBuilder::zeros(DType::F32, &DEV),
    );
    assert!(none.unwrap_err().to_string().contains("relu3_4"));
}

#[test]
fn weights_are_frozen_and_only_the_picture_gets_a_gradient() {
    let weights = narrow(&Fixture::load("vgg"), Arch::Vgg19);
    let vgg = weights.vgg(&weights.config(Tap::relu(2, 1)).unwrap(), DType::F32, &DEV).unwrap();
    let x = Var::ones((1, 3, 8, 8), DType::F32, &DEV).unwrap();
    let f = vgg.features(&x, &[Tap::relu(2, 1)]).unwrap().remove(0);
    let grads = f.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some());
    assert!(weights.tensors().values().all(|t| !t.is_variable()));
    let still = vgg.features(&x.as_detached_tensor(), &[Tap::relu(2, 1)]).unwrap().remove(0);
    assert!(!still.track_op());
}

#[test]
fn checkpoints_of_both_formats_are_read() {
    let fixture = Fixture::load("vgg");
    for name in ["vgg-zip.pth", "vgg-legacy.pth"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let weights = VggWeights::open(&path).unwrap();
        assert_eq!(weights.last_tap(), Tap::relu(1, 1));
        assert_eq!(weights.tensors().len(), 2);
        for (key, tensor) in weights.tensors() {
            assert_bitwise(tensor, &fixture.get(&format!("pth.{key}")), key);
        }
    }
}

/// Writes bytes under a name and tries to open them as weights; the error, which must be one line and name the file.
fn refused(bytes: &[u8], name: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = VggWeights::open(&path).unwrap_err().to_string();
    assert!(error.contains(name) && !error.contains('\n'), "{error:?}");
    error
}

#[test]
fn damaged_checkpoints_are_refused() {
    for name in ["vgg-zip.pth", "vgg-legacy.pth"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let whole = std::fs::read(path).unwrap();
        for cut in [30, 100, 300, whole.len() / 2, whole.len() - 100] {
            refused(&whole[..cut], name);
        }
        // Bytes changed in the description of the tensors.
        for at in (25..700).step_by(11) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            // Some changes harm nothing; none may panic.
            if let Err(e) = VggWeights::open(&path) {
                assert!(!e.to_string().contains('\n'), "{e}");
            }
        }
    }
}

fn first_layers() -> BTreeMap<String, Tensor> {
    let upto = Tap::relu(1, 2);
    VggWeights::random(&VggConfig { upto, ..VggConfig::default() }, 1).unwrap().tensors().clone()
}

fn serialized(tensors: &BTreeMap<String, Tensor>, metadata: &[(&str, &str)]) -> Vec<u8> {
    let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    safetensors::serialize(tensors, Some(metadata)).unwrap()
}

#[test]
fn files_that_are_no_vgg_weights_are_refused_by_name_and_key() {
    let good = first_layers();
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
    let with = |key: &str, tensor: Option<Tensor>| {
        let mut tensors = good.clone();
        match tensor {
            Some(tensor) => drop(tensors.insert(key.into(), tensor)),
            None => drop(tensors.remove(key)),
        }
        refused(&serialized(&tensors, &[]), "w.safetensors")
    };
    assert!(with("features.0.bias", None).contains("features.0.bias is missing"));
    let error = with("features.2.weight", Some(zeros(&[64, 32, 3, 3])));
    assert!(error.contains("features.2.weight has shape [64, 32, 3, 3], expected [64, 64, 3, 3]"), "{error}");
    assert!(
        with("features.7.weight", Some(zeros(&[128, 128, 3, 3]))).contains("features.5.weight is missing")
    );
    assert!(with("features.3.weight", Some(zeros(&[64]))).contains("features.3.weight"));
    let nan = Tensor::full(f32::NAN, 64, &DEV).unwrap();
    assert!(with("features.2.bias", Some(nan)).contains("features.2.bias holds NaN"));
    let whole = Tensor::zeros(64, DType::U32, &DEV).unwrap();
    assert!(with("features.2.bias", Some(whole)).contains("features.2.bias holds u32"));

    for (metadata, key) in [
        (("architecture", "resnet50"), "architecture"),
        (("widths", "64,128"), "widths"),
        (("channels", "BGR"), "mean_bgr"),
        (("checksum", "fnv1a-0"), "checksum"),
    ] {
        let error = refused(&serialized(&good, &[metadata]), "w.safetensors");
        assert!(error.contains(key), "{error}");
    }
    let other = [("fc.weight".to_string(), zeros(&[2, 2]))].into();
    assert!(refused(&serialized(&other, &[]), "w.safetensors").contains("features.0.weight"));

    let bytes = serialized(&good, &[]);
    refused(&bytes[..bytes.len() - 4], "w.safetensors");
    refused(&bytes[..100], "w.safetensors");
    refused(b"", "w.safetensors");
    refused(b"not weights at all", "w.pth");
    let missing = VggWeights::open("/no/such/w.safetensors").unwrap_err().to_string();
    assert!(missing.contains("/no/such/w.safetensors"), "{missing}");
    assert!(VggWeights::open(Path::new(env!("CARGO_MANIFEST_DIR"))).is_err(), "a directory");
}

#[test]
fn saved_weights_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let config =
        VggConfig { arch: Arch::Vgg16, widths: WIDTHS, upto: Tap::relu(3, 3), ..VggConfig::default() };
    let weights = VggWeights::random(&config, 5).unwrap().with_preprocess(Preprocess::caffe());
    weights.save(&path).unwrap();
    let back = VggWeights::open(&path).unwrap();
    assert_eq!(back.widths(), WIDTHS);
    assert_eq!((back.arch(), back.last_tap()), (Arch::Vgg16, Tap::relu(3, 3)));
    assert_eq!(back.preprocess(), &Preprocess::caffe());
    for (key, tensor) in weights.tensors() {
        assert_bitwise(&back.tensors()[key], tensor, key);
    }
    // One flipped bit among the tensors.
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    let error = refused(&bytes, "w.safetensors");
    assert!(error.contains("checksum"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the file");
}

#[test]
fn half_precision_halves_the_file_and_comes_back_from_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (half, full) = (dir.path().join("h.safetensors"), dir.path().join("f.safetensors"));
    let config = VggConfig { widths: WIDTHS, upto: Tap::relu(3, 1), ..VggConfig::default() };
    let weights = VggWeights::random(&config, 5).unwrap();
    weights.save(&full).unwrap();
    weights.save_as(&half, DType::F16).unwrap();
    let bytes = std::fs::read(&half).unwrap();
    let numbers: usize = weights.tensors().values().map(Tensor::elem_count).sum();
    let saved = std::fs::read(&full).unwrap().len() - bytes.len();
    // The headers may differ by a few digits of an offset.
    assert!(saved.abs_diff(2 * numbers) < 64, "{saved} of {numbers} numbers");
    let back = VggWeights::from_safetensors("inside", &bytes).unwrap();
    assert_eq!((back.origin(), back.widths(), back.last_tap()), ("inside", WIDTHS, Tap::relu(3, 1)));
    for (key, tensor) in weights.tensors() {
        let rounded = tensor.to_dtype(DType::F16).unwrap().to_dtype(DType::F32).unwrap();
        assert_bitwise(&back.tensors()[key], &rounded, key);
    }
    // What half precision cannot hold is refused before anything is written.
    let mut tensors = weights.tensors().clone();
    tensors.insert("features.0.bias".into(), Tensor::full(1e6f32, 4, &DEV).unwrap());
    let widths = WIDTHS.map(|w| w.to_string()).join(",");
    let metadata = HashMap::from([("widths".to_string(), widths)]);
    let large = VggWeights::from_tensors("large", tensors, &metadata).unwrap();
    let error = large.save_as(dir.path().join("l.safetensors"), DType::F16).unwrap_err().to_string();
    assert!(error.contains("features.0.bias"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn defaults_follow_what_a_file_holds() {
    let cut = |upto| {
        let config = VggConfig { widths: WIDTHS, upto, ..VggConfig::default() };
        VggWeights::random(&config, 1).unwrap()
    };
    let names =
        |w: &VggWeights| -> Vec<String> { w.default_style_taps().iter().map(ToString::to_string).collect() };
    let whole = cut(Tap::relu(5, 4));
    assert_eq!(names(&whole), ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]);
    assert_eq!(whole.default_content_tap(), Tap::relu(4, 2));
    let short = cut(Tap::conv(3, 2));
    assert_eq!(names(&short), ["relu1_1", "relu2_1", "relu3_1"]);
    assert_eq!(short.default_content_tap(), Tap::relu(3, 2));
    let error = short.config(Tap::relu(4, 1)).unwrap_err().to_string();
    assert!(error.contains("relu4_1") && error.contains("ends at relu3_2"), "{error}");
    assert!(short.has(Tap { block: 3, index: 2, stage: Stage::Conv }));
}

#[test]
fn a_normalised_network_that_stops_early() {
    let Some(path) = shared_data("vgg19-to-relu4_1.safetensors") else { return };
    let weights = VggWeights::open(&path).unwrap();
    assert_eq!((weights.arch(), weights.last_tap()), (Arch::Vgg19, Tap::relu(4, 1)));
    let preprocess = weights.preprocess();
    assert_eq!(preprocess.range, 255.0);
    for (mean, want) in preprocess.mean.iter().zip(Preprocess::caffe().mean) {
        // Written from f32.
        assert!((mean - want).abs() < 1e-5);
    }
    assert_eq!(weights.default_style_taps().len(), 4);
    assert_eq!(weights.default_content_tap(), Tap::relu(4, 1));
    let error = weights.config("relu4_2".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("vgg19-to-relu4_1.safetensors") && error.contains("ends at relu4_1"), "{error}");

    // The same file by ranges: less is read, the tensors are the same.
    let mut read = 0;
    let mut source = FileRange::open(&path).unwrap();
    let part = fetch_ranges(&mut source, Arch::Vgg19, Tap::relu(2, 1), &mut |_, all| read = all).unwrap();
    assert!(read < std::fs::metadata(&path).unwrap().len() / 20, "{read} bytes");
    assert_eq!(part.preprocess(), preprocess);
    for (key, tensor) in part.tensors() {
        assert_bitwise(tensor, &weights.tensors()[key], key);
    }
}
