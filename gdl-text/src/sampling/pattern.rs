use super::Vocabulary;
use crate::{Error, Result};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use std::collections::HashMap;

/// Bytes of an automaton, and of each thing that it takes to build one.
const AUTOMATON: usize = 32 << 20;
/// Tokens allowed, over all places of the automaton.
const TRANSITIONS: usize = 1 << 25;
/// A place from which no match can be reached.
const NEVER: u32 = u32::MAX;

/// A regular expression that a text matches as a whole, laid out for a vocabulary: for each place in it, the tokens from which a
/// match can still be reached.
///
/// Texts end at a match and nowhere else: a token is allowed only if the tokens that are left after it suffice to reach one. So
/// nothing is taken back, and a pattern that can go on forever goes on as long as there is room.
///
/// The syntax is that of the `regex` crate; look-around is limited to `^`, `$` and ASCII word boundaries, `(?-u:\b)`.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    /// By context: where a text begins.
    starts: Vec<u32>,
    /// By place: tokens and the places after them, by token.
    rows: Vec<Vec<(u32, u32)>>,
    /// By place: the fewest tokens to a match.
    distance: Vec<u32>,
}

impl Pattern {
    /// Lays out a pattern for the tokens that are not banned. A token that prints nothing is never allowed.
    ///
    /// # Errors
    /// [`Error::Pattern`] when the pattern is none, or takes too much memory.
    pub fn new(source: &str, vocabulary: &dyn Vocabulary, banned: impl Fn(u32) -> bool) -> Result<Self> {
        let refuse = |message: String| Error::Pattern { pattern: source.to_string(), message };
        let automaton = automaton(source).map_err(refuse)?;
        let printed = print_all(vocabulary, banned);
        let mut places = HashMap::<(usize, StateID), u32>::new();
        let mut queue = Vec::new();
        let mut place = |queue: &mut Vec<_>, key| {
            *places.entry(key).or_insert_with(|| {
                queue.push(key);
                queue.len() as u32 - 1
            })
        };
        let start = start::Config::new().anchored(Anchored::Yes);
        let start = automaton.start_state(&start).map_err(|e| refuse(e.to_string()))?;
        let starts: Vec<u32> =
            (0..printed.len()).map(|context| place(&mut queue, (context, start))).collect();
        let (mut rows, mut matched, mut transitions) = (Vec::new(), Vec::new(), 0);
        // The queue grows while it is walked: every place that tokens can lead to, once.
        while let Some(&(context, state)) = queue.get(rows.len()) {
            let mut row = Vec::new();
            for (token, bytes, after) in &printed[context] {
                if let Some(state) = walk(&automaton, state, bytes) {
                    row.push((*token, place(&mut queue, (*after, state))));
                }
            }
            transitions += row.len();
            if transitions > TRANSITIONS {
                let hint = "bound its repetitions lower, or name the characters that may stand in them";
                return Err(refuse(format!("takes too much memory with this vocabulary; {hint}")));
            }
            matched.push(automaton.is_match_state(automaton.next_eoi_state(state)));
            rows.push(row);
        }
        let distance = distances(&rows, &matched);
        for row in &mut rows {
            row.retain(|&(_, next)| distance[next as usize] != NEVER);
        }
        Ok(Self { source: source.to_string(), starts, rows, distance })
    }

    /// Where a text of at most `length` tokens begins.
    pub(super) fn start(&self, context: usize, length: usize) -> Result<u32> {
        let refuse = |message: String| Error::Pattern { pattern: self.source.clone(), message };
        let node = self.starts.get(context).copied().unwrap_or_default();
        match self.distance[node as usize] {
            NEVER => Err(refuse("no text of this model's tokens matches".into())),
            far if far as usize > length => {
                Err(refuse(format!("the shortest match takes {far} tokens, and the length is {length}")))
            }
            _ => Ok(node),
        }
    }

    /// Whether what stands so far matches.
    pub(super) fn matches(&self, node: u32) -> bool {
        self.distance[node as usize] == 0
    }

    /// Bans what leads to no match within `left` tokens.
    pub(super) fn restrict(&self, node: u32, left: usize, scores: &mut [f64]) {
        let mut next = 0;
        for &(token, after) in &self.rows[node as usize] {
            if (self.distance[after as usize] as usize) < left {
                scores[next..token as usize].fill(f64::NEG_INFINITY);
                next = token as usize + 1;
            }
        }
        scores[next..].fill(f64::NEG_INFINITY);
    }

    /// The place after a token, if it is allowed with `left` tokens to come.
    pub(super) fn after(&self, node: u32, left: usize, token: u32) -> Option<u32> {
        let row = &self.rows[node as usize];
        let (_, next) = row[row.binary_search_by_key(&token, |&(token, _)| token).ok()?];
        ((self.distance[next as usize] as usize) < left).then_some(next)
    }
}

fn automaton(source: &str) -> std::result::Result<dense::DFA<Vec<u32>>, String> {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        // All ways to match, not the one that a search would prefer.
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(AUTOMATON))
        .determinize_size_limit(Some(AUTOMATON));
    // As it is by default, with a limit.
    let nfa = thompson::Config::new().nfa_size_limit(Some(AUTOMATON));
    dense::Builder::new().configure(config).thompson(nfa).build(source).map_err(|error| {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        message
    })
}

/// By context: every token that is not banned and prints something, its bytes, and the context after it.
fn print_all(vocabulary: &dyn Vocabulary, banned: impl Fn(u32) -> bool) -> Vec<Vec<(u32, Vec<u8>, usize)>> {
    let tokens = (0..vocabulary.size() as u32).filter(|&id| !banned(id) && vocabulary.end() != Some(id));
    let tokens: Vec<u32> = tokens.collect();
    let print = |context| {
        let print = |&token: &u32| {
            let mut bytes = Vec::new();
            let after = vocabulary.print(context, token, &mut bytes);
            (token, bytes, after)
        };
        tokens.iter().map(print).filter(|(_, bytes, _)| !bytes.is_empty()).collect()
    };
    (0..vocabulary.contexts()).map(print).collect()
}

/// The state after some bytes, unless nothing can match any more.
fn walk(automaton: &dense::DFA<Vec<u32>>, mut state: StateID, bytes: &[u8]) -> Option<StateID> {
    for &byte in bytes {
        state = automaton.next_state(state, byte);
        if automaton.is_dead_state(state) || automaton.is_quit_state(state) {
            return None;
        }
    }
    Some(state)
}

/// By place: the fewest tokens to a match.
fn distances(rows: &[Vec<(u32, u32)>], matched: &[bool]) -> Vec<u32> {
    let mut before = vec![Vec::new(); rows.len()];
    for (node, row) in rows.iter().enumerate() {
        let mut next: Vec<u32> = row.iter().map(|(_, next)| *next).collect();
        next.sort_unstable();
        next.dedup();
        next.into_iter().for_each(|next| before[next as usize].push(node as u32));
    }
    let mut distance = vec![NEVER; rows.len()];
    let mut queue: Vec<u32> = (0..rows.len() as u32).filter(|&node| matched[node as usize]).collect();
    queue.iter().for_each(|&node| distance[node as usize] = 0);
    let mut at = 0;
    while let Some(&node) = queue.get(at) {
        at += 1;
        for &from in &before[node as usize] {
            if distance[from as usize] == NEVER {
                distance[from as usize] = distance[node as usize] + 1;
                queue.push(from);
            }
        }
    }
    distance
}
