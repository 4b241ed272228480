/// A number in [0, 1) that depends on a seed and a point of the integer lattice, and on nothing else.
pub fn hash(seed: u32, x: i32, y: i32) -> f32 {
    // The finaliser of MurmurHash3 over a mix of the three.
    let mut h = seed.wrapping_mul(0x9e37_79b9) ^ (x as u32).wrapping_mul(0x85eb_ca6b);
    h = h.rotate_left(13) ^ (y as u32).wrapping_mul(0xc2b2_ae35);
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    ((h ^ (h >> 16)) >> 8) as f32 / 16_777_216.0
}

/// Smooth value noise in [0, 1], with one random value per lattice point.
pub fn noise(seed: u32, x: f32, y: f32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let ease = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let (u, v) = (ease(x - fx), ease(y - fy));
    let line = |row: i32| {
        let (a, b) = (hash(seed, ix, row), hash(seed, ix.wrapping_add(1), row));
        a + (b - a) * u
    };
    let (top, bottom) = (line(iy), line(iy.wrapping_add(1)));
    top + (bottom - top) * v
}

/// Several octaves of [`noise`], each of half the size and half the weight; in [0, 1].
pub fn fbm(seed: u32, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut total, mut weight, mut zoom) = (0.0, 0.0, 1.0, 1.0);
    for octave in 0..octaves.max(1) {
        // Shifted, so that the lattices of the octaves do not coincide.
        let shift = octave as f32 * 17.3;
        sum += weight * noise(seed.wrapping_add(octave), x * zoom + shift, y * zoom - shift);
        total += weight;
        weight *= 0.5;
        zoom *= 2.0;
    }
    sum / total
}
