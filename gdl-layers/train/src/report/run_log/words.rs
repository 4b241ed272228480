//! Figures as a reader wants them.

use candle_core::Device;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A length of time: "2 d 3 h", "1 h 05 min", "3 min 20 s", "12 s".
pub(super) fn duration(time: Duration) -> String {
    let s = time.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86400 => format!("{} h {:02} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86400, s / 3600 % 24),
    }
}

/// A whole number in groups of three: "12,345".
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A rate in three digits or so: "0.532", "12.3", "45,678".
pub(super) fn rate(value: f64) -> String {
    let decimals = if value < 1.0 { 3 } else { 1 + usize::from(value < 10.0) };
    if value < 100.0 { format!("{value:.decimals$}") } else { count(value.round() as u64) }
}

/// Now, in universal time: "2026-11-24 10:49 UTC".
pub(super) fn now() -> String {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or_else(|_| String::new(), |since| moment(since.as_secs()))
}

/// Seconds since 1970 as date and time, by the algorithm of H. Hinnant's `civil_from_days`.
fn moment(seconds: u64) -> String {
    let (days, second) = (seconds / 86400 + 719_468, seconds % 86400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{date:02} {:02}:{:02} UTC", second / 3600, second / 60 % 60)
}

/// A metric's name as a title: "learning_rate" as "Learning rate".
pub(super) fn title(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// What computes.
pub(super) fn device(device: &Device) -> String {
    match device {
        Device::Cpu => format!("CPU, {} threads", gdl_kernels::par::threads()),
        Device::Cuda(_) => "CUDA GPU".into(),
        Device::Metal(_) => "Metal GPU".into(),
    }
}

/// A configuration as rows of names and values: `model.generator.kind`, "resnet".
pub(super) fn settings(config: &serde_json::Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    flatten(config, "", &mut rows);
    rows
}

fn flatten(value: &serde_json::Value, path: &str, rows: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(value, &format!("{path}{dot}{name}"), rows);
            }
        }
        serde_json::Value::String(text) => rows.push((path.into(), text.clone())),
        value => rows.push((path.into(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        let times = [5, 200, 3900, 180_000].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(times, ["5 s", "3 min 20 s", "1 h 05 min", "2 d 2 h"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.5321, 3.456, 12.34, 45678.2].map(rate), ["0.532", "3.46", "12.3", "45,678"]);
        assert_eq!(["learning_rate", "l1", ""].map(title), ["Learning rate", "L1", ""]);
        // date -u -d @N
        let moments = [0, 951_826_020, 1_709_251_199, 1_764_000_000].map(moment);
        let want =
            ["1970-01-01 00:00 UTC", "2000-02-29 12:07 UTC", "2024-02-29 23:59 UTC", "2025-11-24 16:00 UTC"];
        assert_eq!(moments, want);
    }

    #[test]
    fn a_configuration_becomes_rows() {
        let config = serde_json::json!({"model": {"kind": "resnet", "downs": 2}, "list": [1, 2]});
        let mut rows = settings(&config);
        rows.sort();
        let want = [("list", "[1,2]"), ("model.downs", "2"), ("model.kind", "resnet")];
        assert_eq!(rows, want.map(|(a, b)| (a.to_string(), b.to_string())));
    }
}
