//! An invented language; its grammar is in the docs of [`Task::Inflection`](super::Task::Inflection).

mod cell;
mod sounds;
mod verbs;

use super::{DrawnPart, choose};
use cell::Cell;
use gdl_train::Rng;
use sounds::Word;
use verbs::{Class, IRREGULAR};

/// How often a verb is an irregular one.
const IRREGULAR_SHARE: f64 = 0.08;
const CONDITIONAL: &str = "lO";
const NEGATIVE: (&str, &str) = ("nA", "Ok");
/// By [`cell::PERSONS`].
const PERSON_ENDINGS: [&str; 6] = ["Um", "Ot", "", "mUn", "tAn", "Ar"];

pub(super) fn row(part: DrawnPart, rng: &mut Rng) -> Option<(String, String)> {
    let cell = Cell::nth(rng.below(Cell::COUNT));
    if rng.chance(IRREGULAR_SHARE) {
        let verb = choose(rng, &IRREGULAR);
        let source = format!("{}{cell}", verb.lemma);
        let fits = DrawnPart::of(&source) == part;
        return fits.then(|| (source, inflect(verb.stem(cell.tense), verb.class, cell)));
    }
    let (stem, class) = verbs::regular(rng);
    let lemma = class.lemma(&stem);
    (DrawnPart::of(&lemma) == part).then(|| (format!("{lemma}{cell}"), inflect(&stem, class, cell)))
}

/// A form of the verb with that stem.
fn inflect(stem: &str, class: Class, cell: Cell) -> String {
    let mut parts = vec![stem];
    if let Some(tense) = class.tense(cell.tense) {
        parts.push(tense);
        if cell.conditional {
            parts.push(CONDITIONAL);
        }
        parts.push(PERSON_ENDINGS[cell.person]);
    } else {
        parts.push(if cell.is_singular() { "bU" } else { "bUt" });
    }
    if cell.negative {
        parts.insert(0, NEGATIVE.0);
        parts.push(NEGATIVE.1);
    }
    let mut word = Word::in_harmony_with(stem);
    parts.into_iter().for_each(|part| word.join(part));
    word.finish()
}

#[cfg(test)]
mod tests;
