//! Generators as ONNX files: read back, they are the same networks.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_conv::PadMode;
use gdl_cyclegan::{Direction, Generator, GeneratorConfig, NormKind, Translator, Upsampling};
use gdl_kernels::init::InitScheme;
use gdl_kernels::rng::SharedRng;
use gdl_tests::{OnnxModel, assert_close};
use gdl_train::ParamStore;

const DEV: Device = Device::Cpu;

/// Writes a generator of random weights and running statistics, and reads the file.
fn exported(config: &GeneratorConfig, direction: Option<Direction>) -> (Translator, ParamStore, OnnxModel) {
    let store = ParamStore::new(DType::F32, &DEV, 5);
    let config = GeneratorConfig { init: InitScheme::PyTorch, ..config.clone() };
    Generator::new(&config, None, store.vb()).unwrap();
    let rng = SharedRng::seed(6);
    for (name, var) in store.vars() {
        if name.contains("running_") {
            var.set(&rng.rand(var.dims(), 0.3, 0.9, DType::F32, &DEV).unwrap()).unwrap();
        }
    }
    let translator = Translator::new(Generator::new(&config, None, store.vb()).unwrap(), &DEV);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    translator.export_onnx(&path, direction).unwrap();
    let model = OnnxModel::read(&std::fs::read(&path).unwrap());
    (translator, store, model)
}

fn agrees(what: &str, config: GeneratorConfig) {
    let (translator, store, model) = exported(&config, None);
    for (n, side) in [(1, 1), (2, 2)] {
        let sides = [side, side + 1].map(|k| k * config.multiple().max(config.min_size()));
        let x = SharedRng::seed(7).rand((n, 3, sides[0], sides[1]), -1.0, 1.0, DType::F32, &DEV).unwrap();
        let want = translator.generator().translate(&x).unwrap();
        // In f32 by other algorithms: some 1e-6 where a norm does not enlarge it.
        assert_close(&model.run(&x).unwrap(), &want, 2e-5, 0.0, what);
    }
    for name in model.tensors.keys() {
        assert!(model.nodes.iter().any(|node| node.inputs.contains(name)), "{what}: {name} serves nothing");
    }
    // Every weight is there, bit for bit, and nothing that is none.
    let bits = |t: &Tensor| -> (Vec<usize>, Vec<u32>) {
        let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (t.dims().to_vec(), values.into_iter().map(f32::to_bits).collect())
    };
    let weights = model.tensors.values().filter(|t| t.dtype() == DType::F32 && t.rank() > 0);
    let mut ours: Vec<_> = store.vars().values().map(|var| bits(var.as_tensor())).collect();
    let is_constant = |values: &[u32]| values.iter().all(|v| *v == values[0]);
    let mut theirs: Vec<_> = weights.map(bits).filter(|(_, values)| !is_constant(values)).collect();
    theirs.retain(|(dims, values)| dims != &[4] || values[2] != 2f32.to_bits());
    ours.retain(|(_, values)| !is_constant(values));
    ours.sort();
    theirs.sort();
    assert!(ours == theirs, "{what}: {} weights, {} in the file", ours.len(), theirs.len());
}

#[test]
fn residual_generators_are_the_same() {
    let small = GeneratorConfig::resnet(2).base_channels(3);
    agrees("transposed", small.clone());
    agrees("resize", small.clone().upsampling(Upsampling::Resize));
    agrees("batch", small.clone().norm(NormKind::Batch).dropout(true));
    agrees("none", small.clone().norm(NormKind::None));
    agrees("replicate", GeneratorConfig { pad_mode: PadMode::Replicate, ..small.clone() });
    agrees("zeros", GeneratorConfig { pad_mode: PadMode::Zero, ..small.clone() });
    agrees("one halving", small.downs(1));
}

#[test]
fn unets_are_the_same() {
    for norm in [NormKind::Instance, NormKind::Batch, NormKind::None] {
        agrees("transposed", GeneratorConfig::unet(4).base_channels(3).norm(norm));
    }
    agrees("resize", GeneratorConfig::unet(3).base_channels(3).upsampling(Upsampling::Resize));
    agrees("book", GeneratorConfig::book_unet().base_channels(3));
}

#[test]
fn the_file_says_what_its_pictures_are_like() {
    let config = GeneratorConfig::resnet9().base_channels(2);
    let (_, _, model) = exported(&config, Some(Direction::BtoA));
    assert_eq!(model.opset, 17);
    let axes = ["batch", "3", "height", "width"].map(String::from).to_vec();
    assert_eq!(model.input, ("picture".into(), axes.clone()));
    assert_eq!(model.output, ("translation".into(), axes));
    let count = |ops: &[&str]| ops.iter().map(|op| model.count(op)).collect::<Vec<_>>();
    let ops = ["Conv", "ConvTranspose", "InstanceNormalization", "Pad", "Relu", "Add", "Tanh"];
    assert_eq!(count(&ops), [22, 2, 23, 20, 14, 9, 1]);
    assert_eq!(model.nodes.len(), 91);
    for (key, want) in [
        ("input_range", "[-1, 1]"),
        ("output_range", "[-1, 1]"),
        ("multiple", "4"),
        ("min_size", "8"),
        ("direction", "ba"),
    ] {
        assert_eq!(model.properties[key], want, "{key}");
    }
    let generator: GeneratorConfig = serde_json::from_str(&model.properties["generator"]).unwrap();
    assert_eq!(generator, GeneratorConfig { init: InitScheme::PyTorch, ..config });
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let store = ParamStore::new(DType::F32, &DEV, 5);
    let generator = Generator::new(&GeneratorConfig::resnet(0).base_channels(2), None, store.vb()).unwrap();
    let error = Translator::new(generator, &DEV).export_onnx("/no/such/folder/a.onnx", None).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder/a.onnx"), "{error}");
}
