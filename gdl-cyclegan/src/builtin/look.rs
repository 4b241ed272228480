use super::Domain;
use gdl_image_io::draw::{Rgb, hex, ramp, smoothstep};

/// What a pixel belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Sky,
    Sun,
    Cloud,
    Mountain,
    Snow,
    FarHill,
    MiddleHill,
    NearHill,
    Water,
    Path,
    Wall,
    Roof,
    Door,
    Window,
    Trunk,
    RoundLeaves,
    PoplarLeaves,
    FirLeaves,
}

/// The ink of B's outlines.
pub(super) const INK: Rgb = hex(0x1b1430);

/// The colour of a class at a value of its texture.
pub(super) fn color(domain: Domain, class: Class, t: f32) -> Rgb {
    match domain {
        Domain::A => ramp(&noon(class), t),
        Domain::B => ramp(&evening(class), bands(t, if class == Class::Sky { 7.0 } else { 3.0 })),
    }
}

/// Steps with soft edges, as of so many printing blocks.
fn bands(t: f32, n: f32) -> f32 {
    let place = t * (n - 1.0);
    (place.floor() + smoothstep(0.35, 0.65, place.fract())) / (n - 1.0)
}

fn noon(class: Class) -> [Rgb; 3] {
    match class {
        Class::Sky => [hex(0x3f97e0), hex(0x86c3f2), hex(0xd9f0fb)],
        Class::Sun => [hex(0xfffbd6), hex(0xfff09a), hex(0xffe271)],
        Class::Cloud => [hex(0xffffff), hex(0xf7fafd), hex(0xd5e3f0)],
        Class::Mountain => [hex(0xa9bdd6), hex(0x8fa6c4), hex(0x7890b1)],
        Class::Snow => [hex(0xffffff), hex(0xf2f6fb), hex(0xd6e2f0)],
        Class::FarHill => [hex(0x8fc48a), hex(0x9dcd90), hex(0xaed79a)],
        Class::MiddleHill => [hex(0x74b556), hex(0x84c05d), hex(0x98cc66)],
        Class::NearHill => [hex(0x5fa53f), hex(0x72b346), hex(0x8ac352)],
        Class::Water => [hex(0x3d8fd0), hex(0x5ba8e0), hex(0x8cc8f0)],
        Class::Path => [hex(0xdcc48e), hex(0xe6d1a0), hex(0xefdfb6)],
        Class::Wall => [hex(0xfdf5e2), hex(0xf6e9cb), hex(0xe9d7b2)],
        Class::Roof => [hex(0xe06a4c), hex(0xd2543b), hex(0xbb4330)],
        Class::Door => [hex(0x7a5236), hex(0x6e482f), hex(0x623f29)],
        Class::Window => [hex(0x3f5f86), hex(0x4d6f97), hex(0x5f83aa)],
        Class::Trunk => [hex(0x8a6242), hex(0x7a5438), hex(0x66452d)],
        Class::RoundLeaves => [hex(0x5fae4a), hex(0x479a3f), hex(0x338234)],
        Class::PoplarLeaves => [hex(0x86b83e), hex(0x6ea435), hex(0x588c2c)],
        Class::FirLeaves => [hex(0x3d8a5c), hex(0x2f774f), hex(0x226342)],
    }
}

fn evening(class: Class) -> [Rgb; 3] {
    match class {
        Class::Sky => [hex(0x5b2f6e), hex(0xdd5a62), hex(0xffc065)],
        Class::Sun => [hex(0xfff6dc), hex(0xfff0c4), hex(0xffe6a6)],
        Class::Cloud => [hex(0xf49a86), hex(0xb3658c), hex(0x79437f)],
        Class::Mountain => [hex(0xb06a92), hex(0x7a4c86), hex(0x4c3268)],
        Class::Snow => [hex(0xffd0b0), hex(0xf0a8a4), hex(0xa876a4)],
        Class::FarHill => [hex(0x3f5a7c), hex(0x54758f), hex(0x7595a0)],
        Class::MiddleHill => [hex(0x1f4a60), hex(0x2f6674), hex(0x55908c)],
        Class::NearHill => [hex(0x10303f), hex(0x1d4a57), hex(0x3b7573)],
        Class::Water => [hex(0xa84a6c), hex(0xe8806a), hex(0xffc878)],
        Class::Path => [hex(0x9c6a70), hex(0xb98580), hex(0xd8a690)],
        Class::Wall => [hex(0xc7a6b8), hex(0xa383a6), hex(0x7d628c)],
        Class::Roof => [hex(0x5a3a62), hex(0x40284e), hex(0x2b1a3c)],
        Class::Door => [hex(0x3a2038), hex(0x321b33), hex(0x2a162d)],
        Class::Window => [hex(0xffe37a), hex(0xffd75c), hex(0xffc83f)],
        Class::Trunk => [hex(0x3a2434), hex(0x2e1b2d), hex(0x231426)],
        Class::RoundLeaves => [hex(0xffa23a), hex(0xe9672c), hex(0xb63a2c)],
        Class::PoplarLeaves => [hex(0xffd04a), hex(0xeda52f), hex(0xc27728)],
        Class::FirLeaves => [hex(0xc2485a), hex(0x93304e), hex(0x661f40)],
    }
}
