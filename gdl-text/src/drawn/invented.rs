//! Invented names of people, places and animals: some 16,000 of two syllables and a million of three.

use super::{DrawnPart, choose};
use gdl_train::Rng;

/// How names begin. Without f, g, p, w and z, and with the ends below, few are words of any kind.
const STARTS: [&str; 17] =
    ["b", "d", "h", "j", "k", "l", "m", "n", "r", "s", "t", "v", "br", "dr", "kr", "tr", "th"];
/// How their other syllables begin.
const CONSONANTS: [&str; 12] = ["b", "d", "h", "j", "k", "l", "m", "n", "r", "s", "t", "v"];
const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
/// What follows the last consonant: no e, or there were River and Water.
const ENDS: [&str; 16] =
    ["a", "an", "ar", "al", "i", "in", "ir", "il", "o", "on", "or", "ol", "u", "un", "ur", "ul"];

/// Draws a name of that part.
pub(super) fn name(part: DrawnPart, rng: &mut Rng) -> String {
    loop {
        let mut name = String::new();
        name.push_str(choose(rng, &STARTS));
        name.push_str(choose(rng, &VOWELS));
        if rng.chance(0.5) {
            name.push_str(choose(rng, &CONSONANTS));
            name.push_str(choose(rng, &VOWELS));
        }
        name.push_str(choose(rng, &CONSONANTS));
        name.push_str(choose(rng, &ENDS));
        let name: String = name[..1].to_uppercase() + &name[1..];
        if DrawnPart::of(&name) == part {
            return name;
        }
    }
}

/// Draws a name of that part that is none of those.
pub(super) fn another(part: DrawnPart, rng: &mut Rng, taken: &[String]) -> String {
    loop {
        let new = name(part, rng);
        if !taken.contains(&new) {
            return new;
        }
    }
}

/// Whether a word could have been drawn, but for its capital.
#[cfg(test)]
pub(super) fn is_possible(word: &str) -> bool {
    fn after<'w>(words: &[&'w str], starts: &[&str]) -> Vec<&'w str> {
        words.iter().flat_map(|word| starts.iter().filter_map(|start| word.strip_prefix(start))).collect()
    }
    let word = word.to_lowercase();
    let first = after(&after(&[&word], &STARTS), &VOWELS);
    let second = after(&after(&first, &CONSONANTS), &VOWELS);
    after(&[first, second].concat(), &CONSONANTS).iter().any(|rest| ENDS.contains(rest))
}
