use super::YEARS;

const MONTH_DAYS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// 1 January 1800 was a Wednesday; Monday is 0.
const FIRST_WEEKDAY: usize = 2;

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: usize,
    /// From 1.
    pub(super) month: usize,
    /// From 1.
    pub(super) day: usize,
    /// From 0 for Monday.
    pub(super) weekday: usize,
}

fn is_leap(year: usize) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn year_days(year: usize) -> usize {
    365 + usize::from(is_leap(year))
}

impl Date {
    /// Days from the first of all to the first of that year.
    pub(super) fn days_before(year: usize) -> usize {
        (YEARS.0..year).map(year_days).sum()
    }

    /// So many days after the first.
    pub(super) fn nth(n: usize) -> Self {
        let (mut year, mut left) = (YEARS.0, n);
        while left >= year_days(year) {
            left -= year_days(year);
            year += 1;
        }
        let mut month = 1;
        for days in MONTH_DAYS {
            let days = days + usize::from(month == 2 && is_leap(year));
            if left < days {
                break;
            }
            left -= days;
            month += 1;
        }
        Self { year, month, day: left + 1, weekday: (FIRST_WEEKDAY + n) % 7 }
    }

    pub(super) fn iso(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}
