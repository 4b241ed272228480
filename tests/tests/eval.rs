//! KID and FID against numpy and scipy, their intervals against repeated sampling, and what is scored with what.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor};
use gdl_cyclegan::builtin::Domain;
use gdl_cyclegan::eval::{
    FeatureNet, Features, FidConfig, KidConfig, Part, Pictures, TestOptions, TestSet, fid, fid_estimate, kid,
    kid_estimate,
};
use gdl_cyclegan::{DataSpec, Direction, Generator, GeneratorConfig, Translator};
use gdl_tests::Fixture;
use gdl_train::{ParamStore, Rng};
use gdl_vgg::{Tap, VggConfig, VggWeights};

const DEV: Device = Device::Cpu;

/// `n` vectors of `d` numbers, normal around `mean` with deviations 1, 1/2, 1/3, ...
fn normal(n: usize, d: usize, mean: f64, rng: &mut Rng) -> Features {
    let mut features = Features::new(d);
    for _ in 0..n {
        let row: Vec<f64> = (0..d).map(|j| mean + rng.normal() / (j + 1) as f64).collect();
        features.push(&row).unwrap();
    }
    features
}

#[test]
fn kid_and_fid_are_those_of_numpy_and_scipy() {
    let fixture = Fixture::load("eval");
    for case in ["tall", "wide", "dead"] {
        let features = |name: &str| Features::from_tensor(&fixture.get(&format!("{case}.{name}"))).unwrap();
        let want = |name: &str| fixture.get(&format!("{case}.{name}")).to_scalar::<f64>().unwrap();
        let (x, y) = (features("x"), features("y"));
        // Sums of a few thousand products in f64; of FID the small difference of large traces.
        for (name, got) in [("kid", kid(&x, &y).unwrap()), ("fid", fid(&x, &y).unwrap())] {
            let want = want(name);
            assert!(
                (got - want).abs() <= 1e-10 * want.abs().max(1.0),
                "{case} {name}: {got}, expected {want}"
            );
        }
        assert!(fid(&x, &x).unwrap() < 1e-10);
    }
}

#[test]
fn intervals_are_seeded_and_hold_the_value() {
    let mut rng = Rng::seed(1);
    let (x, y) = (normal(30, 5, 0.0, &mut rng), normal(24, 5, 0.4, &mut rng));
    let of_kid = |seed| kid_estimate(&x, &y, &KidConfig { seed, ..KidConfig::default() }).unwrap();
    let of_fid = |seed| fid_estimate(&x, &y, &FidConfig { seed, ..FidConfig::default() }).unwrap();
    for of in [&of_kid as &dyn Fn(u64) -> gdl_cyclegan::eval::Estimate, &of_fid] {
        let estimate = of(3);
        let [low, high] = estimate.interval.unwrap();
        assert!(low < estimate.value && estimate.value < high, "{estimate:?}");
        assert_eq!(of(3), estimate);
        assert_ne!(of(4).interval, estimate.interval);
    }
    assert_eq!(of_fid(0).value, fid(&x, &y).unwrap());
    // A subset that is everything leaves nothing to resample, and its mean is the value.
    let all = KidConfig { subset_size: Some(24), subsets: 2, seed: 0 };
    let whole = kid_estimate(&y, &normal(24, 5, 0.0, &mut rng), &all).unwrap();
    assert!(whole.interval.is_none());
    assert!((of_kid(0).value - kid(&x, &y).unwrap()).abs() < 0.05, "{:?}", of_kid(0));
}

/// Over many samples from the same two distributions the values scatter as the intervals say.
#[test]
fn intervals_are_as_wide_as_the_values_scatter() {
    let mut rng = Rng::seed(8);
    let (mut kids, mut fids) = (Vec::new(), Vec::new());
    for seed in 0..60 {
        let (x, y) = (normal(40, 4, 0.0, &mut rng), normal(40, 4, 0.7, &mut rng));
        let subsets = KidConfig { subsets: 60, seed, ..KidConfig::default() };
        kids.push(kid_estimate(&x, &y, &subsets).unwrap());
        fids.push(fid_estimate(&x, &y, &FidConfig { resamples: 60, seed }).unwrap());
    }
    for (name, estimates) in [("kid", kids), ("fid", fids)] {
        let n = estimates.len() as f64;
        let mean = estimates.iter().map(|e| e.value).sum::<f64>() / n;
        let spread = (estimates.iter().map(|e| (e.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let width = |e: &gdl_cyclegan::eval::Estimate| e.interval.map_or(0.0, |[low, high]| high - low);
        let told = estimates.iter().map(width).sum::<f64>() / n / (2.0 * 1.96);
        // 60 samples tell a deviation to within 9%; three times that.
        assert!((0.73..1.37).contains(&(told / spread)), "{name}: {told} told, {spread} seen");
    }
}

#[test]
fn kid_is_unbiased_and_fid_is_not() {
    let mut rng = Rng::seed(2);
    let mut mean = |n: usize| {
        let repeats = 400 / n;
        let (mut k, mut f) = (0.0, 0.0);
        for _ in 0..repeats {
            let (x, y) = (normal(n, 3, 0.0, &mut rng), normal(n, 3, 0.0, &mut rng));
            k += kid(&x, &y).unwrap() / repeats as f64;
            f += fid(&x, &y).unwrap() / repeats as f64;
        }
        (k, f)
    };
    let (few, many) = (mean(4), mean(100));
    // Both sets are of one distribution: the truth is 0.
    assert!(few.0.abs() < 0.15 && many.0.abs() < 0.05, "{few:?} {many:?}");
    assert!(few.1 > 10.0 * many.1 && few.1 > 0.3, "{few:?} {many:?}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut rng = Rng::seed(2);
    let (x, y) = (normal(5, 3, 0.0, &mut rng), normal(5, 3, 0.0, &mut rng));
    let (one, other) = (normal(1, 3, 0.0, &mut rng), normal(5, 2, 0.0, &mut rng));
    let mut broken = x.clone();
    broken.push(&[0.0, f64::NAN, 1.0]).unwrap();
    for (z, says) in [(&one, "at least 2"), (&other, "3 and 2 numbers"), (&broken, "finite")] {
        for error in [kid(&x, z).unwrap_err(), fid(&x, z).unwrap_err()] {
            assert!(error.to_string().contains(says), "{error}");
        }
    }
    assert!(broken.push(&[1.0]).unwrap_err().to_string().contains("the others have 3"));
    for (subsets, size) in [(1, 2), (5, 1), (5, 6)] {
        let config = KidConfig { subsets, subset_size: Some(size), seed: 0 };
        assert!(kid_estimate(&x, &y, &config).is_err(), "{config:?}");
    }
    assert!(fid_estimate(&x, &y, &FidConfig { resamples: 1, seed: 0 }).is_err());
}

fn narrow() -> VggWeights {
    let config = VggConfig { widths: [4, 5, 6, 7, 8], upto: Tap::relu(3, 2), ..VggConfig::default() };
    VggWeights::random(&config, 1).unwrap()
}

#[test]
fn features_are_the_mean_of_the_maps() {
    let weights = narrow();
    assert_eq!(FeatureNet::default_tap(&weights), Tap::relu(3, 2));
    let net = FeatureNet::new(&weights, Some(Tap::relu(2, 1)), &DEV).unwrap();
    assert_eq!((net.tap(), net.dim()), (Tap::relu(2, 1), 5));
    let picture = Tensor::rand(0f32, 1.0, (3, 14, 21), &DEV).unwrap();
    let vgg = weights.vgg(&weights.config(Tap::relu(2, 1)).unwrap(), DType::F32, &DEV).unwrap();
    let x = weights.preprocess().apply(&picture.unsqueeze(0).unwrap()).unwrap();
    let maps = vgg.features(&x, &[Tap::relu(2, 1)]).unwrap().remove(0); // (1, 5, 7, 10)
    let want: Vec<f32> = maps.mean((2, 3)).unwrap().squeeze(0).unwrap().to_vec1().unwrap();
    for (got, want) in net.features(&picture).unwrap().iter().zip(want) {
        assert!((got - f64::from(want)).abs() < 1e-6, "{got}, expected {want}");
    }
    let error = FeatureNet::new(&weights, Some(Tap::relu(4, 1)), &DEV).unwrap_err().to_string();
    assert!(error.contains("relu4_1") && error.contains("relu3_2"), "{error}");
    assert!(net.features(&picture.narrow(1, 0, 1).unwrap()).is_err());
}

/// A generator whose last layer is dead gives grey: its scores are those of grey pictures.
fn grey() -> Translator {
    let config = GeneratorConfig::resnet(0).base_channels(2);
    let store = ParamStore::new(DType::F32, &DEV, 0);
    Generator::new(&config, None, store.vb()).unwrap();
    let zeros = store.tensors().into_iter().map(|(k, t)| (k, t.zeros_like().unwrap())).collect();
    store.load_tensors("zeros", &zeros).unwrap();
    Translator::new(Generator::new(&config, None, store.vb()).unwrap(), &DEV)
}

#[test]
fn built_in_domains_are_scored_against_their_counterparts() {
    let options = TestOptions { size: Some(16), count: Some(3), seed: 4 };
    let (a, b) = (DataSpec::Builtin(Domain::A), DataSpec::Builtin(Domain::B));
    let [there, back] = TestSet::unpaired(&a, &b, &options).unwrap();
    assert_eq!((there.inputs.len(), back.inputs.len()), (3, 3));
    let same = |x: &Pictures, y: &Pictures| {
        let values = |p: &Pictures| p.load(1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values(x) == values(y)
    };
    assert!(same(&there.real, &back.inputs) && same(&back.real, &there.inputs));
    // Real pictures of B are of other scenes than the truths of A.
    assert!(!same(there.truths.as_ref().unwrap(), &there.real));
    let pairs = TestSet::paired(&a, Direction::BtoA, &options).unwrap();
    assert!(same(pairs.truths.as_ref().unwrap(), &there.inputs));
    assert!(same(&pairs.inputs, there.truths.as_ref().unwrap()));
    let [alone, _] = TestSet::unpaired(&a, &a, &options).unwrap();
    assert!(alone.truths.is_none());

    let net = FeatureNet::new(&narrow(), None, &DEV).unwrap();
    let mut names = Vec::new();
    let done = there.translate(&grey(), Some(&net), |name| names.push(name.to_string())).unwrap();
    assert_eq!(names, ["picture 1", "picture 2", "picture 3"]);
    let half = Tensor::full(0.5f32, (3, 16, 16), &DEV).unwrap();
    let truths = there.truths.unwrap();
    let psnr =
        truths.iter().map(|t| gdl_cyclegan::eval::psnr(&half, &t.unwrap()).unwrap()).sum::<f64>() / 3.0;
    assert!((done.similarity.unwrap().psnr - psnr).abs() < 1e-9);
    assert!(done.nothing.unwrap().psnr != psnr);
    let features = done.features.unwrap();
    assert_eq!((features.len(), features.dim()), (3, 6));
    assert!(TestSet::unpaired(&a, &DataSpec::Folder("gone".into()), &options).is_err());
}

#[test]
fn files_are_scaled_halved_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pair.png");
    let left = Tensor::zeros((3, 12, 12), DType::F32, &DEV).unwrap();
    let pair = Tensor::cat(&[&left, &left.ones_like().unwrap()], 2).unwrap();
    gdl_image_io::save_image(&pair, &path).unwrap();
    let mean = |part, size| {
        let picture = Pictures::files(vec![path.clone()], part).sized(size).load(0).unwrap();
        (picture.dims().to_vec(), picture.mean_all().unwrap().to_scalar::<f32>().unwrap())
    };
    assert_eq!(mean(Part::Left, None), (vec![3, 12, 12], 0.0));
    assert_eq!(mean(Part::Right, Some(20)), (vec![3, 20, 20], 1.0));
    assert_eq!(mean(Part::Whole, None).0, [3, 12, 24]);
    let pictures = Pictures::files(vec![path.clone(), "gone.png".into()], Part::Whole);
    assert!(pictures.load(1).unwrap_err().to_string().contains("gone.png"));
    assert!(pictures.load(2).unwrap_err().to_string().contains("there are 2"));
    assert_eq!(pictures.first(Some(1)).len(), 1);
    let options = TestOptions { size: Some(8), count: None, seed: 0 };
    let small = TestSet::paired(&DataSpec::Folder(dir.path().into()), Direction::AtoB, &options).unwrap();
    let error = small.translate(&grey(), None, |_| {}).unwrap_err().to_string();
    assert!(error.contains("pair.png") && error.contains("11x11"), "{error}");
}
