use crate::{Error, Level, Result, Tokenizer};
use serde_json::Value;
use std::path::Path;

/// Reads the tokens of a vocabulary in the order of their ids: a text file with one on each line, a list of them in JSON, or an object
/// of JSON with the id of each.
///
/// In the lines of a text file, `\n`, `\t`, `\r` and `\\` stand for a line end, a tabulator, a carriage return and a backslash.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read, [`Error::VocabularyFile`] when it is no vocabulary or a token is there twice.
pub fn read_vocabulary(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let refuse = |message: String| Error::VocabularyFile { path: path.into(), message };
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".into()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let json = serde_json::from_str::<Value>(text);
    let tokens = match json {
        Ok(Value::Array(list)) => from_list(list),
        Ok(Value::Object(ids)) => from_ids(ids),
        Err(e) if path.extension().is_some_and(|extension| extension == "json") => {
            Err(format!("as JSON: {e}"))
        }
        _ => from_lines(text),
    };
    let tokens = tokens.map_err(refuse)?;
    let mut sorted: Vec<&str> = tokens.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(refuse(format!("the token {:?} is there twice", pair[0]))),
        None if tokens.is_empty() => Err(refuse("it is empty".into())),
        None => Ok(tokens),
    }
}

/// Whether a file is a `tokenizer.json`, and no vocabulary alone.
pub(super) fn is_tokenizer(path: &Path) -> Result<bool> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let json = serde_json::from_slice::<Value>(&bytes).ok();
    Ok(json.is_some_and(|json| json.get("model").is_some_and(Value::is_object)))
}

fn from_list(list: Vec<Value>) -> std::result::Result<Vec<String>, String> {
    let token = |(id, value)| match value {
        Value::String(token) => Ok(token),
        other => Err(format!("entry {id} of the list is {other}, and no text")),
    };
    list.into_iter().enumerate().map(token).collect()
}

fn from_ids(ids: serde_json::Map<String, Value>) -> std::result::Result<Vec<String>, String> {
    let count = ids.len();
    let mut tokens = vec![None; count];
    for (token, id) in ids {
        let place = id.as_u64().and_then(|id| tokens.get_mut(usize::try_from(id).ok()?));
        match place {
            Some(place @ None) => *place = Some(token),
            Some(Some(other)) => return Err(format!("{token:?} and {other:?} have the same id, {id}")),
            None => {
                return Err(format!(
                    "the id of {token:?} is {id}; those of {count} tokens are 0 to {}",
                    count - 1
                ));
            }
        }
    }
    Ok(tokens.into_iter().flatten().collect())
}

fn from_lines(text: &str) -> std::result::Result<Vec<String>, String> {
    let token = |(i, line): (usize, &str)| match line {
        "" => Err(format!("line {} is empty; a line end as a token is written \\n", i + 1)),
        line => Ok(unescaped(line)),
    };
    text.lines().enumerate().map(token).collect()
}

fn unescaped(line: &str) -> String {
    let (mut token, mut chars) = (String::new(), line.chars());
    while let Some(c) = chars.next() {
        let mut ahead = chars.clone();
        let stands_for = match (c, ahead.next()) {
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('r')) => Some('\r'),
            ('\\', Some('\\')) => Some('\\'),
            _ => None,
        };
        match stands_for {
            Some(other) => {
                token.push(other);
                chars = ahead;
            }
            None => token.push(c),
        }
    }
    token
}

impl Tokenizer {
    /// Writes the tokens in the order of their ids, as a list in JSON, which [`read_vocabulary`] reads: whole or not at all. Where tokens
    /// are runs of bytes or come from elsewhere, that says too little, and it is the `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Train`] when the file cannot be written.
    pub fn save_vocabulary(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !matches!(self.config().level, Level::Char | Level::Word) {
            return self.save(path);
        }
        let tokens: Vec<String> = (0..self.vocab_size() as u32).filter_map(|id| self.token(id)).collect();
        let json = serde_json::to_string_pretty(&tokens).map_err(|e| Error::tokenizer("the tokenizer", e))?;
        Ok(gdl_train::atomic_write_bytes(path, json + "\n")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_stand_for_white_space() {
        for (line, token) in
            [("\\n", "\n"), ("\\t\\r", "\t\r"), ("\\\\n", "\\n"), ("\\", "\\"), ("\\o/", "\\o/"), (" ", " ")]
        {
            assert_eq!(unescaped(line), token, "{line}");
        }
    }

    #[test]
    fn lists_objects_and_lines_give_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vocabulary");
        for text in
            ["\\n\n \na\n", "\u{feff}\\n\r\n \r\na", r#"["\n", " ", "a"]"#, r#"{"a": 2, "\n": 0, " ": 1}"#]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_vocabulary(&path).unwrap(), ["\n", " ", "a"], "{text}");
        }
    }

    #[test]
    fn what_is_no_vocabulary_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text, says) in [
            ("a.txt", "a\n\nb", "line 2 is empty"),
            ("a.txt", "a\nb\na", "\"a\" is there twice"),
            ("a.txt", "", "empty"),
            ("a.json", "[", "JSON"),
            ("a.json", "[]", "empty"),
            ("a.json", "[1]", "entry 0"),
            ("a.json", r#"{"a": 1}"#, "the id of \"a\" is 1"),
            ("a.json", r#"{"a": 0, "b": 0}"#, "the same id, 0"),
            ("a.json", r#"{"a": 0, "b": "1"}"#, "the id of \"b\""),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            let error = read_vocabulary(&path).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(name), "{error}");
        }
    }
}
