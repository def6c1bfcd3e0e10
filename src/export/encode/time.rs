//! Points in time and dates as databases write them, in the one form that artifacts have.

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan as _};

/// Appends a point in time as RFC 3339 in UTC, without quotes: with milliseconds, or with six or nine digits where fewer would lose some.
/// `false`, and nothing appended, when it isn't one.
///
/// Accepted are `YYYY-MM-DD HH:MM:SS`, with `T` instead of the space, with a fraction of up to nine digits, with `Z` or `±HH:MM`; without
/// either it is in UTC, as SQLite's own functions write it. Numbers are not: whether they count seconds or milliseconds, nobody can tell.
#[must_use]
pub fn write_timestamp(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let Some(parts) = Parts::read(text) else {
        return false;
    };
    if parts.offset_minutes == 0 {
        out.extend_from_slice(text.get(..10).unwrap_or_default());
        out.push(b'T');
        out.extend_from_slice(text.get(11..19).unwrap_or_default());
    } else {
        let span: Span = i64::from(parts.offset_minutes).minutes();
        let Some(utc) = parts
            .local
            .and_then(|local| local.checked_sub(span).ok())
            .filter(|utc| (0..=9999).contains(&utc.year()))
        else {
            return false;
        };
        out.extend_from_slice(utc.strftime("%Y-%m-%dT%H:%M:%S").to_string().as_bytes());
    }
    out.push(b'.');
    let digits = parts
        .fraction
        .iter()
        .rposition(|&digit| digit != b'0')
        .map_or(0, |last| last + 1);
    let width = digits.div_ceil(3).max(1) * 3;
    let given = parts
        .fraction
        .get(..width.min(parts.fraction.len()))
        .unwrap_or_default();
    out.extend_from_slice(given);
    out.resize(out.len() + width - given.len(), b'0');
    out.push(b'Z');
    true
}

/// Appends a date, `YYYY-MM-DD`, without quotes. `false`, and nothing appended, when it isn't one.
#[must_use]
pub fn write_date(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let valid = text.len() == 10 && read_date(text).is_some();
    if valid {
        out.extend_from_slice(text);
    }
    valid
}

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// Appends a point in time, given in microseconds since 1970-01-01 UTC, in the same form. `false`, and nothing appended, when its year is not
/// one of 0000 to 9999.
#[must_use]
pub fn write_timestamp_micros(out: &mut Vec<u8>, micros: i64) -> bool {
    let (days, time) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    if !i32::try_from(days).is_ok_and(|days| write_date_days(out, days)) {
        return false;
    }
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    let [_, _, hour @ ..] = decimals(seconds / 3600);
    let [_, _, minute @ ..] = decimals(seconds / 60 % 60);
    let [_, _, second @ ..] = decimals(seconds % 60);
    let [_, millis @ ..] = decimals(fraction / 1000);
    let [_, beyond @ ..] = decimals(fraction % 1000);
    out.push(b'T');
    out.extend_from_slice(&hour);
    out.push(b':');
    out.extend_from_slice(&minute);
    out.push(b':');
    out.extend_from_slice(&second);
    out.push(b'.');
    out.extend_from_slice(&millis);
    if fraction % 1000 != 0 {
        out.extend_from_slice(&beyond);
    }
    out.push(b'Z');
    true
}

/// Appends a date, given in days since 1970-01-01. `false`, and nothing appended, when its year is not one of 0000 to 9999.
#[must_use]
pub fn write_date_days(out: &mut Vec<u8>, days: i32) -> bool {
    /// Days of 400 years, after which the calendar repeats itself.
    const ERA: i64 = 146_097;
    /// From 0000-03-01 to 1970-01-01. A year that begins in March has its leap day at its end.
    const EPOCH: i64 = 719_468;
    let days = i64::from(days) + EPOCH;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return false;
    }
    let [_, _, month @ ..] = decimals(month);
    let [_, _, day @ ..] = decimals(day);
    out.extend_from_slice(&decimals(year));
    out.push(b'-');
    out.extend_from_slice(&month);
    out.push(b'-');
    out.extend_from_slice(&day);
    true
}

/// The last four decimals of a number that isn't negative.
fn decimals(value: i64) -> [u8; 4] {
    let digit = |place: i64| b'0' + (value / place % 10) as u8;
    [digit(1000), digit(100), digit(10), digit(1)]
}

struct Parts<'a> {
    /// The time as written; only when there is an offset to be taken off.
    local: Option<DateTime>,
    fraction: &'a [u8],
    offset_minutes: i32,
}

impl<'a> Parts<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let date = read_date(text.get(..10)?)?;
        let [
            b'T' | b't' | b' ',
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            rest @ ..,
        ] = text.get(10..)?
        else {
            return None;
        };
        let (hour, minute, second) = (pair(*h1, *h2)?, pair(*m1, *m2)?, pair(*s1, *s2)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, zone) = match rest {
            [b'.', tail @ ..] => {
                let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if !(1..=9).contains(&length) {
                    return None;
                }
                tail.split_at(length)
            }
            _ => (&[][..], rest),
        };
        let offset_minutes = match zone {
            [] | b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (pair(*h1, *h2)?, pair(*m1, *m2)?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let offset = i32::from(hours) * 60 + i32::from(minutes);
                if *sign == b'-' { -offset } else { offset }
            }
            _ => return None,
        };
        let local = (offset_minutes != 0).then(|| date.at(hour, minute, second, 0));
        Some(Self {
            local,
            fraction,
            offset_minutes,
        })
    }
}

fn read_date(text: &[u8]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    let year = i16::from(pair(*y1, *y2)?) * 100 + i16::from(pair(*y3, *y4)?);
    Date::new(year, pair(*m1, *m2)?, pair(*d1, *d2)?).ok()
}

fn pair(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| (byte - b'0') as i8);
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Option<String> {
        let mut out = Vec::new();
        write_timestamp(&mut out, text.as_bytes()).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_accepted_form_becomes_the_one() {
        for (text, written) in [
            ("2024-02-29 23:59:59", "2024-02-29T23:59:59.000Z"),
            ("2024-01-15T10:15:30Z", "2024-01-15T10:15:30.000Z"),
            ("2024-01-15t10:15:30.5z", "2024-01-15T10:15:30.500Z"),
            ("2024-01-15 10:15:30.123000", "2024-01-15T10:15:30.123Z"),
            (
                "2024-01-15 10:15:30.123456+00:00",
                "2024-01-15T10:15:30.123456Z",
            ),
            (
                "2024-01-15 10:15:30.1234567",
                "2024-01-15T10:15:30.123456700Z",
            ),
            ("2024-01-01T01:30:00+02:00", "2023-12-31T23:30:00.000Z"),
            ("2024-01-15 23:30:00.25-05:30", "2024-01-16T05:00:00.250Z"),
            ("0000-01-01 00:00:00", "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(text).as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2024-01-15",
            "2024-01-15 10:15",
            "2024-02-30 00:00:00",
            "2023-02-29 00:00:00",
            "2024-13-01 00:00:00",
            "2024-01-15 24:00:00",
            "2024-01-15 10:15:60",
            "2024-01-15 10:15:30.",
            "2024-01-15 10:15:30.1234567890",
            "2024-01-15 10:15:30+0100",
            "2024-01-15 10:15:30 Z",
            "2024-01-15 10:15:30+24:00",
            "1705312530",
            "2024-1-15 10:15:30",
            "now",
            "9999-12-31 23:59:59-01:00",
            "0000-01-01 00:00:00+01:00",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_days_and_microseconds_are_written_as_the_calendar_has_them() {
        let (low, high) = (
            Date::new(0, 1, 1).unwrap(),
            Date::new(9999, 12, 31).unwrap(),
        );
        let epoch = Date::new(1970, 1, 1).unwrap();
        let mut day = low;
        loop {
            let days = (day - epoch).get_days();
            let mut out = Vec::new();
            assert!(write_date_days(&mut out, days));
            assert_eq!(String::from_utf8(out).unwrap(), day.to_string());
            match day.checked_add(17.days()) {
                Ok(next) if next <= high => day = next,
                _ => break,
            }
        }
        let micros = |micros: i64| {
            let mut out = Vec::new();
            write_timestamp_micros(&mut out, micros).then(|| String::from_utf8(out).unwrap())
        };
        for (given, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_705_313_730_120_000, "2024-01-15T10:15:30.120Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(micros(given).as_deref(), Some(written));
        }
        for beyond in [
            -62_167_219_200_000_001,
            253_402_300_800_000_000,
            i64::MIN,
            i64::MAX,
        ] {
            assert_eq!(micros(beyond), None);
        }
    }

    #[test]
    fn dates_are_dates() {
        let date = |text: &str| write_date(&mut Vec::new(), text.as_bytes());
        assert!(date("2024-02-29"));
        for text in [
            "2023-02-29",
            "2024-02-29 00:00:00",
            "2024-2-29",
            "20240229",
            "",
        ] {
            assert!(!date(text), "{text}");
        }
    }
}
