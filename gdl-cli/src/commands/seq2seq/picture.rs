//! The picture of an attention map.

mod letters;

use gdl_text::{AttentionMap, attention_map::visible};
use letters::{Letter, SIDE, letters};

/// Pixels in rows from above, three bytes each: red, green, blue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgb: Vec<u8>,
}

type Rgb = [u8; 3];

const PAPER: Rgb = [255, 255, 255];
/// The colour of weight 1; that of 0 is the paper's.
const INK: Rgb = [8, 48, 107];
const TEXT: Rgb = [26, 26, 26];
const GRID: Rgb = [221, 221, 221];
const BORDER: Rgb = [90, 90, 90];
/// The strongest cell of each row, and words that were copied.
const MARK: Rgb = [232, 89, 12];

/// Pixels around everything, and between words and cells.
const MARGIN: usize = 10;
/// Letters of a word that are shown; of longer ones the last is an ellipsis.
const LONGEST: usize = 18;
/// Pixels along the longer side of the matrix, beyond which the cells become smaller.
const MOST: usize = 16_384;

/// Draws a map: target words to the left of their rows, source words above their columns and written upwards, the darker a
/// cell the greater its weight, the strongest of each row framed. Words that were copied are in the colour of the frames.
///
/// `cell` is the side of a cell in pixels, in 1..=256 (nearer the bound if outside). Cells of 18 and more have words with
/// two pixels to a dot, of 9 and more with one; below, words are left out. A matrix of more than 16384 pixels gets smaller
/// cells, down to one pixel.
pub(crate) fn picture(map: &AttentionMap, cell: usize) -> Picture {
    let (rows, columns) = (map.target().len(), map.source().len());
    let cell = cell.clamp(1, 256).min(MOST / rows.max(columns).max(1)).max(1);
    let dot = (cell / (SIDE + 1)).min(2);
    let words = |tokens: &[String]| -> Vec<Vec<Letter>> {
        if dot == 0 {
            Vec::new()
        } else {
            tokens.iter().map(|token| short(letters(&visible(token)))).collect()
        }
    };
    let (targets, sources) = (words(map.target()), words(map.source()));

    let room = |words: &[Vec<Letter>]| match words.iter().map(Vec::len).max() {
        Some(longest) => MARGIN + longest * SIDE * dot,
        None => 0,
    };
    let (left, top) = (MARGIN + room(&targets), MARGIN + room(&sources));
    // A line of the grid before each cell, and one after the last.
    let (wide, high) = (columns * cell + 1, rows * cell + 1);
    let mut canvas = Canvas::new(left + wide + MARGIN, top + high + MARGIN);

    let centred = (cell + 1).saturating_sub(SIDE * dot).div_ceil(2);
    for (i, word) in targets.iter().enumerate() {
        let x = left.saturating_sub(MARGIN - 2 + word.len() * SIDE * dot);
        let color = if map.was_copied(i) { MARK } else { TEXT };
        canvas.write(word, (x, top + i * cell + centred), dot, color, false);
    }
    // Between words a character is read more easily upright.
    for (j, word) in sources.iter().enumerate() {
        let upright = map.is_of_characters() && word.len() == 1;
        let y = top.saturating_sub(MARGIN - 2 + if upright { SIDE * dot } else { 0 });
        canvas.write(word, (left + j * cell + centred, y), dot, TEXT, !upright);
    }
    draw_matrix(&mut canvas, map, (left, top), cell);
    canvas.frame((left - 1, top - 1), (wide + 2, high + 2), 1, BORDER);
    canvas.picture
}

fn draw_matrix(canvas: &mut Canvas, map: &AttentionMap, (left, top): (usize, usize), cell: usize) {
    // Small cells have no room for lines.
    let line = usize::from(cell >= 4);
    let (wide, high) = (map.source().len() * cell + 1, map.target().len() * cell + 1);
    if line > 0 {
        canvas.fill((left, top), (wide, high), GRID);
    }
    for (i, row) in map.weights().iter().enumerate() {
        let strongest = map.strongest(i);
        for (j, &weight) in row.iter().enumerate() {
            let (corner, side) = ((left + j * cell + line, top + i * cell + line), cell - line);
            canvas.fill(corner, (side, side), shade(weight));
            if strongest == Some(j) && cell >= 9 {
                canvas.frame(corner, (side, side), 1 + usize::from(cell >= 18), MARK);
            }
        }
    }
}

/// The colour of a weight: from white to dark blue, in proportion.
fn shade(weight: f32) -> Rgb {
    let weight = weight.clamp(0.0, 1.0);
    std::array::from_fn(|i| {
        let (paper, ink) = (f32::from(PAPER[i]), f32::from(INK[i]));
        (paper + (ink - paper) * weight).round() as u8
    })
}

/// A word that is not too long.
fn short(mut word: Vec<Letter>) -> Vec<Letter> {
    if word.len() > LONGEST {
        word.truncate(LONGEST - 1);
        word.extend(letters("…"));
    }
    word
}

/// A picture being drawn; what would fall outside is left out.
struct Canvas {
    picture: Picture,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        let rgb = PAPER.repeat(width * height);
        Self { picture: Picture { width, height, rgb } }
    }

    fn fill(&mut self, (x, y): (usize, usize), (wide, high): (usize, usize), color: Rgb) {
        let Picture { width, height, rgb } = &mut self.picture;
        let (x, right) = (x.min(*width), x.saturating_add(wide).min(*width));
        for y in y..y.saturating_add(high).min(*height) {
            if let Some(row) = rgb.get_mut((y * *width + x) * 3..(y * *width + right) * 3) {
                row.as_chunks_mut().0.fill(color);
            }
        }
    }

    /// The edge of a rectangle, inside it.
    fn frame(&mut self, (x, y): (usize, usize), (wide, high): (usize, usize), thick: usize, color: Rgb) {
        let (right, bottom) = ((x + wide).saturating_sub(thick), (y + high).saturating_sub(thick));
        self.fill((x, y), (wide, thick), color);
        self.fill((x, bottom), (wide, thick), color);
        self.fill((x, y), (thick, high), color);
        self.fill((right, y), (thick, high), color);
    }

    /// Letters from a corner: the upper left, to the right; or upwards, from the lower left of what they then cover.
    fn write(&mut self, word: &[Letter], (x, y): (usize, usize), dot: usize, color: Rgb, upwards: bool) {
        for (k, letter) in word.iter().enumerate() {
            for (down, bits) in letter.iter().enumerate() {
                for along in (0..SIDE).filter(|along| bits >> along & 1 == 1) {
                    let (along, down) = ((k * SIDE + along) * dot, down * dot);
                    let corner = match upwards {
                        true => (x + down, y.saturating_sub(along + dot)),
                        false => (x + along, y + down),
                    };
                    self.fill(corner, (dot, dot), color);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(
        source: &[&str],
        target: &[&str],
        weights: Vec<Vec<f32>>,
        copied: Option<Vec<f32>>,
    ) -> AttentionMap {
        let owned = |tokens: &[&str]| tokens.iter().map(|t| t.to_string()).collect();
        AttentionMap::new(owned(source), owned(target), weights, copied).unwrap()
    }

    fn at(picture: &Picture, x: usize, y: usize) -> Rgb {
        let start = (y * picture.width + x) * 3;
        picture.rgb[start..start + 3].try_into().unwrap()
    }

    #[test]
    fn sizes_are_margins_words_and_cells() {
        let map = map(&["ab", "c"], &["xyz"], vec![vec![0.5, 0.5]], None);
        let size = |cell| {
            let drawn = picture(&map, cell);
            assert_eq!(drawn.rgb.len(), drawn.width * drawn.height * 3);
            (drawn.width, drawn.height)
        };
        // Words of three and of two letters with two pixels to a dot, with one, and left out.
        assert_eq!(size(24), (10 + 10 + 48 + 49 + 10, 10 + 10 + 32 + 25 + 10));
        assert_eq!(size(9), (10 + 10 + 24 + 19 + 10, 10 + 10 + 16 + 10 + 10));
        assert_eq!(size(8), (10 + 17 + 10, 10 + 9 + 10));
        assert_eq!((size(0), size(usize::MAX)), (size(1), size(256)));
    }

    #[test]
    fn the_greater_a_weight_the_darker_its_cell() {
        let rows = (0..=20).map(|i| vec![i as f32 / 20.0]).collect();
        let drawn = picture(&map(&["s"], &["t"; 21], rows, None), 20);
        let (left, top) = (10 + 10 + 16, 10 + 10 + 16);
        let colors: Vec<Rgb> = (0..=20).map(|i| at(&drawn, left + 10, top + i * 20 + 10)).collect();
        assert_eq!((colors[0], colors[20]), (PAPER, INK));
        for pair in colors.windows(2) {
            assert!((0..3).all(|c| pair[1][c] < pair[0][c]), "{pair:?}");
        }
    }

    #[test]
    fn the_strongest_of_each_row_is_framed_and_no_other() {
        let weights = vec![vec![0.2, 0.8, 0.0], vec![0.6, 0.0, 0.4], vec![0.0; 3]];
        let drawn = picture(&map(&["a", "b", "c"], &["x", "y", "z"], weights, None), 20);
        let corner = |i: usize, j: usize| at(&drawn, 36 + j * 20 + 1, 36 + i * 20 + 1);
        let framed = |i| [0, 1, 2].map(|j| corner(i, j) == MARK);
        let wanted = [[false, true, false], [true, false, false], [false; 3]];
        assert_eq!([0, 1, 2].map(framed), wanted);
        assert_eq!((at(&drawn, 35, 35), at(&drawn, 36, 36)), (BORDER, GRID));
    }

    #[test]
    fn source_words_are_written_upwards_and_target_words_to_the_right() {
        // An L has its stroke at the left and its foot below; turned, the stroke is below and the foot at the right.
        let drawn = picture(&map(&["LL"], &["LL"], vec![vec![0.0]], None), 18);
        let (left, top) = (10 + 10 + 32, 10 + 10 + 32);
        let dark = |x: std::ops::Range<usize>, y: std::ops::Range<usize>| {
            y.flat_map(|y| x.clone().map(move |x| (x, y))).filter(|&(x, y)| at(&drawn, x, y) == TEXT).count()
        };
        let (beside, above) = (dark(0..left - 1, top..top + 18), dark(left..left + 18, 0..top - 1));
        assert_eq!(beside, above);
        // The last letter, each half of it: the foot has more dots than the stroke.
        let x = left - 8 - 16;
        assert!(dark(x..x + 16, top + 10..top + 18) > dark(x..x + 16, top..top + 10));
        let y = top - 8 - 32;
        assert!(dark(left + 10..left + 18, y..y + 16) > dark(left..left + 10, y..y + 16));
    }

    #[test]
    fn long_words_are_cut_and_copied_ones_stand_out() {
        let long = "a".repeat(1000);
        let drawn = picture(&map(&["s"], &[&long], vec![vec![1.0]], Some(vec![0.9])), 18);
        assert_eq!(drawn.width, 10 + 10 + 18 * 16 + 19 + 10);
        let words = |color| (0..drawn.height).any(|y| (0..300).any(|x| at(&drawn, x, y) == color));
        assert!(words(MARK) && !words(TEXT));
    }

    #[test]
    fn nothing_odd_upsets_it() {
        let odd = ["", " ", "\u{0}", "日本語", "😀‍👩", "e\u{301}", "\u{202e}abc", &"é".repeat(5000)];
        let n = odd.len();
        for cell in [0, 1, 3, 8, 9, 17, 18, 100] {
            picture(&map(&odd, &odd, vec![vec![0.125; n]; n], None), cell);
            picture(&map(&[], &odd, vec![vec![]; n], None), cell);
            picture(&map(&odd, &[], vec![], Some(vec![])), cell);
            picture(&map(&[], &[], vec![], None), cell);
        }
        let wide = picture(&map(&["w"; 20_000], &["t"], vec![vec![0.0; 20_000]], None), 100);
        assert_eq!((wide.width, wide.height), (10 + 20_001 + 10, 10 + 2 + 10));
    }

    #[test]
    fn the_pixels_of_a_small_map_stay_what_they_are() {
        let weights = vec![vec![0.9, 0.05, 0.05], vec![0.1, 0.3, 0.6]];
        let drawn = picture(&map(&["été", "d’", "œuf"], &["egg", "␣…"], weights, Some(vec![0.1, 0.7])), 20);
        // FNV-1a, 64 bits.
        let hash = drawn
            .rgb
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        assert_eq!((drawn.width, drawn.height, hash), (139, 135, 13_780_023_894_428_297_413));
    }
}
