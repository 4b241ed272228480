/// Puts the spaces back between word-level tokens, left to right.
#[derive(Debug, Clone, Default)]
pub(super) struct Spacing {
    /// Whether there is something on this line already.
    started: bool,
    /// Whether the last token takes the next one without a space.
    glued: bool,
    /// Whether a straight double or single quotation mark is open.
    double: bool,
    single: bool,
    /// Whether the last token was a word in -s, whose apostrophe opens nothing.
    plural: bool,
}

impl Spacing {
    /// What belongs before `token`: a space or nothing.
    pub(super) fn place(&mut self, token: &str) -> &'static str {
        if token == "\n" {
            *self = Self::default(); // A quotation left open ends with its paragraph.
            return "";
        }
        let plural = self.plural;
        let (glue_before, glue_after) = match token {
            "\"" => quote(&mut self.double),
            "'" if plural && !self.single => (true, false),
            "'" => quote(&mut self.single),
            "(" | "[" | "{" | "«" | "“" | "‘" | "„" | "$" | "£" | "€" | "#" => (false, true),
            "-" | "--" | "–" | "—" | "/" | "_" | "@" => (true, true),
            "." | "," | ";" | ":" | "!" | "?" | ")" | "]" | "}" | "»" | "”" | "’" | "%" | "…" => {
                (true, false)
            }
            _ if token.starts_with("..") => (true, false),
            _ => (false, false),
        };
        let space = self.started && !self.glued && !glue_before;
        self.started = true;
        self.glued = glue_after;
        self.plural = token.len() > 1 && token.ends_with('s');
        if space { " " } else { "" }
    }
}

/// A mark that looks the same on both sides of what it encloses.
fn quote(open: &mut bool) -> (bool, bool) {
    *open = !*open;
    (!*open, *open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_spacing() {
        for (tokens, want) in [
            (vec!["\"", "go", "!", "\"", "said", "she", "."], "\"go!\" said she."),
            (vec!["the", "dogs", "'", "tails", ",", "'", "ha", "'"], "the dogs' tails, 'ha'"),
            (vec!["a", "(", "b", ")", "c", "-", "d", "--", "e", "..."], "a (b) c-d--e..."),
            (vec!["\"", "a", "\n", "b", "\"", "c"], "\"a\nb \"c"),
        ] {
            let mut spacing = Spacing::default();
            let text: String = tokens.iter().map(|t| spacing.place(t).to_string() + t).collect();
            assert_eq!(text, want);
        }
    }
}
