use super::cell::Tense;
use super::sounds::{BACK, FRONT, Word};
use crate::drawn::choose;
use gdl_train::Rng;

/// What a syllable of a regular stem begins with, what may stand behind its vowel, and what the stem ends
/// with.
const ONSETS: [&str; 13] = ["b", "d", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"];
const CODAS: [&str; 4] = ["l", "n", "r", "s"];
const FINALS: [&str; 10] = ["b", "d", "g", "k", "l", "m", "n", "p", "r", "t"];
// How often the first syllable begins with its vowel, how often one before the last is closed, and how often
// there are three.
const BARE: f64 = 0.15;
const CLOSED: f64 = 0.2;
const THREE: f64 = 0.4;

/// A conjugation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    First,
    Second,
    Third,
}

impl Class {
    pub(super) const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    /// The verb as a dictionary lists it. Nothing changes at its seam, so that the stem can be read from it.
    pub(super) fn lemma(self, stem: &str) -> String {
        let mut end = Word::in_harmony_with(stem);
        end.join(match self {
            Self::First => "mA",
            Self::Second => "rU",
            Self::Third => "sO",
        });
        format!("{stem}{}", end.finish())
    }

    /// The sign of a tense; the imperative has none.
    pub(super) fn tense(self, tense: Tense) -> Option<&'static str> {
        let [present, past, future] = match self {
            Self::First => ["A", "tA", "mOr"],
            Self::Second => ["U", "dU", "gAl"],
            Self::Third => ["", "sO", "lOn"],
        };
        match tense {
            Tense::Present => Some(present),
            Tense::Past => Some(past),
            Tense::Future => Some(future),
            Tense::Imperative => None,
        }
    }
}

/// A verb whose stem changes with the tense.
#[derive(Debug, Clone, Copy)]
pub(super) struct Irregular {
    pub(super) lemma: &'static str,
    pub(super) class: Class,
    present: &'static str,
    past: &'static str,
    future: &'static str,
}

/// All of them. In the dictionary they have two syllables, regular verbs three or four: none is both.
pub(super) const IRREGULAR: [Irregular; 12] = [
    irregular("toma", Class::First, ["es", "vol", "ned"]),
    irregular("keme", Class::First, ["kin", "gar", "kel"]),
    irregular("garu", Class::Second, ["gat", "lev", "mud"]),
    irregular("viry", Class::Second, ["vin", "tos", "beg"]),
    irregular("saso", Class::Third, ["sak", "red", "pun"]),
    irregular("misi", Class::Third, ["mig", "orul", "lyt"]),
    irregular("luma", Class::First, ["lub", "tek", "zan"]),
    irregular("perme", Class::First, ["per", "dov", "nys"]),
    irregular("boru", Class::Second, ["bom", "sil", "kav"]),
    irregular("nesi", Class::Third, ["neb", "utok", "mer"]),
    irregular("zalma", Class::First, ["zal", "yd", "gom"]),
    irregular("tiry", Class::Second, ["tip", "rad", "sev"]),
];

const fn irregular(
    lemma: &'static str,
    class: Class,
    [present, past, future]: [&'static str; 3],
) -> Irregular {
    Irregular { lemma, class, present, past, future }
}

impl Irregular {
    pub(super) fn stem(&self, tense: Tense) -> &'static str {
        match tense {
            Tense::Present | Tense::Imperative => self.present,
            Tense::Past => self.past,
            Tense::Future => self.future,
        }
    }
}

/// Draws a regular verb: its stem and its class.
pub(super) fn regular(rng: &mut Rng) -> (String, Class) {
    let vowels = if rng.chance(0.5) { BACK } else { FRONT };
    let syllables = if rng.chance(THREE) { 3 } else { 2 };
    let mut stem = String::new();
    for syllable in 0..syllables {
        if syllable > 0 || !rng.chance(BARE) {
            stem.push_str(choose(rng, &ONSETS));
        }
        stem.push(choose(rng, &vowels));
        if syllable + 1 < syllables && rng.chance(CLOSED) {
            stem.push_str(choose(rng, &CODAS));
        }
    }
    stem.push_str(choose(rng, &FINALS));
    (stem, choose(rng, &Class::ALL))
}
