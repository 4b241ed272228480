use serde::{Deserialize, Serialize};

/// What BLEU takes for words. Scores by different ones cannot be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BleuTokens {
    /// That of the WMT campaigns: punctuation stands alone, but for full stops and commas between digits,
    /// apostrophes, and hyphens not behind a digit; the entities `&quot;`, `&amp;`, `&lt;` and `&gt;` are
    /// resolved. Only ASCII punctuation is known, and text without spaces is one word. The default.
    #[default]
    #[serde(rename = "13a")]
    ThirteenA,
    /// What stands between spaces: for text that is already tokenized.
    None,
    /// Characters other than spaces: for Chinese, Japanese, Thai.
    Char,
}

impl BleuTokens {
    /// The tokens of a text.
    pub(super) fn split(self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_space);
        match self {
            Self::ThirteenA => words(&space_out(text)).map(str::to_string).collect(),
            Self::None => words(text).map(str::to_string).collect(),
            Self::Char => text.chars().filter(|&c| !is_space(c)).map(String::from).collect(),
        }
    }
}

/// What Python takes for white space: Unicode's, and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// What stands between white space.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// Puts spaces around what 13a takes for tokens.
fn space_out(text: &str) -> String {
    // One after the other, as the tokenizer is defined: `&amp;lt;` becomes `<`.
    let replaced = [
        ("<skipped>", ""),
        ("-\n", ""),
        ("\n", " "),
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ];
    let text = replaced.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to));
    let mut spaced = String::from(" ");
    for c in text.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.') {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.push(' ');
    let (digit, stop) = (|c: char| c.is_ascii_digit(), |c| matches!(c, '.' | ','));
    let spaced = part(&spaced, |a, b| !digit(a) && stop(b), ("", " "));
    let spaced = part(&spaced, |a, b| stop(a) && !digit(b), (" ", ""));
    part(&spaced, |a, b| digit(a) && b == '-', ("", " "))
}

/// Puts a space between two characters that `parts` holds of, and `before` and `after` around them. From left
/// to right, no character being in two pairs: as a regular expression replaces.
fn part(text: &str, parts: impl Fn(char, char) -> bool, (before, after): (&str, &str)) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(first) = chars.next() {
        match chars.next_if(|&second| parts(first, second)) {
            Some(second) => {
                out.push_str(before);
                out.extend([first, ' ', second]);
                out.push_str(after);
            }
            None => out.push(first),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_stands_alone_but_not_in_numbers() {
        let tokens = |text| BleuTokens::ThirteenA.split(text).join(" ");
        assert_eq!(tokens("It's 1,234.5, or so."), "It's 1,234.5 , or so .");
        assert_eq!(tokens("well-known 10-20 (a/b)"), "well-known 10 - 20 ( a / b )");
        assert_eq!(tokens("&quot;x&quot; &amp;lt; y"), "\" x \" < y");
        assert_eq!(tokens("wait... .5 5. ,"), "wait . . . . 5 5 . ,");
        assert_eq!(tokens("broken-\nword new\nline-\n"), "brokenword new line-");
        assert_eq!(tokens("«Ça»\u{1c}\u{a0}日本、"), "«Ça» 日本、");
        assert_eq!(BleuTokens::None.split(" It's  so. "), ["It's", "so."]);
        assert_eq!(BleuTokens::Char.split(" 日本 a."), ["日", "本", "a", "."]);
    }
}
