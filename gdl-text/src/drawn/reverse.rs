use super::{DrawnPart, choose};
use gdl_train::Rng;
use std::ops::RangeInclusive;

/// Lengths of the strings of [`Task::Reverse`](super::Task::Reverse).
pub const LENGTHS: RangeInclusive<usize> = 5..=30;

/// The lengths that only the test of [`Task::Reverse`](super::Task::Reverse) has: 12, 19 and 26, between
/// lengths that are learnt from.
pub const fn held_out_lengths() -> [usize; 3] {
    [12, 19, 26]
}

pub(super) fn row(part: DrawnPart, rng: &mut Rng) -> Option<(String, String)> {
    let held_out = held_out_lengths();
    let lengths: Vec<usize> =
        LENGTHS.filter(|length| part == DrawnPart::Test || !held_out.contains(length)).collect();
    let length = choose(rng, &lengths);
    let source: String = (0..length).map(|_| char::from(b'a' + rng.below(26) as u8)).collect();
    let target: String = source.chars().rev().collect();
    (part_of(&source, &target) == part).then_some((source, target))
}

/// The same for a string and its reverse.
pub(super) fn part_of(text: &str, reverse: &str) -> DrawnPart {
    DrawnPart::of(text.min(reverse))
}
