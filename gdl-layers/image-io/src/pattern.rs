use crate::error::{Error, Result};
use crate::folder::has_known_extension;
use crate::images_at;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// What an input argument names, in natural order (`frame2` before `frame10`): the file, every image in the folder, or, if
/// there is nothing of that name, every image that fits the pattern (`frames/*.png`).
///
/// A pattern has `*`, `?`, `[a-z]` and `**` for folders of any depth, as in the crate `glob`. As in a folder, images are known
/// by extension and hidden files are left out.
///
/// # Errors
/// As [`images_at`]; a pattern that makes no sense or that no image fits.
pub fn expand_pattern(pattern: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = pattern.as_ref();
    let pattern = path.to_str().filter(|p| p.contains(['*', '?', '[']) && !path.exists());
    let mut found = match pattern {
        None => images_at(path)?,
        Some(pattern) => matching(pattern)?,
    };
    found.sort_by(|a, b| natural(a, b));
    Ok(found)
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|e| Error::BadPattern { pattern: pattern.into(), reason: e.to_string() })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|e| {
            let folder = e.path().to_path_buf();
            Error::read(&folder, e.into())
        })?;
        if has_known_extension(&path) && path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Error::NoMatch { pattern: pattern.into() });
    }
    Ok(found)
}

/// Folder by folder; digits that stand together count as a number.
fn natural(a: &Path, b: &Path) -> Ordering {
    let names = |p: &Path| p.iter().map(|n| n.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let (ours, theirs) = (names(a), names(b));
    let by_name = ours.iter().zip(&theirs).map(|(a, b)| natural_name(a, b)).find(|o| o.is_ne());
    by_name.unwrap_or_else(|| ours.len().cmp(&theirs.len())).then_with(|| a.cmp(b))
}

fn natural_name(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let order = match (digits(a), digits(b)) {
            (0, 0) => {
                let (x, y) = (a.chars().next(), b.chars().next());
                let (Some(x), Some(y)) = (x, y) else { return x.cmp(&y) };
                (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
                x.cmp(&y)
            }
            (0, _) | (_, 0) => return a.cmp(b),
            (n, m) => {
                let (x, y) = (a[..n].trim_start_matches('0'), b[..m].trim_start_matches('0'));
                (a, b) = (&a[n..], &b[m..]);
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}
