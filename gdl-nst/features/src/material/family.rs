use super::{grain, marks, tiles};
use crate::material::palette::range;
use gdl_kernels::rng::Rng;
use std::f32::consts::TAU;

/// What makes one texture of a family differ from another, besides place and colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grain {
    /// Seed of the noises.
    pub(super) seed: u32,
    /// Two numbers in [0, 1) for the family to use as it likes.
    pub(super) a: f32,
    pub(super) b: f32,
}

impl Grain {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        // Well below the top: families add to it.
        let seed = (rng.bits() >> 40) as u32;
        Self { seed, a: range(rng, 0.0, 1.0), b: range(rng, 0.0, 1.0) }
    }
}

/// What a texture is at one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// How light, about in [0, 1]: the place on the palette, unless there is a cell.
    pub(super) tone: f32,
    /// The number of the tile or stone that the place belongs to, in [0, 1): its place on the palette.
    pub(super) cell: Option<f32>,
}

pub(super) fn tone(tone: f32) -> Spot {
    Spot { tone, cell: None }
}

pub(super) fn cell(tone: f32, id: f32) -> Spot {
    Spot { tone, cell: Some(id) }
}

/// A sine of period 1 between 0 and 1.
pub(super) fn wave(x: f32) -> f32 {
    0.5 + 0.5 * (TAU * x).sin()
}

/// How a family is painted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    /// Point by point, in coordinates in which its features are about 1 apart.
    Field(fn(&Grain, f32, f32) -> Spot),
    /// Mark by mark on a canvas.
    Marks(fn(&mut marks::Sheet<'_>)),
}

/// A kind of texture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) paint: Paint,
}

macro_rules! families {
    (fields: $($module:ident::$field:ident)*; marks: $($mark:ident)*) => {
        &[
            $(Family { name: stringify!($field), paint: Paint::Field($module::$field) },)*
            $(Family { name: stringify!($mark), paint: Paint::Marks(marks::$mark) },)*
        ]
    };
}

/// All of them. Their order is their number as a class; new ones go to the end.
pub(super) const FAMILIES: &[Family] = families![
    fields:
        grain::clouds grain::mist grain::rough grain::ridges grain::smoke grain::marble grain::wood grain::fibres
        grain::fur grain::camouflage grain::contours grain::spots grain::rosettes grain::maze grain::speckle
        grain::plasma grain::ripples grain::caustics grain::stains grain::slope grain::glow grain::rings
        grain::spiral grain::rays grain::whirls
        tiles::stripes tiles::waves tiles::bars tiles::checks tiles::patchwork tiles::bricks tiles::planks
        tiles::hexagons tiles::dots tiles::polka tiles::hoops tiles::halftone tiles::crosses tiles::lattice
        tiles::weave tiles::basket tiles::herringbone tiles::zigzag tiles::plaid tiles::houndstooth tiles::scales
        tiles::triangles tiles::diamonds tiles::truchet tiles::cells tiles::distances tiles::glass tiles::cracks
        tiles::pebbles tiles::facets tiles::confetti;
    marks:
        strokes dabs impasto flow hatching crosshatching stipple scribbles curls leaves petals shards discs
        splatter bubbles knife lines script grass wash
];
