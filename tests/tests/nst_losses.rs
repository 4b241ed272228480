//! Every loss of style transfer on its own: against PyTorch and finite differences, masked and not, at several sizes.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Result, Tensor, Var};
use gdl_nst::{
    Gaussian, content_loss, covariance_loss, histogram_loss, mean_and_covariance, mean_std_loss,
    place_weighted, quantiles, style_loss, tv_l1_loss, tv_loss, tv_nine_point_loss, wasserstein_loss,
    with_unit_gradient,
};
use gdl_tests::{DEV, Fixture, assert_close, check_gradients};
use gdl_train::SharedRng;
use gdl_vgg::gram_matrix;

type Loss = Box<dyn Fn(&Tensor, Option<&Tensor>) -> Result<Tensor>>;

/// Each loss of features, with the statistics of `style` as its target.
fn losses(style: &Tensor) -> Vec<(&'static str, Loss)> {
    let c = style.dim(1).unwrap();
    let gram = gram_matrix(style).unwrap();
    let (mean, covariance) = mean_and_covariance(style, None).unwrap();
    let full = (&covariance * c as f64).unwrap();
    let eye = Tensor::eye(c, style.dtype(), &DEV).unwrap();
    let variance = full.broadcast_mul(&eye).unwrap().sum_keepdim(2).unwrap();
    let gaussian = Gaussian::new(&mean, &full).unwrap();
    let histogram = quantiles(style).unwrap();
    let m = mean.clone();
    vec![
        ("gram", Box::new(move |f, p| style_loss(f, &gram, p))),
        ("covariance", Box::new(move |f, p| covariance_loss(f, &m, &covariance, p))),
        ("mean_std", Box::new(move |f, p| mean_std_loss(f, &mean, &variance, p))),
        ("wasserstein", Box::new(move |f, p| wasserstein_loss(f, &gaussian, p))),
        ("histogram", Box::new(move |f, p| histogram_loss(f, &histogram, p))),
    ]
}

fn compare(fixture: &Fixture, name: &str, x: &str, loss: impl Fn(&Tensor) -> Result<Tensor>) {
    let x = Var::from_tensor(&fixture.get(x)).unwrap();
    let value = loss(&x).unwrap();
    // f64 on both sides; the eigendecomposition there and the iteration here agree to about 1e-10.
    assert_close(&value, &fixture.get(&format!("{name}.loss")), 1e-14, 1e-9, name);
    let grads = value.backward().unwrap();
    assert_close(grads.get(&x).unwrap(), &fixture.get(&format!("{name}.grad")), 1e-11, 1e-7, name);
}

#[test]
fn losses_and_gradients_are_pytorchs() {
    let fixture = Fixture::load("nst_losses");
    let places = fixture.get("places");
    for (name, loss) in losses(&fixture.get("style")) {
        compare(&fixture, name, "features", |f| loss(f, None));
        compare(&fixture, &format!("places.{name}"), "features", |f| loss(f, Some(&places)));
    }
    compare(&fixture, "tv_l1", "image", tv_l1_loss);
    compare(&fixture, "tv_nine_point", "image", tv_nine_point_loss);
    // Nine positions of twelve channels: both covariances are singular.
    let mean = fixture.get("few.mean").reshape((1, 12, 1)).unwrap();
    let few = Gaussian::new(&mean, &fixture.get("few.cov").unsqueeze(0).unwrap()).unwrap();
    compare(&fixture, "few.wasserstein", "few", |f| wasserstein_loss(f, &few, None));
}

#[test]
fn gradients_agree_with_finite_differences() {
    let rng = SharedRng::seed(1);
    let draw = |shape: &[usize]| rng.randn(shape, DType::F64, &DEV).unwrap();
    let (f, style) = (draw(&[1, 3, 4, 5]), draw(&[1, 3, 2, 7]));
    let places = rng.rand((1, 1, 4, 5), 0.2, 1.8, DType::F64, &DEV).unwrap();
    let places = places.broadcast_div(&places.mean_all().unwrap()).unwrap();
    // Smooth, or (histogram, L1) with kinks that drawn values are far from: central differences of 1e-5 leave rounding.
    for (name, loss) in losses(&style) {
        println!("{name}");
        check_gradients(|x| loss(&x[0], None), std::slice::from_ref(&f), 1e-5, 1e-6);
        check_gradients(|x| loss(&x[0], Some(&places)), std::slice::from_ref(&f), 1e-5, 1e-6);
    }
    let p = draw(&[1, 3, 4, 5]);
    check_gradients(|x| content_loss(&x[0], &p), std::slice::from_ref(&f), 1e-5, 1e-6);
    check_gradients(|x| gram_matrix(&x[0]), std::slice::from_ref(&f), 1e-5, 1e-6);
    for tv in [tv_loss, tv_l1_loss, tv_nine_point_loss] {
        check_gradients(|x| tv(&x[0]), std::slice::from_ref(&f), 1e-5, 1e-6);
        // Pictures without neighbours in one direction or both.
        check_gradients(|x| tv(&x[0]), &[draw(&[1, 3, 1, 4])], 1e-5, 1e-6);
        assert_eq!(tv(&draw(&[1, 3, 1, 1])).unwrap().to_scalar::<f64>().unwrap(), 0.0);
        assert!(tv(&draw(&[1, 3, 0, 1])).is_err());
    }
}

fn number(t: &Tensor) -> f64 {
    t.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

#[test]
fn losses_are_0_at_the_style_and_1_where_there_is_nothing() {
    let rng = SharedRng::seed(2);
    for dtype in [DType::F32, DType::F64] {
        let style = rng.randn((1, 5, 6, 7), dtype, &DEV).unwrap().relu().unwrap();
        let nothing = style.zeros_like().unwrap();
        for (name, loss) in losses(&style) {
            let (same, none) = (number(&loss(&style, None).unwrap()), number(&loss(&nothing, None).unwrap()));
            // Two relative terms; a ridge whose root is 3% of a deviation.
            let (want, slack) = match name {
                "covariance" => (2.0, 1e-6),
                "wasserstein" => (1.0, 7e-2),
                // What has one value everywhere is compared with the mean.
                "histogram" => (0.5, 0.5),
                _ => (1.0, 3e-3),
            };
            assert!(same.abs() < if name == "histogram" { 1e-3 } else { 1e-5 }, "{name}: {same}");
            assert!((none - want).abs() < slack, "{name}: {none}");
            // A style with nothing in it has nothing to be relative to.
            for (name, loss) in losses(&nothing) {
                let got = number(&loss(&style, None).unwrap());
                assert!(
                    got.is_finite() && number(&loss(&nothing, None).unwrap()).abs() < 1e-5,
                    "{name}: {got}"
                );
            }
        }
        let same = number(&content_loss(&style, &style).unwrap());
        let means = style.mean_keepdim((2, 3)).unwrap().broadcast_as(style.shape()).unwrap();
        let one = number(&content_loss(&means, &style).unwrap());
        assert!(same == 0.0 && (one - 1.0).abs() < 1e-5, "{same} {one}");
        assert_eq!(number(&content_loss(&nothing, &nothing).unwrap()), 0.0);
    }
}

#[test]
fn a_mask_leaves_what_is_under_it() {
    let rng = SharedRng::seed(3);
    let draw = |w| rng.randn((1, 4, 6, w), DType::F64, &DEV).unwrap();
    let (left, right, style) = (draw(5), draw(3), draw(7));
    let both = Tensor::cat(&[&left, &right], 3).unwrap();
    let one = Tensor::full(8.0 / 5.0, (1, 1, 6, 5), &DEV).unwrap();
    let zero = Tensor::zeros((1, 1, 6, 3), DType::F64, &DEV).unwrap();
    let mask = Tensor::cat(&[&one, &zero], 3).unwrap();
    for (name, loss) in losses(&style) {
        let (masked, cut) = (loss(&both, Some(&mask)).unwrap(), loss(&left, None).unwrap());
        assert!((number(&masked) - number(&cut)).abs() < 1e-12, "{name}");
    }
    // A guided Gram matrix is that of the features times the root of the mask.
    let weighted = place_weighted(&both, Some(&mask)).unwrap();
    let want = gram_matrix(&left).unwrap();
    assert_close(&gram_matrix(&weighted).unwrap(), &want, 1e-14, 1e-12, "guided Gram matrix");
}

#[test]
fn the_same_picture_twice_as_often_has_the_same_losses() {
    // Weights mean the same at every resolution: every loss is one of distributions, not of how many pixels they have.
    let rng = SharedRng::seed(4);
    let draw = |h, w| rng.randn((1, 4, h, w), DType::F64, &DEV).unwrap();
    let (f, p, style) = (draw(6, 8), draw(6, 8), draw(5, 9));
    let twice = |x: &Tensor| x.repeat((1, 1, 2, 2)).unwrap();
    for (name, loss) in losses(&style) {
        let (once, four) = (number(&loss(&f, None).unwrap()), number(&loss(&twice(&f), None).unwrap()));
        // The outermost quantiles of more values lie further out.
        let slack = if name == "histogram" { 1e-2 } else { 1e-9 };
        assert!((once - four).abs() < slack * once, "{name}: {once} {four}");
    }
    let (once, four) = (content_loss(&f, &p), content_loss(&twice(&f), &twice(&p)));
    assert!((number(&once.unwrap()) - number(&four.unwrap())).abs() < 1e-12);
    // Enlarged, a picture is smoother; tiled, it is as rough, but for its seams: of a picture that closes on itself
    // none.
    let ring = Tensor::cat(&[&f, &f], 3).unwrap().repeat((1, 1, 4, 4)).unwrap();
    let more = twice(&ring);
    for tv in [tv_loss, tv_l1_loss, tv_nine_point_loss] {
        let (a, b) = (number(&tv(&ring).unwrap()), number(&tv(&more).unwrap()));
        assert!((a / b - 1.0).abs() < 0.03, "{a} {b}");
    }
}

#[test]
fn wasserstein_holds_in_f32_for_few_positions_and_large_activations() {
    let rng = SharedRng::seed(6);
    let draw = |c: usize, h, w, scale: f64| {
        let x = rng.randn((1, c, h, w), DType::F64, &DEV).unwrap().relu().unwrap();
        // Channels of very different size, as a trained network has them.
        let sizes: Vec<f64> = (0..c).map(|i| scale * 10f64.powf(-3.0 * i as f64 / c as f64)).collect();
        x.broadcast_mul(&Tensor::from_vec(sizes, (1, c, 1, 1), &DEV).unwrap()).unwrap()
    };
    for (h, w, scale) in [(2, 2, 1.0), (5, 4, 300.0), (24, 20, 1e-3), (1, 1, 1.0)] {
        let (f, style) = (draw(48, h, w, scale), draw(48, 3, 4, scale));
        let run = |dtype| {
            let f = Var::from_tensor(&f.to_dtype(dtype).unwrap()).unwrap();
            let style = style.to_dtype(dtype).unwrap();
            let (mean, covariance) = mean_and_covariance(&style, None).unwrap();
            let gaussian = Gaussian::new(&mean, &(covariance * 48.0).unwrap()).unwrap();
            let loss = wasserstein_loss(&f, &gaussian, None).unwrap();
            let grads = loss.backward().unwrap();
            (number(&loss), grads.get(&f).unwrap().to_dtype(DType::F64).unwrap())
        };
        let ((single, got), (double, want)) = (run(DType::F32), run(DType::F64));
        assert!((single - double).abs() < 1e-4 * double, "{h}x{w}: {single} {double}");
        let size = number(&want.abs().unwrap().flatten_all().unwrap().max(0).unwrap());
        // The slope of the root magnifies what f32 loses of the small channels.
        assert_close(&got, &want, 1e-3 * size, 0.0, "gradient");
    }
    let style = draw(48, 3, 4, 1.0);
    let (mean, covariance) = mean_and_covariance(&style, None).unwrap();
    let gaussian = Gaussian::new(&mean, &covariance).unwrap();
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(number(&wasserstein_loss(&(&style * bad).unwrap(), &gaussian, None).unwrap()).is_nan());
        assert!(Gaussian::new(&mean, &(&covariance * bad).unwrap()).is_err());
    }
    assert!(wasserstein_loss(&style.narrow(1, 0, 5).unwrap(), &gaussian, None).is_err());
}

#[test]
fn a_normalised_gradient_has_its_strength_and_its_direction() {
    let rng = SharedRng::seed(7);
    let x = Var::from_tensor(&rng.randn((1, 3, 4, 4), DType::F32, &DEV).unwrap()).unwrap();
    let target = rng.randn((1, 3, 4, 4), DType::F32, &DEV).unwrap();
    // Also where the squares of the gradient are too small for f32.
    for factor in [1.0, 1e-30, 1e12] {
        let loss = |x: &Tensor| (x - &target)?.sqr()?.sum_all()? * factor;
        // Through something before it, as through a network.
        let features = (x.as_tensor() * 3.0).unwrap();
        let (value, slope) = with_unit_gradient(&features, 0.5, loss).unwrap();
        let plain = loss(&features).unwrap();
        assert!((number(&value) - number(&plain)).abs() <= 1e-6 * number(&plain));
        let (got, want) = (slope.backward().unwrap(), plain.backward().unwrap());
        let (got, want) = (got.get(&x).unwrap(), want.get(&x).unwrap());
        let norm =
            |t: &Tensor| number(&t.to_dtype(DType::F64).unwrap().sqr().unwrap().sum_all().unwrap()).sqrt();
        assert!((norm(got) - 1.5).abs() < 1e-5, "3 times the strength of 0.5: {}", norm(got));
        let want = ((want / factor).unwrap() * (1.5 / norm(&(want / factor).unwrap()))).unwrap();
        assert_close(got, &want, 1e-5, 0.0, "direction");
    }
    let (value, slope) = with_unit_gradient(&x, 2.0, |x| x.sum_all()? * 0.0).unwrap();
    let grads = slope.backward().unwrap();
    let pull = grads.get(&x).map_or(0.0, |g| number(&g.abs().unwrap().sum_all().unwrap()));
    assert_eq!((number(&value), pull), (0.0, 0.0));
}
