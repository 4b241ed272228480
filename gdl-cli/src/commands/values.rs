//! Parsers for values that several commands take.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;

/// A finite number that is not negative.
pub(crate) fn non_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        Ok(_) => Err("must be 0 or more".to_string()),
        Err(_) => Err("not a number".to_string()),
    }
}

/// A finite number above zero.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match non_negative(text) {
        Ok(0.0) => Err("must be more than 0".to_string()),
        Err(e) if e.starts_with("must") => Err("must be more than 0".to_string()),
        other => other,
    }
}

/// A probability below 1.
pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    match non_negative(text) {
        Ok(x) if x < 1.0 => Ok(x),
        Ok(_) | Err(_) => Err("must be 0 or more and less than 1".to_string()),
    }
}

/// A whole number of 1 or more.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("must be at least 1".to_string()),
        Ok(n) => Ok(n),
        Err(_) => Err("not a whole number of 1 or more".to_string()),
    }
}

/// The side of a picture in pixels.
pub(crate) fn side(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if (16..=16384).contains(&n) => Ok(n),
        _ => Err("must be a number of pixels from 16 to 16384".to_string()),
    }
}

/// One of a few names, each standing for a value.
pub(crate) fn choice<T: Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
    value: fn(&str) -> T,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).map(move |name| value(&name))
}

/// One of the names by which a library's setting stands in a configuration, with hyphens where it has underscores if
/// you like.
pub(crate) fn named<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    names: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names)
        .try_map(|name| serde_json::from_value::<T>(serde_json::Value::String(name.replace('-', "_"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!((count("3"), count("0").is_err(), side("15").is_err()), (Ok(3), true, true));
        assert!(positive("0").is_err() && non_negative("nan").is_err() && fraction("1").is_err());
    }
}
