/// The tokens of a text so far, its prompt's too, and how often each stands in the last ones.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) tokens: Vec<u32>,
    /// By token: how often it stands in the window.
    pub(super) counts: Vec<u32>,
    window: usize,
}

impl Past {
    pub(super) fn new(tokens: &[u32], vocab_size: usize, window: Option<usize>) -> Self {
        let mut past =
            Self { tokens: Vec::new(), counts: vec![0; vocab_size], window: window.unwrap_or(usize::MAX) };
        tokens.iter().for_each(|&token| past.push(token));
        past
    }

    pub(super) fn push(&mut self, token: u32) {
        self.tokens.push(token);
        self.add(token, 1);
        if self.tokens.len() > self.window {
            self.add(self.tokens[self.tokens.len() - 1 - self.window], u32::MAX);
        }
    }

    fn add(&mut self, token: u32, n: u32) {
        if let Some(count) = self.counts.get_mut(token as usize) {
            *count = count.wrapping_add(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves() {
        let mut past = Past::new(&[2, 0, 2], 3, Some(2));
        assert_eq!(past.counts, [1, 0, 1]);
        past.push(2);
        assert_eq!((past.counts, past.tokens.len()), (vec![0, 0, 2], 4));
    }
}
