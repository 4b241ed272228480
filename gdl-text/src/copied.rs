use crate::{Corpus, Part, Result, Split, TextModel, Tokenizer};
use serde::{Deserialize, Serialize};

/// Pieces of the text kept back that are compared with.
const PIECES: usize = 200;

/// How much of a text stands in the training text word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// Tokens of the text.
    pub tokens: usize,
    /// Tokens of its longest passage that is in the training text.
    pub copied: usize,
    /// That passage.
    pub passage: String,
}

/// Longest copied passages of a model's texts, and of text that it has not learnt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// By text.
    pub samples: Vec<Copied>,
    /// Of the parts of the corpus that training never touched, cut into pieces as long as the texts are on average, at most
    /// 200: what any text of this kind shares with the training text. A model that shares much more knows passages by heart.
    pub held_out: Vec<Copied>,
}

impl TextModel {
    /// Finds for each text the longest passage that stands in the training text too, in the terms of the tokenizer.
    ///
    /// The training text is read once, from its start to its end, and takes no memory beyond its own: an automaton of the texts
    /// reads it, of some hundred bytes for each of their tokens.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) when the corpus is not the one that the model was trained on.
    ///
    /// # Source
    /// Blumer et al. 1985, *The smallest automaton recognizing the subwords of a text*.
    pub fn copies<S: AsRef<str>>(&self, texts: &[S], corpus: &Corpus) -> Result<CopyReport> {
        self.config().check_corpus(corpus)?;
        let split = &self.config().train.split;
        let tokenizer = self.tokenizer();
        let mut all = texts.iter().map(|t| tokenizer.encode(t.as_ref())).collect::<Result<Vec<_>>>()?;
        let mean = all.iter().map(Vec::len).sum::<usize>() / all.len().max(1);
        all.extend(held_out(corpus, split, tokenizer, mean.max(1))?);

        let mut search = Search::new(&all, tokenizer.unknown());
        for block in corpus.training_blocks(split)? {
            tokenizer.encode(&block?)?.into_iter().for_each(|id| search.read(id));
        }
        let found = search.finish(&all);
        let copied = |(ids, (start, copied)): (&Vec<u32>, (usize, usize))| -> Result<Copied> {
            let passage = tokenizer.decode(&ids[start..start + copied])?;
            Ok(Copied { tokens: ids.len(), copied, passage })
        };
        let mut samples = all.iter().zip(found).map(copied).collect::<Result<Vec<_>>>()?;
        let held_out = samples.split_off(texts.len());
        Ok(CopyReport { samples, held_out })
    }
}

/// The first pieces of so many tokens of the parts kept back.
fn held_out(corpus: &Corpus, split: &Split, tokenizer: &Tokenizer, length: usize) -> Result<Vec<Vec<u32>>> {
    let mut kept = [Vec::<u32>::new(), Vec::new()];
    for piece in corpus.parts(split)? {
        let (part, text) = piece?;
        let ids = match part {
            Part::Train => continue,
            Part::Valid => &mut kept[0],
            Part::Test => &mut kept[1],
        };
        if ids.len() < PIECES * length {
            ids.extend(tokenizer.encode(&text)?);
        }
    }
    Ok(kept.iter().flat_map(|ids| ids.chunks_exact(length)).take(PIECES).map(<[u32]>::to_vec).collect())
}

/// The suffix automaton of several texts, and how far a long text has matched it.
struct Search {
    states: Vec<State>,
    unknown: Option<u32>,
    /// Where the long text stands: a state, and how many tokens match.
    at: (usize, usize),
}

#[derive(Clone, Default)]
struct State {
    /// By token, in their order.
    next: Vec<(u32, usize)>,
    link: usize,
    length: usize,
    /// How much of the state's strings the long text has had, from their end.
    seen: usize,
}

impl State {
    fn find(&self, token: u32) -> std::result::Result<usize, usize> {
        self.next.binary_search_by_key(&token, |&(token, _)| token)
    }

    fn after(&self, token: u32) -> Option<usize> {
        self.find(token).ok().map(|at| self.next[at].1)
    }

    fn set(&mut self, token: u32, to: usize) {
        match self.find(token) {
            Ok(at) => self.next[at].1 = to,
            Err(at) => self.next.insert(at, (token, to)),
        }
    }
}

impl Search {
    fn new(texts: &[Vec<u32>], unknown: Option<u32>) -> Self {
        // The root is its own link.
        let mut search = Self { states: vec![State::default()], unknown, at: (0, 0) };
        let mut last = 0;
        for (k, text) in texts.iter().enumerate() {
            for &token in text {
                last = search.extend(last, token);
            }
            // What no text has, so that nothing reaches from one into the next.
            last = search.extend(last, u32::MAX - k as u32);
        }
        search
    }

    fn extend(&mut self, last: usize, token: u32) -> usize {
        let new = self.states.len();
        self.states.push(State { length: self.states[last].length + 1, ..State::default() });
        let mut from = Some(last);
        while let Some(state) = from
            && self.states[state].after(token).is_none()
        {
            self.states[state].set(token, new);
            from = (state != 0).then(|| self.states[state].link);
        }
        let Some(state) = from else { return new };
        let Some(to) = self.states[state].after(token) else { return new };
        if self.states[to].length == self.states[state].length + 1 {
            self.states[new].link = to;
            return new;
        }
        let clone = self.states.len();
        self.states.push(State { length: self.states[state].length + 1, ..self.states[to].clone() });
        let mut from = Some(state);
        while let Some(state) = from
            && self.states[state].after(token) == Some(to)
        {
            self.states[state].set(token, clone);
            from = (state != 0).then(|| self.states[state].link);
        }
        self.states[to].link = clone;
        self.states[new].link = clone;
        new
    }

    /// Reads the next token of the long text.
    fn read(&mut self, token: u32) {
        let (mut state, mut length) = self.at;
        // Unknown tokens stand for different things.
        let mut next = if Some(token) == self.unknown { None } else { self.states[state].after(token) };
        if Some(token) == self.unknown {
            state = 0;
        }
        while next.is_none() && state != 0 {
            state = self.states[state].link;
            length = self.states[state].length;
            next = self.states[state].after(token);
        }
        self.at = next.map_or((0, 0), |next| (next, length + 1));
        let (state, length) = self.at;
        let seen = &mut self.states[state].seen;
        *seen = length.max(*seen);
    }

    /// For each text, where its longest passage begins that the long text has had, and its tokens.
    fn finish(mut self, texts: &[Vec<u32>]) -> Vec<(usize, usize)> {
        let mut order: Vec<usize> = (1..self.states.len()).collect();
        order.sort_unstable_by_key(|&state| self.states[state].length);
        // Who has had a string has had its ends too,
        for &state in order.iter().rev() {
            let link = self.states[state].link;
            if self.states[state].seen > 0 {
                self.states[link].seen = self.states[link].length;
            }
        }
        // and of a string that was not had, the longest end that was.
        for &state in &order {
            let link = self.states[state].link;
            self.states[state].seen = self.states[state].seen.max(self.states[link].seen);
        }
        let mut state = 0;
        let mut longest = |(k, text): (usize, &Vec<u32>)| {
            let mut best = (0, 0);
            for (i, &token) in text.iter().enumerate() {
                state = self.states[state].after(token).unwrap_or_default();
                let seen = self.states[state].seen;
                if seen > best.1 {
                    best = (i + 1 - seen, seen);
                }
            }
            state = self.states[state].after(u32::MAX - k as u32).unwrap_or_default();
            best
        };
        texts.iter().enumerate().map(&mut longest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdl_train::Rng;

    #[test]
    fn the_longest_passages_are_those_of_trying_them_all() {
        let mut rng = Rng::seed(1);
        for round in 0..60 {
            let alphabet = 2 + round % 4;
            let mut draw = |n: usize| (0..n).map(|_| rng.below(alphabet) as u32).collect::<Vec<u32>>();
            let texts: Vec<Vec<u32>> = [0, 1, 7, 30, 30, 12].map(&mut draw).to_vec();
            let long = draw(200);
            let mut search = Search::new(&texts, Some(0));
            long.iter().for_each(|&token| search.read(token));
            let has = |passage: &[u32]| {
                !passage.contains(&0) && long.windows(passage.len()).any(|window| window == passage)
            };
            for (text, (start, length)) in texts.iter().zip(search.finish(&texts)) {
                let n = text.len();
                let best = (1..=n).rev().find(|&l| (0..=n - l).any(|i| has(&text[i..i + l]))).unwrap_or(0);
                assert_eq!(length, best, "{text:?} in {long:?}");
                assert!(length == 0 || has(&text[start..start + length]));
            }
        }
    }
}
