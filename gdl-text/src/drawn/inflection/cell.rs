use std::fmt;

pub(super) const PERSONS: [&str; 6] = ["1SG", "2SG", "3SG", "1PL", "2PL", "3PL"];
/// The persons that are spoken to.
const SECOND: [usize; 2] = [1, 4];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Present,
    Past,
    Future,
    Imperative,
}

/// A place in the table of a verb's forms; displayed as the tags that ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) tense: Tense,
    /// In [`PERSONS`].
    pub(super) person: usize,
    pub(super) conditional: bool,
    pub(super) negative: bool,
}

impl Cell {
    /// Two persons of the imperative, and six in three tenses with and without the conditional; negative or
    /// not.
    pub(super) const COUNT: usize = 2 * (SECOND.len() + PERSONS.len() * 3 * 2);

    /// One of all forms, for `n` below [`COUNT`](Self::COUNT).
    pub(super) fn nth(n: usize) -> Self {
        let (negative, n) = (n % 2 == 1, n / 2);
        if let Some(&person) = SECOND.get(n) {
            return Self { tense: Tense::Imperative, person, conditional: false, negative };
        }
        let n = n - SECOND.len();
        let (conditional, n) = (n % 2 == 1, n / 2);
        let tense = match n / PERSONS.len() {
            0 => Tense::Present,
            1 => Tense::Past,
            _ => Tense::Future,
        };
        Self { tense, person: n % PERSONS.len(), conditional, negative }
    }

    pub(super) fn is_singular(&self) -> bool {
        self.person < PERSONS.len() / 2
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tense = match self.tense {
            Tense::Present => "PRS",
            Tense::Past => "PST",
            Tense::Future => "FUT",
            Tense::Imperative => "IMP",
        };
        write!(f, "+{tense}+{}", PERSONS[self.person])?;
        if self.conditional {
            f.write_str("+COND")?;
        }
        if self.negative {
            f.write_str("+NEG")?;
        }
        Ok(())
    }
}
