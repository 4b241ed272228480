/// Puts the spaces back between word-level tokens, left to right.
#[derive(Debug, Clone, Default)]
pub(super) struct Spacing {
    /// Whether there is something on this line already.
    started: bool,
    /// Whether the last token takes the next one without a space.
    glued: bool,
    /// Whether there is a space between any two tokens.
    plain: bool,
}

impl Spacing {
    /// How many different ones there are.
    pub(super) const CONTEXTS: usize = 3;

    /// That of a number below [`CONTEXTS`](Self::CONTEXTS): at the start of a line, behind a token that takes the next one
    /// without a space, and behind any other.
    pub(super) fn from_context(context: usize, plain: bool) -> Self {
        Self { started: context > 0, glued: context == 1, plain }
    }

    /// The number of this one.
    pub(super) fn context(&self) -> usize {
        match (self.started, self.glued) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        }
    }

    /// The space before the next token is there already.
    pub(super) fn glue(&mut self) {
        self.glued = true;
    }

    /// What belongs before `token`: a space or nothing.
    pub(super) fn place(&mut self, token: &str) -> &'static str {
        if token == "\n" {
            *self = Self { plain: self.plain, ..Self::default() };
            return "";
        }
        let (glue_before, glue_after) = match token {
            _ if self.plain => (false, false),
            "\u{e000}" | "\u{e001}" => (false, true),
            "(" | "[" | "{" | "«" | "“" | "‘" | "„" | "$" | "£" | "€" | "#" => (false, true),
            "-" | "--" | "–" | "—" | "/" | "_" | "@" => (true, true),
            "\"" | "'" | "." | "," | ";" | ":" | "!" | "?" | ")" | "]" | "}" | "»" | "”" | "’" | "%"
            | "…" => (true, false),
            _ if token.starts_with("..") => (true, false),
            _ => (false, false),
        };
        let space = self.started && !self.glued && !glue_before;
        self.started = true;
        self.glued = glue_after;
        if space { " " } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_spacing() {
        for (tokens, want) in [
            (vec!["\u{e000}", "go", "!", "\"", "said", "she", "."], "\u{e000}go!\" said she."),
            (vec!["the", "dogs", "'", "tails", ",", "\u{e001}", "ha", "'"], "the dogs' tails, \u{e001}ha'"),
            (vec!["a", "(", "b", ")", "c", "-", "d", "--", "e", "..."], "a (b) c-d--e..."),
            (vec!["a", "\n", "b", "c"], "a\nb c"),
        ] {
            let mut spacing = Spacing::default();
            let text: String = tokens.iter().map(|t| spacing.place(t).to_string() + t).collect();
            assert_eq!(text, want);
        }
    }
}
