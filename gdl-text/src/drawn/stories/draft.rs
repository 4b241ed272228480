use super::kind::{Asked, Kind, NAMES, PEOPLE};
use super::kinds::KINDS;
use super::pools::POOLS;
use crate::drawn::template::{Filled, fill};
use crate::drawn::{DrawnPart, choose, invented};
use gdl_train::Rng;
use std::collections::HashMap;
use std::ops::Range;

/// How often a fact is of the kind of one before, and a person is one that the story has named before.
const SAME_KIND: f64 = 0.35;
const SAME_PERSON: f64 = 0.6;

/// A sentence of a story.
#[derive(Debug)]
pub(super) enum Sentence {
    Fact(Fact),
    /// One that tells nothing.
    Remark(&'static str),
}

/// A fact with its values, as it is told.
#[derive(Debug)]
pub(super) struct Fact {
    kind: &'static Kind,
    values: HashMap<&'static str, String>,
    told: Filled<'static>,
}

impl Sentence {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Fact(fact) => &fact.told.text,
            Self::Remark(text) => text,
        }
    }
}

impl Fact {
    pub(super) fn ask(&self, way: &'static str) -> String {
        fill(way, |slot| self.values.get(slot).cloned().unwrap_or_default()).text
    }

    /// Which words of the sentence are the answer.
    fn answer(&self, asked: &Asked) -> Option<Range<usize>> {
        let span = |name| self.told.spans.iter().find(|(slot, _)| *slot == name).map(|(_, span)| span);
        Some(span(asked.answer.0)?.start..span(asked.answer.1)?.end)
    }

    /// Everything that can be asked, in every way.
    #[cfg(test)]
    pub(super) fn questions(&self) -> impl Iterator<Item = String> {
        self.kind.questions.iter().flat_map(|asked| asked.ways).map(|way| self.ask(way))
    }
}

/// A story without its question.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) sentences: Vec<Sentence>,
}

impl Draft {
    /// Draws so many sentences, one of them perhaps a remark; nothing when there are not values enough.
    pub(super) fn draw(part: DrawnPart, sentences: usize, rng: &mut Rng) -> Option<Self> {
        let mut stock = Stock::new(part, rng);
        let remark = rng.below(2 * sentences);
        let mut all: Vec<Sentence> = Vec::new();
        for at in 0..sentences {
            let sentence = if at == remark {
                Sentence::Remark(stock.take("remark")?)
            } else {
                let kind = next_kind(&all, rng);
                Sentence::Fact(stock.fact(kind, &all, rng)?)
            };
            all.push(sentence);
        }
        Some(Self { sentences: all })
    }

    /// A question about one of the facts, and which words of the story answer it.
    pub(super) fn ask(&self, rng: &mut Rng) -> Option<(String, Range<usize>)> {
        let facts: Vec<(usize, &Fact)> = facts(&self.sentences).collect();
        let (at, fact) = choose(rng, &facts);
        let asked = choose(rng, fact.kind.questions);
        let before: usize =
            self.sentences.iter().take(at).map(|sentence| sentence.text().split(' ').count()).sum();
        let answer = fact.answer(&asked)?;
        let question = fact.ask(choose(rng, &asked.ways));
        Some((question, before + answer.start..before + answer.end))
    }
}

/// The facts among sentences, and where they stand.
pub(super) fn facts(sentences: &[Sentence]) -> impl Iterator<Item = (usize, &Fact)> {
    sentences.iter().enumerate().filter_map(|(at, sentence)| match sentence {
        Sentence::Fact(fact) => Some((at, fact)),
        Sentence::Remark(_) => None,
    })
}

fn next_kind(before: &[Sentence], rng: &mut Rng) -> &'static Kind {
    let told: Vec<&'static Kind> = facts(before).map(|(_, fact)| fact.kind).collect();
    if !told.is_empty() && rng.chance(SAME_KIND) {
        choose(rng, &told)
    } else {
        choose(rng, &KINDS.each_ref())
    }
}

/// What a story has not used yet, and the people that it has.
struct Stock {
    part: DrawnPart,
    pools: HashMap<&'static str, Vec<&'static str>>,
    names: Vec<String>,
    people: Vec<String>,
}

impl Stock {
    fn new(part: DrawnPart, rng: &mut Rng) -> Self {
        let mut pools = HashMap::new();
        for (slot, pool) in POOLS {
            let mut pool = pool.to_vec();
            rng.shuffle(&mut pool);
            pools.insert(slot, pool);
        }
        Self { part, pools, names: Vec::new(), people: Vec::new() }
    }

    fn take(&mut self, slot: &str) -> Option<&'static str> {
        self.pools.get_mut(slot)?.pop()
    }

    fn new_name(&mut self, rng: &mut Rng) -> String {
        let name = invented::another(self.part, rng, &self.names);
        self.names.push(name.clone());
        name
    }

    /// A person who is none of those: an old acquaintance or a new one.
    fn person(&mut self, taken: &[String], rng: &mut Rng) -> String {
        let old: Vec<&String> = self.people.iter().filter(|person| !taken.contains(person)).collect();
        if !old.is_empty() && rng.chance(SAME_PERSON) {
            return choose(rng, &old).clone();
        }
        let new = self.new_name(rng);
        self.people.push(new.clone());
        new
    }

    /// A fact of that kind about people of whom none of that kind has been told.
    fn fact(&mut self, kind: &'static Kind, before: &[Sentence], rng: &mut Rng) -> Option<Fact> {
        let same = facts(before).filter(|(_, fact)| std::ptr::eq(fact.kind, kind));
        let people = |(_, fact): (usize, &Fact)| PEOPLE.map(|slot| fact.values.get(slot).cloned());
        let mut taken: Vec<String> = same.flat_map(people).flatten().collect();
        let mut values = HashMap::new();
        for (slot, _) in fill(choose(rng, kind.sentences), |_| String::new()).spans {
            let value = if PEOPLE.contains(&slot) {
                let person = self.person(&taken, rng);
                taken.push(person.clone());
                person
            } else if NAMES.contains(&slot) {
                self.new_name(rng)
            } else {
                self.take(slot)?.to_string()
            };
            values.insert(slot, value);
        }
        let told = fill(choose(rng, kind.sentences), |slot| values.get(slot).cloned().unwrap_or_default());
        Some(Fact { kind, values, told })
    }
}
