use super::Flow;
use candle_core::{Device, Tensor};
use gdl_image_io::draw::fbm;

/// A texture without repeats at any place of the plane.
fn texture(x: f32, y: f32) -> f32 {
    fbm(7, x / 24.0 + 50.0, y / 24.0 + 50.0, 4)
}

/// A picture of `h` x `w` whose pixels are what `value` gives for column and row.
fn drawn(h: usize, w: usize, value: impl Fn(f32, f32) -> f32) -> Tensor {
    let plane: Vec<f32> = (0..h * w).map(|i| value((i % w) as f32, (i / w) as f32)).collect();
    Tensor::from_vec(plane, (1, h, w), &Device::Cpu).unwrap().repeat((3, 1, 1)).unwrap()
}

/// The mean distance to the true move, over pixels at least `border` from the rim.
fn error(flow: &Flow, border: usize, truth: impl Fn(f32, f32) -> [f32; 2]) -> f64 {
    let (h, w) = flow.size();
    let (mut sum, mut n) = (0.0, 0.0);
    for y in border..h - border {
        for x in border..w - border {
            let ([a, b], [c, d]) = (flow.at(y, x).unwrap(), truth(x as f32, y as f32));
            sum += f64::from((a - c).hypot(b - d));
            n += 1.0;
        }
    }
    sum / n
}

#[test]
fn a_shift_is_found_however_far() {
    for [dx, dy] in [[0.0, 0.0], [0.4, -0.3], [3.0, -2.0], [11.0, 6.0]] {
        let (from, to) = (drawn(64, 80, texture), drawn(64, 80, |x, y| texture(x - dx, y - dy)));
        let off = error(&Flow::between(&from, &to).unwrap(), 14, |_, _| [dx, dy]);
        assert!(off < 0.1, "{dx} {dy}: {off}");
    }
}

#[test]
fn a_rotation_is_found() {
    let (sin, cos) = 0.06f32.sin_cos();
    // About the middle; where a pixel of the first picture has gone.
    let turned = |x: f32, y: f32, sin: f32| {
        let (x, y) = (x - 40.0, y - 32.0);
        [40.0 + cos * x - sin * y, 32.0 + sin * x + cos * y]
    };
    let to = drawn(64, 80, |x, y| {
        let [x, y] = turned(x, y, -sin);
        texture(x, y)
    });
    let flow = Flow::between(&drawn(64, 80, texture), &to).unwrap();
    let off = error(&flow, 6, |x, y| {
        let [tx, ty] = turned(x, y, sin);
        [tx - x, ty - y]
    });
    assert!(off < 0.15, "{off}");
}

#[test]
fn what_was_hidden_or_outside_is_unknown() {
    // A square of its own texture, which goes 6 to the right before a resting ground.
    let scene = |moved: f32| {
        drawn(64, 80, |x, y| {
            let inside = (24.0..48.0).contains(&(x - moved)) && (20.0..44.0).contains(&y);
            if inside { 0.3 + 0.7 * texture(x - moved + 300.0, y) } else { texture(x, y) }
        })
    };
    let (before, now) = (scene(0.0), scene(6.0));
    let (back, forth) = (Flow::between(&now, &before).unwrap(), Flow::between(&before, &now).unwrap());
    let known = back.known(&forth, &now, &before).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
    let part = |xs: std::ops::Range<usize>| {
        let n = (xs.len() * 16) as f32;
        (24..40).flat_map(|y| xs.clone().map(move |x| (y, x))).map(|(y, x)| known[y][x]).sum::<f32>() / n
    };
    let (uncovered, ground, square) = (part(25..29), part(4..18), part(36..48));
    assert!(uncovered < 0.3, "{uncovered}");
    assert!(ground > 0.95 && square > 0.9, "{ground} {square}");

    // All goes to the left: at the right there is something new.
    let (before, now) = (drawn(48, 64, texture), drawn(48, 64, |x, y| texture(x + 5.0, y)));
    let (back, forth) = (Flow::between(&now, &before).unwrap(), Flow::between(&before, &now).unwrap());
    let known = back.known(&forth, &now, &before).unwrap();
    let columns = known.mean(1).unwrap().squeeze(0).unwrap().to_vec1::<f32>().unwrap();
    assert!(columns[61..].iter().all(|c| *c < 0.1), "{columns:?}");
    assert!(columns[8..52].iter().sum::<f32>() > 0.95 * 44.0, "{columns:?}");
    // Two pictures that have nothing to do with one another.
    let other = drawn(48, 64, |x, y| 1.0 - texture(y + 500.0, x + 900.0));
    let (there, again) = (Flow::between(&now, &other).unwrap(), Flow::between(&other, &now).unwrap());
    let part = there.known(&again, &now, &other).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(part < 0.5, "{part}");
}

#[test]
fn warping_brings_back_what_moved() {
    let (from, to) = (drawn(48, 64, texture), drawn(48, 64, |x, y| texture(x - 2.5, y + 1.0)));
    let warped = Flow::between(&from, &to).unwrap().warp(&to).unwrap();
    let inner = |t: &Tensor| t.narrow(1, 6, 36).unwrap().narrow(2, 6, 50).unwrap();
    let off = |a: &Tensor, b: &Tensor| {
        (inner(a) - inner(b)).unwrap().abs().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap()
    };
    assert!(off(&warped, &from) < 0.1 * off(&to, &from), "{} {}", off(&warped, &from), off(&to, &from));
}

#[test]
fn small_pictures_and_wrong_ones() {
    for (h, w) in [(1, 1), (1, 7), (9, 2), (3, 40)] {
        let picture = drawn(h, w, texture);
        let flow = Flow::between(&picture, &picture).unwrap();
        assert_eq!((flow.size(), flow.at(h, 0), flow.at(0, 0).is_some()), ((h, w), None, true));
        let warped = flow.warp(&picture).unwrap();
        assert!(warped.to_vec3::<f32>().unwrap().concat().concat().iter().all(|v| v.is_finite()));
    }
    let (a, b) = (drawn(8, 9, texture), drawn(9, 8, texture));
    assert!(Flow::between(&a, &b).is_err());
    let flow = Flow::between(&a, &a).unwrap();
    assert!(flow.warp(&b).is_err() && flow.known(&flow, &a, &b).is_err());
    // NaN moves nothing out of the picture.
    let nan = (&a * f64::NAN).unwrap();
    assert!(Flow::between(&a, &nan).unwrap().warp(&a).is_ok());
}
