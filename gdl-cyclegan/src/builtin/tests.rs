use super::*;

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn psnr(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (values(a), values(b));
    let mse = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64;
    -10.0 * mse.log10()
}

#[test]
fn the_same_scene_comes_out_the_same() {
    for domain in [Domain::A, Domain::B] {
        let draw = |seed, index| values(&Scene::new(seed, index).draw(domain, 32).unwrap());
        assert_eq!(draw(3, 5), draw(3, 5));
        assert_ne!(draw(3, 5), draw(3, 6));
        assert_ne!(draw(3, 5), draw(4, 5));
    }
}

#[test]
fn values_lie_in_range_at_any_size() {
    for size in [1, 2, 7, 33] {
        for index in 0..6 {
            for domain in [Domain::A, Domain::B] {
                let x = Scene::new(1, index).draw(domain, size).unwrap();
                assert_eq!(x.dims(), [3, size, size]);
                assert!(values(&x).iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
    }
    assert!(Scene::new(1, 0).draw(Domain::A, 0).is_err());
}

#[test]
fn a_size_is_the_same_picture_as_another() {
    use gdl_image_io::{Filter, resize};
    let scene = Scene::new(2, 9);
    let small = scene.draw(Domain::A, 32).unwrap();
    let large = resize(&scene.draw(Domain::A, 96).unwrap(), 32, 32, Filter::Box).unwrap();
    assert!(psnr(&small, &large) > 30.0, "{}", psnr(&small, &large));
}

/// What scoring rests on: doing nothing is far from the truth, for every scene, and so is answering with another scene's
/// truth: a translator has to look at its input.
#[test]
fn doing_nothing_scores_low_and_scenes_differ() {
    let a = builtin_set(Domain::A, Split::Test, 24, 48, 11).unwrap();
    let b = builtin_truth(Domain::A, Split::Test, 24, 48, 11).unwrap();
    let nothing: Vec<f64> = a.iter().zip(&b).map(|(a, b)| psnr(a, b)).collect();
    assert!(nothing.iter().all(|p| (7.0..11.0).contains(p)), "{nothing:?}");
    let others: Vec<f64> = (1..24).map(|i| psnr(&b[i], &b[i - 1])).collect();
    assert!(others.iter().all(|p| *p < 17.0), "{others:?}");
}

#[test]
fn training_sets_are_unpaired_and_splits_apart() {
    let mut seen = std::collections::BTreeSet::new();
    for domain in [Domain::A, Domain::B] {
        for split in [Split::Train, Split::Test] {
            assert!((0..1000).all(|i| seen.insert(scene_index(domain, split, i))));
        }
    }
    let b = builtin_set(Domain::B, Split::Train, 3, 16, 1).unwrap();
    let back = builtin_truth(Domain::A, Split::Train, 3, 16, 1).unwrap();
    assert!(b.iter().zip(&back).all(|(x, y)| values(x) != values(y)));
}

#[test]
fn domains_have_names() {
    assert_eq!("A".parse(), Ok(Domain::A));
    assert_eq!("b".parse::<Domain>().map(Domain::other), Ok(Domain::A));
    assert!("C".parse::<Domain>().unwrap_err().contains("'C'"));
}
