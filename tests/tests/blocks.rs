//! Residual blocks and U-Nets against the reference implementation in PyTorch.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{ModuleT, VarBuilder};
use gdl_blocks::{
    ResidualBlock, ResidualBlockConfig, UnetDown, UnetDownConfig, UnetLevel, UnetLevelConfig, UnetPosition,
    UnetUp, UnetUpConfig, Upsampling,
};
use gdl_conv::PadMode;
use gdl_kernels::{init::InitScheme, rng::SharedRng};
use gdl_tests::{DEV, Fixture, assert_bitwise, assert_close, check_gradients};
use gdl_train::ParamStore;

/// Output, input gradient and every parameter gradient of a network against the fixture's.
///
/// Tolerance: f32 against f64. Some hundred products of order 1 per convolution, a norm that divides by deviations of
/// order 1, and up to six of both after another. Measured: 2e-6 of results of order 1, 2e-5 of gradients up to 34.
fn parity(case: &str, build: impl Fn(VarBuilder<'static>) -> Box<dyn Fn(&Tensor) -> Result<Tensor>>) {
    let fixture = Fixture::load("blocks");
    let vars = fixture.vars(&format!("{case}.weights"));
    let net = build(Fixture::vb(&vars));
    let x = Var::from_tensor(&fixture.get(&format!("{case}.x"))).unwrap();
    let y = net(&x).unwrap();
    assert_close(&y, &fixture.get(&format!("{case}.y")), 1e-5, 1e-5, &format!("{case}: y"));
    let loss = (y * fixture.get(&format!("{case}.gy"))).unwrap().sum_all().unwrap();
    let grads = loss.backward().unwrap();
    assert_close(
        grads.get(&x).unwrap(),
        &fixture.get(&format!("{case}.dx")),
        1e-5,
        1e-5,
        &format!("{case}: dx"),
    );
    assert!(!vars.is_empty());
    for (name, var) in &vars {
        let want = fixture.get(&format!("{case}.grads.{name}"));
        let got = grads.get(var).unwrap_or_else(|| panic!("{case}: {name} is not used"));
        // A bias before instance norm has no influence: its gradient is rounding on both sides.
        assert_close(got, &want, 3e-5, 1e-5, &format!("{case}: gradient of {name}"));
    }
}

#[test]
fn residual_block_parity() {
    for (name, pad_mode) in
        [("reflect", PadMode::Reflect), ("replicate", PadMode::Replicate), ("zero", PadMode::Zero)]
    {
        for (kind, dropout) in [("plain", false), ("dropout", true)] {
            parity(&format!("residual.{name}.{kind}"), |vb| {
                let config = ResidualBlockConfig::new(3).pad_mode(pad_mode).dropout(dropout);
                let block = ResidualBlock::new(&config, vb).unwrap();
                Box::new(move |x| block.forward(x))
            });
        }
    }
}

fn levels(upsampling: Upsampling) -> [UnetLevelConfig; 3] {
    [
        UnetLevelConfig::new(3, 4).out_channels(2).upsampling(upsampling),
        UnetLevelConfig::new(4, 6).upsampling(upsampling).dropout(true),
        UnetLevelConfig::new(6, 6).upsampling(upsampling),
    ]
}

#[test]
fn unet_parity() {
    for (name, upsampling) in [("transposed", Upsampling::Transposed), ("resize", Upsampling::Resize)] {
        parity(&format!("unet.{name}"), |vb| {
            let unet = UnetLevel::nest(&levels(upsampling), vb).unwrap();
            Box::new(move |x| unet.forward(x))
        });
    }
}

/// The names that a build asks for.
fn keys(build: impl FnOnce(VarBuilder)) -> Vec<String> {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    build(store.vb());
    store.vars().into_keys().filter_map(|key| key.strip_suffix(".weight").map(String::from)).collect()
}

#[test]
fn keys_are_the_reference_s() {
    for (pad_mode, dropout, want) in [
        (PadMode::Reflect, false, [1, 5]),
        (PadMode::Reflect, true, [1, 6]),
        (PadMode::Replicate, true, [1, 6]),
        (PadMode::Zero, false, [0, 3]),
        (PadMode::Zero, true, [0, 4]),
    ] {
        let config = ResidualBlockConfig::new(2).pad_mode(pad_mode).dropout(dropout);
        let got = keys(|vb| drop(ResidualBlock::new(&config, vb).unwrap()));
        assert_eq!(got, want.map(|n| format!("conv_block.{n}")));
    }
    let got = keys(|vb| drop(UnetLevel::nest(&levels(Upsampling::Resize), vb).unwrap()));
    let want = [
        "model.0",
        "model.1.model.1",
        "model.1.model.3.model.1",
        "model.1.model.3.model.3",
        "model.1.model.5",
        "model.3",
    ];
    assert_eq!(got, want);
}

#[test]
fn initial_values_follow_the_scheme() {
    let store = ParamStore::new(DType::F32, &DEV, 1);
    let vb = store.vb();
    ResidualBlock::new(&ResidualBlockConfig::new(16), vb.pp("gan")).unwrap();
    ResidualBlock::new(&ResidualBlockConfig::new(16).init(InitScheme::PyTorch), vb.pp("torch")).unwrap();
    let vars = store.vars();
    let stdev = |name: &str| {
        let t = &vars[name];
        (t.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap()).sqrt()
    };
    // 2,304 draws: the deviation of their deviation is 1 / sqrt(2 * 2304) = 1.5%; five of those.
    assert!((stdev("gan.conv_block.1.weight") / 0.02 - 1.0).abs() < 0.075);
    assert_eq!(stdev("gan.conv_block.1.bias"), 0.0);
    // Uniform in ±1/sqrt(fan_in): deviation 1 / sqrt(3 fan_in) = 1 / sqrt(432).
    assert!((stdev("torch.conv_block.5.weight") * 432f32.sqrt() - 1.0).abs() < 0.075);
    assert!(stdev("torch.conv_block.5.bias") > 0.0);
}

#[test]
fn finite_differences() {
    let rng = SharedRng::seed(21);
    let store = ParamStore::new(DType::F64, &DEV, 2);
    let init = InitScheme::Kaiming;
    let block = ResidualBlock::new(&ResidualBlockConfig::new(2).init(init), store.vb().pp("block")).unwrap();
    // Central differences with 1e-6 in f64 are good to about 1e-9 times the second derivatives; the seeds keep the values
    // away from the kinks.
    let x = rng.randn((2, 2, 3, 4), DType::F64, &DEV).unwrap();
    check_gradients(|t| block.forward(&t[0]), &[x], 1e-6, 1e-6);
    for upsampling in [Upsampling::Transposed, Upsampling::Resize] {
        let levels = [
            UnetLevelConfig::new(1, 2).upsampling(upsampling).init(init),
            UnetLevelConfig::new(2, 2).upsampling(upsampling).init(init),
            UnetLevelConfig::new(2, 2).upsampling(upsampling).init(init),
        ];
        let unet = UnetLevel::nest(&levels, store.vb().pp(format!("{upsampling:?}"))).unwrap();
        let x = rng.randn((1, 1, 8, 16), DType::F64, &DEV).unwrap();
        check_gradients(|t| unet.forward(&t[0]), &[x], 1e-6, 1e-6);
    }
}

#[test]
fn dropout_draws_from_the_given_generator_in_training_only() {
    let store = ParamStore::new(DType::F32, &DEV, 3);
    let x = SharedRng::seed(4).randn((1, 4, 8, 8), DType::F32, &DEV).unwrap();
    let config = ResidualBlockConfig::new(4).dropout(true);
    let block = ResidualBlock::new(&config, store.vb()).unwrap();
    let error = block.forward_t(&x, true).unwrap_err().to_string();
    assert!(error.contains("ResidualBlock") && error.contains("with_rng"), "{error}");
    let quiet = block.forward(&x).unwrap();

    let rng = SharedRng::seed(5);
    let block = block.with_rng(rng.clone());
    assert_bitwise(&block.forward(&x).unwrap(), &quiet, "inference");
    let state = rng.state();
    let first = block.forward_t(&x, true).unwrap();
    assert_ne!(rng.state(), state);
    rng.set_state(&state).unwrap();
    assert_bitwise(&block.forward_t(&x, true).unwrap(), &first, "the same state draws the same");
    assert_ne!(
        first.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
        quiet.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    );

    // The generator reaches the levels inside.
    let unet = UnetLevel::nest(&levels(Upsampling::Transposed), store.vb().pp("unet")).unwrap();
    let x = SharedRng::seed(6).randn((1, 3, 8, 8), DType::F32, &DEV).unwrap();
    assert!(unet.forward_t(&x, true).is_err());
    let unet = unet.with_rng(rng.clone());
    let state = rng.state();
    unet.forward_t(&x, true).unwrap();
    assert_ne!(rng.state(), state);
}

#[test]
fn the_halves_of_a_level_make_a_level() {
    let store = ParamStore::new(DType::F32, &DEV, 7);
    let vb = store.vb();
    let x = SharedRng::seed(8).randn((2, 3, 8, 12), DType::F32, &DEV).unwrap();
    let down =
        UnetDown::new(&UnetDownConfig::new(UnetPosition::Outermost, 3, 4), vb.pp("model.0"), vb.pp("norm"))
            .unwrap();
    let inner_down = UnetDown::new(
        &UnetDownConfig::new(UnetPosition::Innermost, 4, 5),
        vb.pp("model.1.model.1"),
        vb.pp("norm"),
    )
    .unwrap();
    let inner_up = UnetUp::new(
        &UnetUpConfig::new(UnetPosition::Innermost, 5, 4),
        vb.pp("model.1.model.3"),
        vb.pp("norm"),
    )
    .unwrap();
    let up = UnetUp::new(&UnetUpConfig::new(UnetPosition::Outermost, 8, 1), vb.pp("model.3"), vb.pp("norm"))
        .unwrap();

    let middle = down.forward(&x).unwrap();
    let inner = inner_up.forward(&inner_down.forward(&middle).unwrap()).unwrap();
    let want = up.forward(&Tensor::cat(&[&middle, &inner], 1).unwrap()).unwrap();

    let levels = [UnetLevelConfig::new(3, 4).out_channels(1), UnetLevelConfig::new(4, 5)];
    let unet = UnetLevel::nest(&levels, vb).unwrap();
    assert_eq!((unet.levels(), unet.position()), (2, UnetPosition::Outermost));
    assert_bitwise(&unet.forward(&x).unwrap(), &want, "the whole against its halves");
    // A level inside returns its input beside its result.
    let both = unet.inside().unwrap().forward(&middle).unwrap();
    assert_bitwise(&both.narrow(1, 0, 4).unwrap(), &middle, "the skip connection");
    assert_bitwise(&both.narrow(1, 4, 4).unwrap(), &inner, "the result");
}

#[test]
fn errors_name_the_numbers() {
    let vb = || VarBuilder::zeros(DType::F32, &DEV);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &DEV).unwrap();
    let unet = UnetLevel::nest(&levels(Upsampling::Transposed), vb()).unwrap();
    let error = unet.forward(&zeros(&[1, 3, 20, 16])).unwrap_err().to_string();
    assert!(error.contains("divisible by 8 (halved at each of 3 levels), got 20x16"), "{error}");
    assert!(unet.forward(&zeros(&[1, 3, 0, 16])).is_err());
    let error = unet.forward(&zeros(&[1, 4, 16, 16])).unwrap_err().to_string();
    assert!(error.contains("expected 3 channels"), "{error}");
    assert!(unet.forward(&zeros(&[3, 16, 16])).is_err());
    assert_eq!(unet.forward(&zeros(&[0, 3, 16, 16])).unwrap().dims(), [0, 2, 16, 16]);

    let nest = |levels: &[UnetLevelConfig]| UnetLevel::nest(levels, vb()).unwrap_err().to_string();
    assert!(nest(&[UnetLevelConfig::new(3, 4)]).contains("at least 2 levels, got 1"));
    assert!(nest(&[UnetLevelConfig::new(3, 4), UnetLevelConfig::new(5, 4)]).contains("4 channels inside"));
    let inner = UnetLevelConfig::new(4, 4).out_channels(3);
    assert!(nest(&[UnetLevelConfig::new(3, 4), inner]).contains("only the outermost"));
    let inner = UnetLevelConfig::new(4, 4).dropout(true);
    assert!(nest(&[UnetLevelConfig::new(3, 4), inner]).contains("only a middle step has dropout"));
    assert!(ResidualBlock::new(&ResidualBlockConfig::new(0), vb()).is_err());
    let block = ResidualBlock::new(&ResidualBlockConfig::new(2), vb()).unwrap();
    assert!(block.forward(&zeros(&[1, 2, 1, 5])).unwrap_err().to_string().contains("reflection"));
}
