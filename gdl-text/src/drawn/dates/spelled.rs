//! Numbers in words.

const SMALL: [&str; 20] = [
    "",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 20] = [
    "",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// `ninety-four`, from 1 to 99.
fn cardinal(n: usize) -> String {
    match (n / 10, n % 10) {
        (0 | 1, _) => SMALL[n].to_string(),
        (tens, 0) => TENS[tens].to_string(),
        (tens, ones) => format!("{}-{}", TENS[tens], SMALL[ones]),
    }
}

/// `twenty-third`, from 1 to 39.
pub(super) fn ordinal(n: usize) -> String {
    match n {
        20 => "twentieth".to_string(),
        30 => "thirtieth".to_string(),
        0..20 => ORDINALS[n].to_string(),
        _ => format!("{}-{}", TENS[n / 10], ORDINALS[n % 10]),
    }
}

/// `23rd`.
pub(super) fn short_ordinal(n: usize) -> String {
    let end = match (n / 10, n % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

/// `nineteen ninety-four`, `nineteen oh five`, `nineteen hundred`; `two thousand five` from 2000 to 2009.
pub(super) fn year(n: usize) -> String {
    let (century, rest) = (n / 100, n % 100);
    match (century, rest) {
        (20, 0) => "two thousand".to_string(),
        (20, 1..10) => format!("two thousand {}", cardinal(rest)),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..10) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_they_are_said() {
        let years = [1800, 1805, 1812, 1900, 1994, 2000, 2009, 2010, 2040, 2100].map(year);
        let said = [
            "eighteen hundred",
            "eighteen oh five",
            "eighteen twelve",
            "nineteen hundred",
            "nineteen ninety-four",
            "two thousand",
            "two thousand nine",
            "twenty ten",
            "twenty forty",
            "twenty-one hundred",
        ];
        assert_eq!(years, said);
        let said = ["first", "ninth", "twelfth", "twentieth", "twenty-second", "thirtieth", "thirty-first"];
        assert_eq!([1, 9, 12, 20, 22, 30, 31].map(ordinal), said);
        let short = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "30th"];
        assert_eq!([1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30].map(short_ordinal), short);
    }
}
