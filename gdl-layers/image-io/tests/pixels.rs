//! Resampling, cropping, ranges and grids.
#![allow(clippy::unwrap_used, missing_docs)]

use candle_core::{Device, Tensor};
use gdl_image_io::*;
use gdl_kernels::rng::Rng;

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// The picture of the PyTorch figures below: ((7 i^2 + 3 i) mod 23) / 23 over 5 x 7.
fn small() -> Tensor {
    let v: Vec<f32> = (0..35).map(|i| ((7 * i * i + 3 * i) % 23) as f32 / 23.0).collect();
    Tensor::from_vec(v, (1, 5, 7), &Device::Cpu).unwrap()
}

#[test]
fn resampling_agrees_with_pytorch() {
    // torch.nn.functional.interpolate(x, size, mode=..., antialias=True).clamp(x.min(), x.max())
    #[rustfmt::skip]
    #[allow(clippy::excessive_precision, clippy::type_complexity)]
    let cases: [(Filter, usize, usize, &[f32], f32, f32); 4] = [
        (Filter::Triangle, 3, 4, &[0.417628, 0.530186, 0.347329, 0.402248, 0.525190, 0.274783, 0.523672, 0.327582, 0.528246, 0.480497, 0.583354, 0.403135], 5.34385, 2.48356),
        (Filter::Triangle, 8, 10, &[0.000000, 0.239130, 0.445652, 0.476087, 0.252174, 0.221739, 0.384783, 0.293478, 0.476087, 0.739130, 0.361413, 0.422690], 35.90000, 19.18844),
        (Filter::CatmullRom, 3, 4, &[0.411088, 0.557579, 0.334116, 0.406179, 0.555270, 0.235172, 0.538922, 0.301952, 0.526499, 0.462815, 0.600111, 0.398615], 5.32832, 2.51217),
        (Filter::CatmullRom, 8, 10, &[0.000000, 0.198910, 0.476447, 0.461376, 0.180198, 0.164672, 0.402874, 0.251785, 0.490204, 0.815119, 0.335782, 0.400973], 35.87213, 20.17574),
    ];
    for (filter, h, w, start, sum, squares) in cases {
        let y = values(&resize(&small(), h, w, filter).unwrap());
        for (a, b) in y.iter().zip(start) {
            assert!((a - b).abs() < 2e-6, "{filter:?} {h}x{w}: {a} {b}");
        }
        assert!((y.iter().sum::<f32>() - sum).abs() < 1e-4, "{filter:?}");
        assert!((y.iter().map(|v| v * v).sum::<f32>() - squares).abs() < 1e-4, "{filter:?}");
    }
}

#[test]
fn a_flat_picture_stays_flat_under_every_filter() {
    let x = Tensor::full(-0.7f32, (3, 5, 9), &Device::Cpu).unwrap();
    for filter in [Filter::Box, Filter::Triangle, Filter::CatmullRom, Filter::Lanczos3] {
        for (h, w) in [(1, 1), (2, 3), (5, 20), (31, 4)] {
            let y = resize(&x, h, w, filter).unwrap();
            assert_eq!(y.dims(), [3, h, w]);
            assert!(values(&y).iter().all(|v| (v + 0.7).abs() < 1e-6), "{filter:?}");
        }
    }
}

#[test]
fn halving_with_a_box_is_the_mean_of_four() {
    let x = Tensor::new(&[[[1f32, 2.0, 5.0, 7.0], [3.0, 6.0, 8.0, 8.0]]], &Device::Cpu).unwrap();
    assert_eq!(values(&resize(&x, 1, 2, Filter::Box).unwrap()), [3.0, 7.0]);
}

#[test]
fn sides() {
    let x = Tensor::zeros((3, 30, 70), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(resize_shorter_side(&x, 15, Filter::Triangle).unwrap().dims(), [3, 15, 35]);
    assert_eq!(resize_longer_side(&x, 35, Filter::Triangle).unwrap().dims(), [3, 15, 35]);
    let line = Tensor::zeros((3, 1, 500), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(resize_longer_side(&line, 10, Filter::Triangle).unwrap().dims(), [3, 1, 10]);
    assert!(resize_longer_side(&x, 0, Filter::Triangle).is_err());
}

#[test]
fn crops_and_flips() {
    let x = small();
    assert_eq!(values(&flip_horizontal(&flip_horizontal(&x).unwrap()).unwrap()), values(&x));
    assert_eq!(values(&flip_horizontal(&x).unwrap())[0], values(&x)[6]);
    let c = center_crop(&x, 3, 3).unwrap();
    assert_eq!(values(&c), values(&crop(&x, 1, 2, 3, 3).unwrap()));
    assert!(center_crop(&x, 6, 3).is_err() && crop(&x, 3, 0, 3, 3).is_err());

    let mut seen = std::collections::BTreeSet::new();
    let mut rng = Rng::seed(1);
    for _ in 0..200 {
        let y = random_crop(&x, 3, 5, &mut rng).unwrap();
        seen.insert(values(&y)[..2].iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }
    assert_eq!(seen.len(), 9, "every place is drawn");
    assert!(random_crop(&x, 9, 9, &mut rng).is_err());
}

#[test]
fn preprocessing_gives_the_size_it_says() {
    for (h, w) in [(40, 60), (10, 9), (33, 1)] {
        let x = Tensor::zeros((3, h, w), candle_core::DType::F32, &Device::Cpu).unwrap();
        for p in [Preprocess::ResizeAndCrop, Preprocess::Crop, Preprocess::ScaleWidthAndCrop] {
            let y = p.apply(&x, 36, 32, true, &mut Rng::seed(3)).unwrap();
            assert_eq!(y.dims(), [3, 32, 32], "{p:?}");
        }
        let y = Preprocess::ScaleWidth.apply(&x, 36, 8, true, &mut Rng::seed(3)).unwrap();
        assert_eq!(y.dims()[2], 36);
        let y = Preprocess::None.apply(&x, 36, 8, false, &mut Rng::seed(3)).unwrap();
        assert!(y.dims()[1].is_multiple_of(4) && y.dims()[2].is_multiple_of(4) && y.dims()[2] > 0);
    }
    let draw = || {
        let x = resize(&small(), 40, 40, Filter::Triangle).unwrap();
        values(&Preprocess::default().apply(&x, 36, 32, true, &mut Rng::seed(9)).unwrap())
    };
    assert_eq!(draw(), draw(), "the same generator gives the same crop");
}

#[test]
fn ranges_are_inverses() {
    let x = Tensor::new(&[[[0f32, 0.25, 1.0]]], &Device::Cpu).unwrap();
    assert_eq!(values(&Range::Symmetric.from_unit(&x).unwrap()), [-1.0, -0.5, 1.0]);
    for r in [Range::Unit, Range::Symmetric] {
        assert_eq!(values(&r.to_unit(&r.from_unit(&x).unwrap()).unwrap()), values(&x));
    }
}

#[test]
fn grids_place_pictures() {
    let dark = Tensor::zeros((3, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    let grey = Tensor::full(0.5f32, (1, 4, 2), &Device::Cpu).unwrap();
    let sheet = grid(&[vec![dark.clone(), grey], vec![dark]], 1).unwrap();
    assert_eq!(sheet.dims(), [3, 1 + 4 + 1 + 2 + 1, 1 + 2 + 1 + 2 + 1]);
    let v = sheet.to_vec3::<f32>().unwrap();
    assert_eq!(v[0][0], vec![1.0; 7]);
    assert_eq!(v[2][1], [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 1.0]);
    assert_eq!(v[1][2], [1.0, 0.0, 0.0, 1.0, 0.5, 0.5, 1.0]);
    assert_eq!(v[1][6], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    assert!(grid(&[], 1).is_err() && grid(&[vec![]], 1).is_err());
}

#[cfg(feature = "draw")]
#[test]
fn drawing_covers_what_it_should() {
    use gdl_image_io::draw::*;
    let mut canvas = Canvas::new(20, 40, 20.0, [1.0; 3]);
    canvas.fill(&Shape::rect(0.5, 0.25, 1.0, 0.5), flat([0.0; 3]));
    let v = canvas.to_tensor().unwrap().to_vec3::<f32>().unwrap();
    let dark: f32 = v[0].iter().flatten().map(|v| 1.0 - v).sum();
    assert!((dark - 200.0).abs() < 0.5, "{dark}");
    // Half a pixel is half covered; shapes beyond the edge are cut, empty ones draw nothing.
    canvas.fill(&Shape::rect(-5.0, 0.0, 20.0, 0.025), flat([0.0; 3]));
    let v = canvas.to_tensor().unwrap().to_vec3::<f32>().unwrap();
    assert!(v[0][0].iter().all(|v| (v - 0.5).abs() < 0.1), "{:?}", v[0][0]);
    let before = canvas.to_tensor().unwrap();
    canvas.fill(&Shape::polygon(&[]), flat([0.0; 3]));
    canvas.stroke(&Shape::curve(&[(9.0, 9.0), (10.0, 9.0), (11.0, 9.5)]), 0.1, flat([0.0; 3]));
    canvas.fill(&Shape::ellipse(0.5, f32::NAN, 1.0, 1.0), flat([0.0; 3]));
    assert_eq!(values(&before), values(&canvas.to_tensor().unwrap()));
    assert_eq!(hsv(1.0 / 3.0, 1.0, 1.0), [0.0, 1.0, 0.0]);
    assert_eq!(ramp(&[[0.0; 3], [1.0; 3]], 0.25), [0.25; 3]);
    assert!((0..1000).all(|i| (0.0..=1.0).contains(&fbm(3, i as f32 * 0.37 - 50.0, i as f32 * -0.11, 4))));
}
