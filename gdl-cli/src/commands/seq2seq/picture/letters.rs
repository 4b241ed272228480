//! Letters of 8 x 8 dots.

use font8x8::legacy::{BASIC_LEGACY, GREEK_LEGACY, HIRAGANA_LEGACY, LATIN_LEGACY};

/// Dots of a letter along each side.
pub(crate) const SIDE: usize = 8;

/// Rows from above; the lowest bit of each is its leftmost dot.
pub(crate) type Letter = [u8; SIDE];

/// What stands for a character that there is no letter for.
pub(super) const HOLLOW: Letter = [0x00, 0x7e, 0x42, 0x42, 0x42, 0x42, 0x7e, 0x00];

/// The letters of a text. Accents that stand as characters of their own are left out.
pub(crate) fn letters(text: &str) -> Vec<Letter> {
    let mut out = Vec::new();
    for c in text.chars() {
        match c {
            '\u{300}'..='\u{36f}' => {}
            'œ' => out.extend([letter('o'), letter('e')]),
            'Œ' => out.extend([letter('O'), letter('E')]),
            c => out.push(letter(c)),
        }
    }
    out
}

fn letter(c: char) -> Letter {
    let of = |table: &[Letter], first: u32| table.get((c as u32 - first) as usize).copied();
    let known = match c {
        // What printed texts have, and the font has not.
        '‘' | '’' => return letter('\''),
        '“' | '”' => return letter('"'),
        '‐'..='―' => return letter('-'),
        '…' => Some([0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xdb, 0x00]),
        // What the map shows for white space and for nothing.
        '␣' => Some([0x00, 0x00, 0x00, 0x00, 0x00, 0x42, 0x7e, 0x00]),
        '↵' => Some([0x40, 0x40, 0x44, 0x46, 0x7f, 0x06, 0x04, 0x00]),
        '⇥' => Some([0x00, 0x88, 0x98, 0xbf, 0x98, 0x88, 0x00, 0x00]),
        '∅' => Some([0x40, 0x3c, 0x66, 0x5a, 0x5a, 0x66, 0x3c, 0x02]),
        ' '..='~' => of(&BASIC_LEGACY, 0),
        // Without those that leave the place blank: the space that does not break and the soft hyphen.
        '¡'..='ÿ' if c != '\u{ad}' => of(&LATIN_LEGACY, 0xa0),
        'ΐ'..='ω' if c != '\u{3a2}' => of(&GREEK_LEGACY, 0x390),
        'ぁ'..='ゔ' => of(&HIRAGANA_LEGACY, 0x3040),
        _ => None,
    };
    known.unwrap_or(HOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_latin_1_has_its_own_letter() {
        let (mut seen, mut alike) = (std::collections::HashMap::new(), Vec::new());
        for c in ('!'..='~').chain('¡'..='ÿ').filter(|&c| c != '\u{ad}') {
            let dots = letter(c);
            assert!(dots != HOLLOW && dots != [0; SIDE], "{c}");
            if let Some(other) = seen.insert(dots, c) {
                alike.push((other, c));
            }
        }
        // The font draws these alike.
        assert_eq!(alike, [('|', '¦'), ('°', 'º')]);
    }

    #[test]
    fn e_acute_is_an_e_under_an_accent_the_right_way_round() {
        let picture: Vec<String> = letter('é')
            .iter()
            .map(|row| (0..SIDE).map(|x| if row >> x & 1 == 1 { '#' } else { '.' }).collect())
            .collect();
        let drawn =
            ["...###..", "........", ".####...", "##..##..", "######..", "##......", ".####...", "........"];
        assert_eq!(picture, drawn);
    }

    #[test]
    fn what_has_no_letter_is_a_box_or_what_it_stands_for() {
        assert_eq!(letters("日\u{a0}\u{7}😀"), [HOLLOW; 4]);
        assert_eq!(letters("cœur’s"), letters("coeur's"));
        assert_eq!(letters("e\u{301}"), letters("e"));
        assert!(letters("␣…↵⇥∅αωあん").iter().all(|&dots| dots != HOLLOW && dots != [0; SIDE]));
        assert_eq!(letters(""), Vec::<Letter>::new());
    }
}
