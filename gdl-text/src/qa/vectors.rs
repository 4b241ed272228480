use crate::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};

/// Vectors of words that were learnt elsewhere, in GloVe's text format: a word and its numbers in each line, with spaces between them.
///
/// # Example
/// ```
/// use gdl_text::qa::Vectors;
/// use std::collections::HashSet;
///
/// let wanted = HashSet::from(["fox".to_string(), "crow".to_string()]);
/// let vectors = Vectors::from_reader("memory", "the 0.1 -0.2\nfox 0.5 1e-3\n".as_bytes(), &wanted)?;
/// assert_eq!((vectors.size(), vectors.len()), (2, 1));
/// assert_eq!(vectors.get("fox"), Some(&[0.5, 0.001][..]));
/// let error = Vectors::from_reader("memory", "the 0.1 -0.2\nfox 0.5\n".as_bytes(), &wanted).unwrap_err();
/// assert_eq!(error.to_string(), "memory, line 2: expected a word and 2 numbers, as before, found 1 behind \"fox\"");
/// # Ok::<(), gdl_text::Error>(())
/// ```
///
/// # Source
/// Pennington, Socher and Manning 2014, <https://nlp.stanford.edu/projects/glove/>. A first line of two whole numbers, with which word2vec's
/// and fastText's files begin, is passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    origin: String,
    size: usize,
    words: HashMap<String, Vec<f32>>,
}

impl Vectors {
    /// Reads the vectors of some words from a reader, which is read to its end and of which only they are kept; of a word that comes
    /// twice, the first. `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Read`] when it cannot be read, [`Error::Table`] with the line for other than one count of finite numbers or no UTF-8,
    /// [`Error::Empty`] when there is no vector.
    pub fn from_reader(
        origin: impl Into<String>,
        reader: impl Read,
        wanted: &HashSet<String>,
    ) -> Result<Self> {
        let origin = origin.into();
        let mut reader = BufReader::new(reader);
        let (mut size, mut words, mut bytes) = (None, HashMap::new(), Vec::new());
        for number in 1.. {
            bytes.clear();
            let read = reader.read_until(b'\n', &mut bytes);
            if read.map_err(|source| Error::Read { path: origin.clone().into(), source })? == 0 {
                break;
            }
            let wrong = |message| Error::Table { origin: origin.clone(), line: number, message };
            let line = std::str::from_utf8(&bytes).map_err(|e| wrong(format!("not UTF-8: {e}")))?;
            let line = line.trim_end_matches(['\n', '\r', ' ']);
            let Some((word, rest)) = line.split_once(' ') else {
                return Err(wrong("expected a word and numbers behind it, with spaces between them".into()));
            };
            if number == 1 && [word, rest].iter().all(|field| field.parse::<usize>().is_ok()) {
                continue;
            }
            let found = rest.split(' ').count();
            let expected = *size.get_or_insert(found);
            if found != expected {
                let message = format!(
                    "expected a word and {expected} numbers, as before, found {found} behind {word:?}"
                );
                return Err(wrong(message));
            }
            if wanted.contains(word) && !words.contains_key(word) {
                let read = |field: &str| match field.parse::<f32>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    _ => Err(wrong(format!("expected numbers behind {word:?}, found {field:?}"))),
                };
                words.insert(word.to_string(), rest.split(' ').map(read).collect::<Result<Vec<f32>>>()?);
            }
        }
        match size {
            Some(size) => Ok(Self { origin, size, words }),
            None => Err(Error::Empty { origin }),
        }
    }

    /// Where they came from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Numbers of each.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The vector of a word.
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        self.words.get(word).map(Vec::as_slice)
    }
}

#[cfg(not(feature = "files"))]
impl Vectors {
    /// In place of the one that reads a file: settings that name one are refused.
    pub(super) fn open(path: &std::path::Path, _: &HashSet<String>) -> Result<Self> {
        let message = format!("{} cannot be read: the feature `files` is off", path.display());
        Err(Error::setting("vectors", message))
    }
}
