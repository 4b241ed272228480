pub(super) const BACK: [char; 3] = ['a', 'o', 'u'];
pub(super) const FRONT: [char; 3] = ['e', 'i', 'y'];
/// The vowels that follow a stem's, in the order of the others.
const FOLLOWING: [char; 3] = ['A', 'O', 'U'];
/// Without voice and with it.
const STOPS: [(char, char); 3] = [('p', 'b'), ('t', 'd'), ('k', 'g')];

/// A word that is put together from its parts, from left to right.
#[derive(Debug)]
pub(super) struct Word {
    text: String,
    vowels: [char; 3],
}

impl Word {
    /// An empty one that takes its vowels from a stem.
    pub(super) fn in_harmony_with(stem: &str) -> Self {
        let vowels = if stem.contains(FRONT) { FRONT } else { BACK };
        Self { text: String::new(), vowels }
    }

    /// Puts a part behind the others, in harmony, and mends the seam.
    pub(super) fn join(&mut self, part: &str) {
        let vowel = |c: char| FOLLOWING.iter().position(|&f| f == c).map_or(c, |at| self.vowels[at]);
        let part: String = part.chars().map(vowel).collect();
        if let (Some(last), Some(first)) = (self.text.chars().last(), part.chars().next()) {
            self.text.pop();
            self.text.extend(before(last, first));
        }
        self.text.push_str(&part);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

fn is_vowel(c: char) -> bool {
    BACK.contains(&c) || FRONT.contains(&c)
}

/// What becomes of the last sound of a part before the first of the next.
fn before(last: char, first: char) -> Option<char> {
    if is_vowel(last) && is_vowel(first) {
        return None;
    }
    let voiced = STOPS.iter().any(|&(_, voiced)| voiced == first);
    let voiceless = first == 's' || STOPS.iter().any(|&(voiceless, _)| voiceless == first);
    let pair = STOPS.iter().find(|&&(a, b)| a == last || b == last);
    Some(match (last, pair) {
        (_, Some(&(_, with))) if voiced => with,
        (_, Some(&(without, _))) if voiceless => without,
        ('k', _) if FRONT.contains(&first) => 'c',
        ('g', _) if FRONT.contains(&first) => 'j',
        _ => last,
    })
}
