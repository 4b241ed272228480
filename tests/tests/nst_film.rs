//! Several pictures with the same styles: what a film's frames take from one another, and what pictures that are none share.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{DType, Device, Tensor, Var};
use gdl_nst::{
    Flow, Frame, Init, KeepColour, NstConfig, Objective, Series, Statistics, Style, StyleTransfer,
    temporal_loss,
};
use gdl_tests::{assert_bitwise, check_gradients, max_abs_diff, noise_picture, small_vgg};
use gdl_train::SharedRng;
use std::ops::ControlFlow;

fn config() -> NstConfig {
    NstConfig {
        size: 48,
        min_size: 24,
        steps: 12,
        frame_steps: 6,
        statistics: Statistics::Gram,
        ..NstConfig::default()
    }
}

/// A view of a drawn scene, so many pixels further to the right.
fn view(x: usize) -> Tensor {
    gdl_nst::builtin::content(72)
        .unwrap()
        .narrow(2, x, 48)
        .unwrap()
        .narrow(1, 4, 48)
        .unwrap()
        .contiguous()
        .unwrap()
}

fn style() -> Vec<Style> {
    vec![gdl_nst::builtin::style(gdl_nst::builtin::Style::Swirl, 48).unwrap().into()]
}

fn finish(mut transfer: StyleTransfer) -> Tensor {
    transfer.run(|_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn the_temporal_loss_is_its_formula() {
    let rng = SharedRng::seed(3);
    let draw = |c| rng.rand((1, c, 3, 4), 0.0, 1.0, DType::F64, &Device::Cpu).unwrap();
    let (x, p) = (draw(3), draw(3));
    let known = draw(1).ge(0.5).unwrap().to_dtype(DType::F64).unwrap();
    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (xs, ps, ws) = (numbers(&x), numbers(&p), numbers(&known));
    let want = (0..36).map(|i| ws[i % 12] * (xs[i] - ps[i]).powi(2)).sum::<f64>() / 36.0;
    let got = temporal_loss(&x, &p, &known).unwrap().to_scalar::<f64>().unwrap();
    assert!((got - want).abs() < 1e-15 && want > 0.01, "{got} {want}");
    check_gradients(|t| temporal_loss(&t[0], &p, &known), &[x], 1e-5, 1e-8);
}

#[test]
fn the_objective_adds_it_with_its_weight() {
    let config = NstConfig { temporal_weight: 7.0, ..config() };
    let vgg = Objective::network(&config, &small_vgg(), DType::F32, &Device::Cpu).unwrap();
    let content = view(0).unsqueeze(0).unwrap();
    let plain = Objective::new(&config, &small_vgg(), vgg, &content, &style()).unwrap();
    let (previous, known) = (
        noise_picture(48, 48, 1).unsqueeze(0).unwrap(),
        Tensor::ones((1, 1, 48, 48), DType::F32, &Device::Cpu).unwrap(),
    );
    let after = plain.clone().with_previous(&previous, &known).unwrap();
    let image = Var::from_tensor(&content).unwrap();
    let ((alone, a), (both, b)) = (plain.gradients(&image).unwrap(), after.gradients(&image).unwrap());
    let term = temporal_loss(&content, &previous, &known).unwrap().to_scalar::<f32>().unwrap();
    assert_eq!((alone.temporal, both.temporal as f32), (0.0, term));
    assert!((both.total - alone.total - 7.0 * f64::from(term)).abs() < 1e-5);
    let pull = ((&content - &previous).unwrap() * (7.0 * 2.0 / (3.0 * 48.0 * 48.0))).unwrap();
    let off = ((b.get(&image).unwrap() - a.get(&image).unwrap()).unwrap() - &pull).unwrap();
    assert!(off.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap() < 1e-7);
    assert!(plain.with_previous(&previous, &known.narrow(2, 0, 9).unwrap()).is_err());
    // In tiles, and with each loss's gradient scaled to a norm of 1.
    for normalize_gradients in [false, true] {
        let config = NstConfig { normalize_gradients, ..config.clone() };
        let vgg = || Objective::network(&config, &small_vgg(), DType::F32, &Device::Cpu).unwrap();
        let of = |objective: Objective| {
            let objective = objective.with_previous(&previous, &known).unwrap();
            let (losses, grads) = objective.gradients(&image).unwrap();
            (losses.temporal, grads.get(&image).unwrap().clone())
        };
        let (loss, grad) = of(Objective::new(&config, &small_vgg(), vgg(), &content, &style()).unwrap());
        for side in [16, 48] {
            let tiles = Objective::in_tiles(&config, &small_vgg(), vgg(), &content, &style(), side).unwrap();
            let (got, tiled) = of(tiles);
            assert!((got - loss).abs() < 1e-6 * loss, "{got} {loss}");
            let largest = grad.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert!(max_abs_diff(&tiled, &grad) < 1e-4 * f64::from(largest.to_scalar::<f32>().unwrap()));
        }
    }
}

/// The mean difference of a frame to the one before, moved along with the content, where the motion is known.
fn flicker(before: &Frame, content: &Tensor, painted: &Tensor) -> f64 {
    let (back, forth) =
        (Flow::between(content, &before.content).unwrap(), Flow::between(&before.content, content).unwrap());
    let known = back.known(&forth, content, &before.content).unwrap();
    let off = (back.warp(&before.painted).unwrap() - painted).unwrap().abs().unwrap();
    let sum = |t: &Tensor| f64::from(t.sum_all().unwrap().to_scalar::<f32>().unwrap());
    sum(&off.broadcast_mul(&known).unwrap()) / (3.0 * sum(&known))
}

#[test]
fn a_frame_goes_on_from_the_one_before_and_is_held_there() {
    let (first, second) = (view(0), view(3));
    let paint = |temporal_weight| {
        let config = NstConfig { temporal_weight, frame_steps: 20, ..config() };
        let film = Series::film(&config, &small_vgg(), &style(), &first).unwrap();
        let painted = finish(film.picture(&first).unwrap());
        let before = Frame { content: first.clone(), painted };
        let transfer = film.frame(&before, &second).unwrap();
        // It starts from the moved frame.
        let start = flicker(&before, &second, &transfer.image().unwrap());
        assert!(start < 1e-6, "{start}");
        assert_eq!((transfer.total_steps(), transfer.scales().len()), (20, 1));
        let painted = finish(transfer);
        (before.clone(), painted)
    };
    let (before, held) = paint(2000.0);
    let (_, free) = paint(0.0);
    let alone = finish(StyleTransfer::new(&config(), &small_vgg(), &second, &style()).unwrap());
    let [held, free, alone] = [held, free, alone].map(|painted| flicker(&before, &second, &painted));
    assert!(held < 0.5 * free && free < alone, "{held} {free} {alone}");
}

#[test]
fn the_first_frame_and_separate_pictures_are_those_of_a_transfer_alone() {
    // Of several sizes, one of them twice; and what is kept of the styles is used again.
    let contents = [view(0), noise_picture(30, 44, 5), view(9), noise_picture(30, 44, 6)];
    let masked = Style {
        mask: Some(Tensor::new(&[[0f32, 1.0]], &Device::Cpu).unwrap()),
        ..Style::from(noise_picture(20, 30, 9))
    };
    let styles = [style(), vec![masked]].concat();
    for config in [
        config(),
        NstConfig { keep_color: Some(KeepColour::Match), ..config() },
        NstConfig { keep_color: Some(KeepColour::Luma), init: Init::Recoloured, ..config() },
    ] {
        let config = NstConfig { steps: 4, ..config };
        let series = Series::separate(&config, &small_vgg(), &styles, &Device::Cpu).unwrap();
        for content in &contents {
            let want = finish(StyleTransfer::new(&config, &small_vgg(), content, &styles).unwrap());
            assert_bitwise(&finish(series.picture(content).unwrap()), &want, "by itself");
        }
        let film = Series::film(&config, &small_vgg(), &styles, &contents[0]).unwrap();
        let want = finish(StyleTransfer::new(&config, &small_vgg(), &contents[0], &styles).unwrap());
        assert_bitwise(&finish(film.picture(&contents[0]).unwrap()), &want, "the first frame");
        let start = noise_picture(9, 9, 8);
        let want =
            StyleTransfer::starting_from(&start, &config, &small_vgg(), &contents[0], &styles).unwrap();
        assert_bitwise(&finish(film.picture_from(&start, &contents[0]).unwrap()), &finish(want), "a start");
    }
}

#[test]
fn colours_that_are_kept_are_those_of_the_first_frame() {
    // Were they each frame's own, a darker frame would have darker styles.
    let first = view(0);
    let darker = (&first * 0.5).unwrap();
    let config =
        NstConfig { keep_color: Some(KeepColour::Match), content_weight: 0.0, init: Init::Gray, ..config() };
    let film = Series::film(&config, &small_vgg(), &style(), &first).unwrap();
    let (a, b) = (finish(film.picture(&first).unwrap()), finish(film.picture(&darker).unwrap()));
    assert_bitwise(&a, &b, "the same style");
    let own = Series::separate(&config, &small_vgg(), &style(), &Device::Cpu).unwrap();
    assert!(max_abs_diff(&finish(own.picture(&darker).unwrap()), &a) > 0.1);
    // The luma that is painted goes on too, with each frame's own chroma.
    let config = NstConfig { keep_color: Some(KeepColour::Luma), ..config };
    let film = Series::film(&config, &small_vgg(), &style(), &first).unwrap();
    let before = Frame { content: first.clone(), painted: finish(film.picture(&first).unwrap()) };
    let transfer = film.frame(&before, &first).unwrap();
    assert!(max_abs_diff(&transfer.image().unwrap(), &before.painted) < 0.02);
}

#[test]
fn a_frames_state_can_be_restored() {
    let film = Series::film(&config(), &small_vgg(), &style(), &view(0)).unwrap();
    let before = Frame { content: view(0), painted: finish(film.picture(&view(0)).unwrap()) };
    let mut whole = film.frame(&before, &view(2)).unwrap();
    for _ in 0..3 {
        whole.step().unwrap();
    }
    let state = whole.state().unwrap();
    let rest = film.restore(&state, &view(2)).unwrap();
    assert_bitwise(&finish(rest), &finish(whole), "restored");
    let mut damaged = state.clone();
    damaged.tensors.insert("known".to_string(), noise_picture(3, 3, 1));
    let error = film.restore(&damaged, &view(2)).unwrap_err().to_string();
    assert!(error.contains("state") && error.contains("known"), "{error}");
}

#[test]
fn frames_of_other_sizes_are_refused() {
    let film = Series::film(&config(), &small_vgg(), &style(), &view(0)).unwrap();
    let before = Frame { content: view(0), painted: view(0) };
    let error = film.frame(&before, &noise_picture(40, 48, 1)).unwrap_err().to_string();
    assert!(error.contains("one size") && error.contains("40"), "{error}");
    for config in [
        NstConfig { temporal_weight: -1.0, ..config() },
        NstConfig { frame_steps: 0, ..config() },
        NstConfig { frame_learning_rate: 0.0, ..config() },
    ] {
        assert!(Series::film(&config, &small_vgg(), &style(), &view(0)).is_err());
    }
    // Of another size than what was painted is no matter.
    let before = Frame { content: view(0), painted: noise_picture(20, 20, 1) };
    assert_eq!(finish(film.frame(&before, &view(1)).unwrap()).dims(), [3, 48, 48]);
}
