/// A kind of fact.
#[derive(Debug)]
pub(super) struct Kind {
    /// Ways of saying it, all with the same slots.
    pub(super) sentences: &'static [&'static str],
    pub(super) questions: &'static [Asked],
}

/// What can be asked about a fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The answer, from the first slot to the last.
    pub(super) answer: (&'static str, &'static str),
    /// Ways of asking. Each has a name that only one fact of the kind has in that slot.
    pub(super) ways: [&'static str; 2],
}

pub(super) const fn ask(slot: &'static str, ways: [&'static str; 2]) -> Asked {
    Asked { answer: (slot, slot), ways }
}

pub(super) const fn ask_for_all(first: &'static str, last: &'static str, ways: [&'static str; 2]) -> Asked {
    Asked { answer: (first, last), ways }
}

/// The slots whose values are names: of people, whom a story may mention again, and of towns and animals.
pub(super) const PEOPLE: [&str; 2] = ["person", "other"];
pub(super) const NAMES: [&str; 2] = ["town", "called"];
