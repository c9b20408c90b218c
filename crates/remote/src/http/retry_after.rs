//! When a server wants to be asked again: the `Retry-After` header, RFC 9110, section 10.2.3.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds, or a date of the preferred form; `None` for anything else.
///
/// A date counts from the server's own `Date`, so that two clocks that differ do no harm, and from
/// this machine's clock without one. One that has passed is no wait.
pub(super) fn parse(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = seconds_of(value)?;
    let now = date.and_then(|date| seconds_of(date.trim())).or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    })?;
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(date: &str) -> Option<u64> {
    let parts: Vec<&str> = date.split_once(", ")?.1.split(' ').collect();
    let &[day, month, year, time, "GMT"] = parts.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let (day, year) = (number(day, 1, 31)?, number(year, 1970, 9999)?);
    let time: Vec<&str> = time.split(':').collect();
    let &[hours, minutes, seconds] = time.as_slice() else { return None };
    let time =
        number(hours, 0, 23)? * 3600 + number(minutes, 0, 59)? * 60 + number(seconds, 0, 60)?;
    // Days from the first of March of the year 0, so that the leap day is the last of a year.
    let (shifted, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + day - 1;
    Some((days - DAYS_TO_1970) * 86_400 + time)
}

fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (least..=most).contains(number))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(parse(" 119 ", None), Some(Duration::from_secs(119)));
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds_of("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_neither_is_no_wait() {
        for wrong in ["", "soon", "-1", "1.5", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 6 Nov"] {
            assert_eq!(parse(wrong, None), None, "{wrong}");
        }
    }
}
