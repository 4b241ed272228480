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

/// A probability.
pub(crate) fn probability(text: &str) -> Result<f64, String> {
    match non_negative(text) {
        Ok(x) if x <= 1.0 => Ok(x),
        Ok(_) | Err(_) => Err("must lie between 0 and 1".to_string()),
    }
}

/// A probability above zero.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match probability(text) {
        Ok(x) if x > 0.0 => Ok(x),
        Ok(_) | Err(_) => Err("must be more than 0 and at most 1".to_string()),
    }
}

/// A finite number.
pub(crate) fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) | Err(_) => Err("not a number".to_string()),
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

/// A size in memory: a number with GB, MB or kB (thousands), GiB, MiB or KiB (1024s), or B after it.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let says = || format!("must be a size like 4GB, 1.5GiB or 800MB, not {text:?}");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(says)?;
    let (number, unit) = text.split_at(split);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024f64,
        "mib" => 1024f64.powi(2),
        "gib" => 1024f64.powi(3),
        "tib" => 1024f64.powi(4),
        _ => return Err(says()),
    };
    match number.trim().parse::<f64>() {
        // A float of that size is a whole number.
        Ok(x) if x > 0.0 && x * unit >= 1.0 && x * unit < 1e18 => Ok((x * unit) as u64),
        _ => Err(says()),
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
        assert_eq!((bytes("4GB"), bytes("1.5 gib")), (Ok(4_000_000_000), Ok(3 << 29)));
        assert_eq!((bytes("800MB"), bytes("64kib")), (Ok(800_000_000), Ok(1 << 16)));
        for text in ["4", "GB", "", "-1GB", "0MB", "4 apples", "nanGB", "infGB", "1e30GB", "0.1B", "4GBs"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(
            share("0").is_err()
                && share("1.5").is_err()
                && (share("1"), probability("0")) == (Ok(1.0), Ok(0.0))
        );
        assert!(finite("inf").is_err() && finite("-2").is_ok());
        assert!(positive("0").is_err() && non_negative("nan").is_err() && fraction("1").is_err());
    }
}
