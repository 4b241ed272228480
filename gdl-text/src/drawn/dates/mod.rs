mod calendar;
mod forms;
mod spelled;

use super::{DrawnPart, choose};
use calendar::Date;
use gdl_train::Rng;

/// Years of the dates, and those that two digits can stand for.
const YEARS: (usize, usize) = (1800, 2100);
const SHORT_YEARS: (usize, usize) = (1950, 2049);

pub(super) fn row(part: DrawnPart, rng: &mut Rng) -> Option<(String, String)> {
    let form = choose(rng, &forms::FORMS);
    let (first, last) = if form.has_short_year() { SHORT_YEARS } else { YEARS };
    let (from, to) = (Date::days_before(first), Date::days_before(last + 1));
    let date = Date::nth(from + rng.below(to - from));
    let iso = date.iso();
    (DrawnPart::of(&iso) == part).then(|| (form.write(&date), iso))
}

#[cfg(test)]
mod tests;
