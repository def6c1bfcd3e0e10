//! A length of time as people write it in a configuration file: `"7d"`, `"24h"`, `"15m"`, `"30s"`, `"500ms"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time with millisecond precision; one whole number and one unit, so that a value reads one way only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// Units from the largest, which is also the order in which [`Display`](fmt::Display) tries them.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// A span of whole minutes.
    pub const fn minutes(n: u64) -> Self {
        Self::seconds(n * 60)
    }

    /// A span of whole hours.
    pub const fn hours(n: u64) -> Self {
        Self::minutes(n * 60)
    }

    /// A span of days of 24 hours.
    pub const fn days(n: u64) -> Self {
        Self::hours(n * 24)
    }

    /// The span as the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The span in milliseconds, the unit of every stored time.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            format!(
                "{text:?} is not a length of time; write a whole number and one unit, as in \"7d\", \"24h\", \"15m\", \"30s\" or \"500ms\""
            )
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let (_, millis) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(refused)?;
        let millis = number.checked_mul(*millis).ok_or_else(refused)?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        for (name, size) in UNITS {
            if millis >= size && millis.is_multiple_of(size) {
                return write!(f, "{}{name}", millis / size);
            }
        }
        f.write_str("0s")
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_writes_the_shortest_form() {
        for (text, millis, canonical) in [
            ("7d", 604_800_000, "7d"),
            ("24h", 86_400_000, "1d"),
            ("15m", 900_000, "15m"),
            ("90s", 90_000, "90s"),
            ("1500ms", 1_500, "1500ms"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.millis(), millis, "{text}");
            assert_eq!(span.to_string(), canonical);
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }

    #[test]
    fn refuses_what_could_be_read_two_ways() {
        for text in [
            "",
            "7",
            "d",
            "-1d",
            "1.5h",
            "1h30m",
            " 1h",
            "1 h",
            "1H",
            "99999999999999999999d",
            "99999999999999999d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
    }
}
