use std::ops::Range;

/// A template with its slots filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled<'t> {
    pub(super) text: String,
    /// By slot, in their order: which words of the text are its value, words being what spaces part.
    pub(super) spans: Vec<(&'t str, Range<usize>)>,
}

/// Puts values in the place of `{slot}`.
pub(super) fn fill<'t>(template: &'t str, mut value: impl FnMut(&'t str) -> String) -> Filled<'t> {
    let words = |text: &str| text.matches(' ').count();
    let (mut text, mut spans) = (String::new(), Vec::new());
    for (at, piece) in template.split('{').enumerate() {
        let Some((slot, rest)) = piece.split_once('}').filter(|_| at > 0) else {
            text.push_str(piece);
            continue;
        };
        let start = words(&text);
        text.push_str(&value(slot));
        spans.push((slot, start..words(&text) + 1));
        text.push_str(rest);
    }
    Filled { text, spans }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_their_places() {
        let filled =
            fill("{a} gave {b}{a} .", |slot| if slot == "a" { "one two".into() } else { "x".into() });
        assert_eq!(filled.text, "one two gave xone two .");
        assert_eq!(filled.spans, [("a", 0..2), ("b", 3..4), ("a", 3..5)]);
        assert_eq!(fill("no slots", |_| String::new()), Filled { text: "no slots".into(), spans: vec![] });
    }
}
