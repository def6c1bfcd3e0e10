//! Time as events carry it: milliseconds since the Unix epoch.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidId, serde_as_text};

/// A moment, in milliseconds since the Unix epoch (UTC, leap seconds not counted).
///
/// Events carry it as that integer; people and the API see RFC 3339 in UTC with milliseconds, which is its `Display`.
/// Arithmetic saturates, so that no history, however odd, can make it panic.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// Later than every other moment.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment this much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment this much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// The calendar month (UTC) this moment lies in.
    #[must_use]
    pub fn month(self) -> Month {
        let date = self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
        Month {
            year: date.year().max(0),
            month: date.month(),
        }
    }

    /// The calendar day (UTC) this moment lies in.
    #[must_use]
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_MILLIS))
    }

    /// The same moment for `jiff`; moments beyond the years it knows become the nearest it does.
    fn to_jiff(self) -> jiff::Timestamp {
        let nearest = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(nearest)
    }
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-11-14T10:02:03.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = InvalidId;

    /// Reads RFC 3339 with any offset; what is finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = text.parse::<jiff::Timestamp>().ok();
        moment
            .map(|moment| Self(moment.as_millisecond()))
            .or_else(|| beyond(text))
            .ok_or_else(|| InvalidId::new("time", "it is not RFC 3339 with an offset"))
    }
}

/// A moment in the last hours of the year 9999, which `jiff` leaves out so that every offset stays within it.
fn beyond(text: &str) -> Option<Timestamp> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let (date, time, offset) = (pieces.date(), pieces.time()?, pieces.to_numeric_offset()?);
    if date.year() != 9999 {
        return None;
    }
    let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    let since = date.to_datetime(time).duration_since(epoch);
    let offset = i64::from(offset.seconds()) * 1000;
    let since = i64::try_from(since.as_millis()).ok()?;
    Some(Timestamp(since - offset))
}

/// A calendar day in UTC, written `yyyy-mm-dd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = Timestamp(self.0.saturating_mul(DAY_MILLIS)).to_jiff();
        let date = begin.to_zoned(jiff::tz::TimeZone::UTC).date();
        write!(
            f,
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        )
    }
}

/// A calendar month in UTC, written `yyyy-mm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId::new("month", "it is not `yyyy-mm`");
        let (year, month) = text.split_once('-').ok_or(invalid)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(invalid);
        }
        let (year, month) = (
            year.parse().map_err(|_| invalid)?,
            month.parse().map_err(|_| invalid)?,
        );
        if (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(invalid)
        }
    }
}

serde_as_text!(Month);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_show_as_rfc_3339_and_travel_as_integers() {
        let time: Timestamp = "2026-11-14T12:02:03+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-14T10:02:03.000Z");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(serde_json::to_string(&time).unwrap(), "1794650523000");
        assert_eq!(time.month().to_string(), "2026-11");
        assert_eq!(time.day().to_string(), "2026-11-14");
        assert_eq!(Timestamp(-1).day().to_string(), "1969-12-31");
        assert!("2026-11-14".parse::<Timestamp>().is_err());
    }

    #[test]
    fn the_last_hours_of_the_last_year_are_times_too() {
        for (text, millis) in [
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("9999-12-31T23:59:59.999+00:00", 253_402_300_799_999),
            ("9999-12-31T23:59:59-01:00", 253_402_304_399_000),
            ("9999-12-30T22:00:00Z", 253_402_207_200_000),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(millis)), "{text}");
        }
        for text in ["9999-12-31T23:59:59", "9999-12-31", "9999-12-32T00:00:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let time = Timestamp::from_millis(5);
        assert_eq!(time.plus(Duration::from_millis(7)).as_millis(), 12);
        assert_eq!(time.minus(Duration::from_millis(7)).as_millis(), -2);
        assert_eq!(time.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(time.since(Timestamp::EPOCH), Duration::from_millis(5));
        assert_eq!(Timestamp::EPOCH.since(time), Duration::ZERO);
    }

    #[test]
    fn no_moment_is_beyond_showing() {
        for millis in [i64::MIN, -1, 0, i64::MAX] {
            let time = Timestamp::from_millis(millis);
            assert!(time.to_string().ends_with('Z'));
            assert_eq!(time.month().to_string().parse(), Ok(time.month()));
        }
    }

    #[test]
    fn months_are_read_strictly() {
        assert!("2026-11".parse::<Month>().is_ok());
        for text in [
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "+026-11",
            "2026-11-14",
            "",
        ] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
