//! Numbers, sizes, lengths and moments as pages show them.

use std::time::Duration;

use carnet_events::ids::Timestamp;
use maud::{Markup, html};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `1,204,000`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `38 MiB`, `1.2 GiB`, `512 B`: two digits at least, where there is more than bytes.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of a unit, so that no rounding goes through floating point.
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, 0);
    while tenths >= 10_235 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", (tenths + 5) / 10)
    }
}

/// `12 s`, `20 min`, `3 h 20 min`, `6 d 4 h`: the two largest units that say something.
pub(super) fn lasting(length: Duration) -> String {
    let seconds = length.as_secs();
    let two = |large: u64, name: &str, small: u64, small_name: &str| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {small_name}"),
    };
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        DAY.. => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// A moment, in UTC; scripts show it in the viewer's zone, with UTC on hover.
pub(super) fn time(at: Timestamp) -> Markup {
    let exact = at.to_string();
    // `2026-11-14T10:02:03.000Z`
    let (date, clock) = (exact.get(..10), exact.get(11..16));
    html! {
        time datetime=(exact) { (date.unwrap_or_default()) " " (clock.unwrap_or_default()) " UTC" }
    }
}

/// A moment to the second, in the same manner.
pub(super) fn precise(at: Timestamp) -> Markup {
    let exact = at.to_string();
    let (date, clock) = (exact.get(..10), exact.get(11..19));
    html! {
        time datetime=(exact) data-precise { (date.unwrap_or_default()) " " (clock.unwrap_or_default()) " UTC" }
    }
}

/// How long ago a moment is, kept up by scripts; without them, the moment.
pub(super) fn ago(at: Timestamp) -> Markup {
    let exact = at.to_string();
    html! {
        time datetime=(exact) data-ago { (exact.get(11..19).unwrap_or_default()) " UTC" }
    }
}

/// Reads a moment: RFC 3339, or what a date field of a form sends, which is taken as UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// A moment as a date-time field of a form takes it.
pub(super) fn field_value(at: Timestamp) -> String {
    at.to_string().trim_end_matches('Z').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_the_api_and_as_forms_write_them() {
        let exact: Timestamp = "2026-11-14T10:02:00Z".parse().unwrap();
        for text in [
            "2026-11-14T10:02",
            "2026-11-14T10:02:00",
            "2026-11-14T10:02:00.000",
            "2026-11-14T12:02:00+02:00",
            "2026-11-14 10:02",
        ] {
            assert_eq!(moment(text), Some(exact), "{text}");
        }
        assert_eq!(moment(&field_value(exact)), Some(exact));
        assert_eq!(moment("2026-11-14"), "2026-11-14T00:00:00Z".parse().ok());
        for text in ["", "yesterday", "2026-13-01", "10:02", "1794650523000"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown = [0, 999, 1_000, 45_678, 1_204_000].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "45,678", "1,204,000"]);
    }

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        let shown = [
            0,
            1_023,
            1_024,
            1_536,
            40 << 10,
            1_047_999,
            1 << 20,
            38 << 20,
            5 << 30,
            u64::MAX,
        ]
        .map(bytes);
        assert_eq!(
            shown,
            [
                "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "40 KiB", "1023 KiB", "1.0 MiB", "38 MiB",
                "5.0 GiB", "1638 PiB"
            ]
        );
    }

    #[test]
    fn lengths_say_no_more_than_matters() {
        let shown = [0, 59, 60, 3_599, 3_600, 12_000, 86_399, 86_400, 532_800]
            .map(|seconds| lasting(Duration::from_secs(seconds)));
        assert_eq!(
            shown,
            [
                "0 s",
                "59 s",
                "1 min",
                "59 min",
                "1 h",
                "3 h 20 min",
                "23 h 59 min",
                "1 d",
                "6 d 4 h"
            ]
        );
    }

    #[test]
    fn moments_are_there_for_people_and_for_scripts() {
        let shown = time(Timestamp::EPOCH).into_string();
        let expected = r#"<time datetime="1970-01-01T00:00:00.000Z">1970-01-01 00:00 UTC</time>"#;
        assert_eq!(shown, expected);
    }
}
