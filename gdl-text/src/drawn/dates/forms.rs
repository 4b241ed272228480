use super::calendar::Date;
use super::spelled;
use crate::drawn::template::fill;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// As American newspapers abbreviate them.
const MONTHS_WITH_DOTS: [&str; 12] =
    ["Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."];
const ROMAN: [&str; 12] = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const LONGER_WEEKDAYS: [&str; 7] = ["Mon", "Tues", "Wed", "Thurs", "Fri", "Sat", "Sun"];

/// In which letters a form is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Usual,
    Capitals,
    Small,
}

/// A way of writing dates: a template and its letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form(pub(super) &'static str, pub(super) Case);

use Case::{Capitals, Small, Usual};

/// Slots: `d` and `dd`, `m` and `mm`, `yy` and `yyyy` are digits; `ord` is 3rd, `ordinal` is third and `year`
/// is in words.
pub(super) const FORMS: [Form; 36] = [
    Form("{yyyy}-{mm}-{dd}", Usual),
    Form("{yyyy}{mm}{dd}", Usual),
    Form("{yyyy}/{mm}/{dd}", Usual),
    Form("{yyyy} {mon} {dd}", Usual),
    Form("{mm}/{dd}/{yyyy}", Usual),
    Form("{m}/{d}/{yyyy}", Usual),
    Form("{m}/{d}/{yy}", Usual),
    Form("{dd}.{mm}.{yyyy}", Usual),
    Form("{d}.{m}.{yyyy}", Usual),
    Form("{d}. {m}. {yy}", Usual),
    Form("{d}.{roman}.{yyyy}", Usual),
    Form("{d} {month} {yyyy}", Usual),
    Form("{d} {month} {yyyy}", Capitals),
    Form("{d} {month} {yyyy}", Small),
    Form("{dd} {mon} {yyyy}", Usual),
    Form("{dd}{mon}{yyyy}", Capitals),
    Form("{d}-{mon}-{yyyy}", Usual),
    Form("{d}-{mon}-{yy}", Usual),
    Form("{mon} {d} '{yy}", Usual),
    Form("{month} {d}, {yyyy}", Usual),
    Form("{month} {d} {yyyy}", Small),
    Form("{dots} {d}, {yyyy}", Usual),
    Form("{month} {ord}, {yyyy}", Usual),
    Form("{month} {ord}, {yyyy}", Capitals),
    Form("{ord} {month} {yyyy}", Usual),
    Form("the {ord} of {month}, {yyyy}", Usual),
    Form("{weekday}, {month} {d}, {yyyy}", Usual),
    Form("{weekday}, {d} {month} {yyyy}", Usual),
    Form("{weekday} the {ord} of {month} {yyyy}", Small),
    Form("{day}, {dd} {mon} {yyyy}", Usual),
    Form("{longer} {d} {mon} {yyyy}", Small),
    Form("{day} {mon} {d} {yyyy}", Capitals),
    Form("{month} {ordinal}, {year}", Usual),
    Form("{month} {ordinal}, {year}", Capitals),
    Form("the {ordinal} of {month}, {year}", Usual),
    Form("{weekday}, the {ordinal} of {month}, {year}", Usual),
];

impl Form {
    pub(super) fn has_short_year(&self) -> bool {
        self.0.contains("{yy}")
    }

    pub(super) fn write(&self, date: &Date) -> String {
        let text = fill(self.0, |slot| value(slot, date)).text;
        match self.1 {
            Usual => text,
            Capitals => text.to_uppercase(),
            Small => text.to_lowercase(),
        }
    }
}

fn value(slot: &str, &Date { year, month, day, weekday }: &Date) -> String {
    match slot {
        "d" => day.to_string(),
        "dd" => format!("{day:02}"),
        "ord" => spelled::short_ordinal(day),
        "ordinal" => spelled::ordinal(day),
        "m" => month.to_string(),
        "mm" => format!("{month:02}"),
        "mon" => MONTHS[month - 1][..3].to_string(),
        "month" => MONTHS[month - 1].to_string(),
        "dots" => MONTHS_WITH_DOTS[month - 1].to_string(),
        "roman" => ROMAN[month - 1].to_string(),
        "yy" => format!("{:02}", year % 100),
        "year" => spelled::year(year),
        "weekday" => WEEKDAYS[weekday].to_string(),
        "day" => WEEKDAYS[weekday][..3].to_string(),
        "longer" => LONGER_WEEKDAYS[weekday].to_string(),
        _ => year.to_string(),
    }
}
