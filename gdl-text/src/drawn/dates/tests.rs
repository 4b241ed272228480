use super::calendar::Date;
use super::forms::{Case, FORMS, Form};
use super::*;
use std::collections::{HashMap, HashSet};

const THIRD_OF_MARCH: Date = Date { year: 1994, month: 3, day: 3, weekday: 3 };

/// Reads any of the forms, by the rules of the docs and not from their table.
fn read(text: &str) -> Option<(usize, usize, usize, Option<String>)> {
    let small = text.to_lowercase();
    let mut parts = vec![];
    // Cut where digits meet letters, and at anything else.
    for c in small.chars() {
        let kind = if c.is_ascii_digit() {
            1
        } else if c.is_ascii_alphabetic() {
            2
        } else {
            0
        };
        match parts.last_mut() {
            Some((last, part)) if *last == kind => *part = format!("{part}{c}"),
            _ => parts.push((kind, c.to_string())),
        }
    }
    let digits: Vec<&String> = parts.iter().filter(|(k, _)| *k == 1).map(|(_, part)| part).collect();
    let words: Vec<&str> = parts.iter().filter(|(k, _)| *k == 2).map(|(_, part)| part.as_str()).collect();
    let full = |year: &String| {
        let n: usize = year.parse().ok()?;
        Some(if year.len() == 4 {
            n
        } else if n < 50 {
            2000 + n
        } else {
            1900 + n
        })
    };
    let number = |text: &String| text.parse::<usize>().ok();
    let three = |word: &str| word[..word.len().min(3)].to_string();
    let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let weekday = words.iter().map(|w| three(w)).find(|w| weekdays.contains(&w.as_str()));
    let month = words.iter().find_map(|w| months.iter().position(|m| *m == three(w)));
    let (year, month, day) = match (&digits[..], month) {
        ([all], None) if all.len() == 8 => {
            (full(&all[..4].to_string())?, number(&all[4..6].to_string())?, number(&all[6..].to_string())?)
        }
        ([a, b, c], None) if a.len() == 4 => (full(a)?, number(b)?, number(c)?),
        ([a, b, c], None) if small.contains('/') => (full(c)?, number(a)?, number(b)?),
        ([a, b, c], None) if small.contains('.') => (full(c)?, number(b)?, number(a)?),
        ([a, c], None) => {
            let roman = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];
            (full(c)?, roman.iter().position(|r| *r == words[0])? + 1, number(a)?)
        }
        ([a, b], Some(m)) if a.len() == 4 => (full(a)?, m + 1, number(b)?),
        ([a, c], Some(m)) => (full(c)?, m + 1, number(a)?),
        ([], Some(m)) => {
            let name = words.iter().position(|w| months.contains(&three(w).as_str()))?;
            let (before, after) = (&words[..name], &words[name + 1..]);
            if before.contains(&"of") {
                let day: Vec<&str> = before.iter().filter(|w| !["of", "the"].contains(w)).copied().collect();
                let day = day.into_iter().filter(|w| !w.ends_with("day")).collect::<Vec<_>>();
                (said(after)?, m + 1, said(&day)?)
            } else {
                let comma = small.find(',')?;
                let day = small[..comma].split([' ', '-']).skip(1).collect::<Vec<_>>();
                let year = small[comma + 2..].split([' ', '-']).collect::<Vec<_>>();
                (said(&year)?, m + 1, said(&day)?)
            }
        }
        _ => return None,
    };
    Some((year, month, day, weekday))
}

/// Adds up number words: hundreds and thousands multiply, a second two-digit number goes behind the first.
fn said(words: &[&str]) -> Option<usize> {
    let ones = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
                sixteen seventeen eighteen nineteen";
    let ordinals = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth \
                  thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth";
    let tens = "ten twenty thirty forty fifty sixty seventy eighty ninety";
    let index = |list: &str, word: &str| list.split_whitespace().position(|w| w == word).map(|at| at + 1);
    let mut groups: Vec<usize> = vec![];
    let mut may_add = false;
    for word in words {
        let ten = index(tens, word).filter(|&n| n > 1);
        if let Some(n) = ten {
            groups.push(n * 10);
            may_add = true;
        } else if let Some(n) = index(ones, word).or_else(|| index(ordinals, word)) {
            match groups.last_mut() {
                Some(last) if may_add && n < 10 => *last += n,
                _ => groups.push(n),
            }
            may_add = false;
        } else {
            let last = groups.last_mut();
            match *word {
                "hundred" => *last? *= 100,
                "thousand" => *last? *= 1000,
                "oh" => {}
                "twentieth" => groups.push(20),
                "thirtieth" => groups.push(30),
                _ => return None,
            }
            may_add = false;
        }
    }
    match groups[..] {
        [n] => Some(n),
        [thousands, n] if thousands >= 1000 => Some(thousands + n),
        [century, n] => Some(century * 100 + n),
        _ => None,
    }
}

/// The day of the week by Zeller's congruence, from 0 for Saturday.
fn zeller(year: usize, month: usize, day: usize) -> usize {
    let (year, month) = if month < 3 { (year - 1, month + 12) } else { (year, month) };
    let (k, j) = (year % 100, year / 100);
    (day + 13 * (month + 1) / 5 + k + k / 4 + j / 4 + 5 * j) % 7
}

#[test]
fn every_form_reads_back_on_every_day() {
    let names = ["sat", "sun", "mon", "tue", "wed", "thu", "fri"];
    let days = Date::days_before(2101);
    assert_eq!(days, 109_938);
    let mut written = vec![HashSet::new(); FORMS.len()];
    // Days in steps of 11, so that all weekdays come by, and some 60 in a row of each year.
    for n in (0..days).filter(|n| n % 11 == 0 || n % 366 < 60) {
        let date = Date::nth(n);
        for (form, written) in FORMS.iter().zip(&mut written) {
            if form.has_short_year() && !(1950..2050).contains(&date.year) {
                continue;
            }
            let text = form.write(&date);
            let (year, month, day, weekday) = read(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((year, month, day), (date.year, date.month, date.day), "{text}");
            let name = names[zeller(year, month, day)];
            assert!(weekday.is_none_or(|weekday| weekday == name), "{text}: {name}");
            assert_eq!(
                form.0.contains("day}") || form.0.contains("{longer}"),
                text.to_lowercase().contains(name),
                "{text}"
            );
            assert!(written.insert(text.clone()), "{text} is two days");
        }
    }
}

#[test]
fn the_calendar_is_gregorian() {
    let date = |n| (Date::nth(n).iso(), Date::nth(n).weekday);
    assert_eq!(date(0), ("1800-01-01".to_string(), 2));
    // 1800, 1900 and 2100 have no 29 February, 2000 has.
    assert_eq!(date(31 + 28).0, "1800-03-01");
    assert_eq!(date(Date::days_before(2000) + 31 + 28).0, "2000-02-29");
    assert_eq!(date(109_937), ("2100-12-31".to_string(), 4));
    // 20 July 1969 was a Sunday: 201 days into its year.
    assert_eq!(date(Date::days_before(1969) + 200), ("1969-07-20".to_string(), 6));
}

#[test]
fn the_forms_are_as_described() {
    let written = FORMS.map(|form| form.write(&THIRD_OF_MARCH));
    let expected = [
        "1994-03-03",
        "19940303",
        "1994/03/03",
        "1994 Mar 03",
        "03/03/1994",
        "3/3/1994",
        "3/3/94",
        "03.03.1994",
        "3.3.1994",
        "3. 3. 94",
        "3.iii.1994",
        "3 March 1994",
        "3 MARCH 1994",
        "3 march 1994",
        "03 Mar 1994",
        "03MAR1994",
        "3-Mar-1994",
        "3-Mar-94",
        "Mar 3 '94",
        "March 3, 1994",
        "march 3 1994",
        "March 3, 1994",
        "March 3rd, 1994",
        "MARCH 3RD, 1994",
        "3rd March 1994",
        "the 3rd of March, 1994",
        "Thursday, March 3, 1994",
        "Thursday, 3 March 1994",
        "thursday the 3rd of march 1994",
        "Thu, 03 Mar 1994",
        "thurs 3 mar 1994",
        "THU MAR 3 1994",
        "March third, nineteen ninety-four",
        "MARCH THIRD, NINETEEN NINETY-FOUR",
        "the third of March, nineteen ninety-four",
        "Thursday, the third of March, nineteen ninety-four",
    ];
    assert_eq!(written, expected);
    let september = Date { year: 2005, month: 9, day: 21, weekday: 2 };
    assert_eq!(Form("{dots} {d} {m}/{yy} {longer}", Case::Usual).write(&september), "Sept. 21 9/05 Wed");
}

#[test]
fn every_form_and_year_is_drawn() {
    let mut rng = gdl_train::Rng::seed(5);
    let rows: Vec<_> = (0..6_000).filter_map(|_| row(DrawnPart::Train, &mut rng)).collect();
    // 8 in 10 days are for training: 4800 rows with a standard deviation of 31.
    assert!((4_650..4_950).contains(&rows.len()), "{}", rows.len());
    let years: HashSet<&str> = rows.iter().map(|(_, iso)| &iso[..4]).collect();
    assert_eq!(years.len(), 301);
    let days: HashMap<String, Date> = (0..109_938).map(Date::nth).map(|date| (date.iso(), date)).collect();
    for form in &FORMS {
        let written = |(source, iso): &&(String, String)| form.write(&days[iso]) == *source;
        // 4800 rows / 36 forms: 133, with a standard deviation of 11.
        assert!(rows.iter().filter(written).count() > 75, "{form:?}");
    }
    for (source, iso) in &rows {
        let (year, month, day, _) = read(source).unwrap();
        assert_eq!(format!("{year:04}-{month:02}-{day:02}"), *iso, "{source}");
    }
}
