//! The vertical axis: where it ends and what is written beside it.

use std::time::Duration;

use crate::http::pages::units::{grouped, lasting};

/// What an axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::pages::operator) enum Unit {
    /// Things.
    Count,
    /// Milliseconds.
    Millis,
}

/// Steps that people count durations in: milliseconds, seconds, minutes, hours.
const MILLIS: [u64; 24] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
    120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000,
];

/// The most steps of an axis.
const STEPS: u64 = 4;

/// An axis from 0 to a round number that nothing is above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    unit: Unit,
    step: u64,
    steps: u64,
}

impl Scale {
    pub(super) fn of(unit: Unit, highest: u64) -> Self {
        let highest = highest.max(1);
        let fits = |step: &u64| step.saturating_mul(STEPS) >= highest;
        let step = match unit {
            Unit::Count => None,
            Unit::Millis => MILLIS.into_iter().find(|step| fits(step)),
        };
        // Beyond the list: 1, 2 and 5 times a power of ten.
        let mut round = (0..20).flat_map(|power| {
            let ten = 10_u64.saturating_pow(power);
            [1, 2, 5].map(|times| ten.saturating_mul(times))
        });
        let step = step
            .or_else(|| round.find(fits))
            .unwrap_or(u64::MAX / STEPS);
        Self {
            unit,
            step,
            steps: highest.div_ceil(step),
        }
    }

    /// The end of the axis.
    pub(super) fn top(self) -> u64 {
        self.step.saturating_mul(self.steps)
    }

    /// `value` as a part of the axis, from 0 to `height`.
    pub(super) fn part(self, value: u64, height: u64) -> u64 {
        let value = u128::from(value.min(self.top())) * u128::from(height);
        u64::try_from(value / u128::from(self.top().max(1))).unwrap_or(height)
    }

    /// The values written beside the axis, the highest first.
    pub(super) fn labels(self) -> impl Iterator<Item = String> {
        (0..=self.steps)
            .rev()
            .map(move |number| show(self.unit, self.step.saturating_mul(number)))
    }

    /// How many steps it has.
    pub(super) fn steps(self) -> u64 {
        self.steps
    }
}

/// A value with its unit.
pub(super) fn show(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Count => grouped(value),
        Unit::Millis => millis(value),
    }
}

/// `0`, `40 ms`, `1.5 s`, `12 s`, `20 min`.
pub(in crate::http::pages::operator) fn millis(value: u64) -> String {
    match value {
        0 => "0".to_owned(),
        1..1_000 => format!("{value} ms"),
        1_000..10_000 if !value.is_multiple_of(1_000) => {
            format!("{}.{} s", value / 1_000, value % 1_000 / 100)
        }
        60_000..3_600_000 if !value.is_multiple_of(60_000) => {
            format!("{} min {} s", value / 60_000, value % 60_000 / 1_000)
        }
        _ => lasting(Duration::from_millis(value)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn labels(unit: Unit, highest: u64) -> Vec<String> {
        Scale::of(unit, highest).labels().collect()
    }

    #[test]
    fn axes_end_at_a_round_number_that_nothing_is_above() {
        assert_eq!(labels(Unit::Count, 0), ["1", "0"]);
        assert_eq!(labels(Unit::Count, 3), ["3", "2", "1", "0"]);
        assert_eq!(labels(Unit::Count, 17), ["20", "15", "10", "5", "0"]);
        assert_eq!(labels(Unit::Count, 4_100).first().unwrap(), "6,000");
        assert_eq!(labels(Unit::Millis, 700).first().unwrap(), "800 ms");
        assert_eq!(labels(Unit::Millis, 90_000).first().unwrap(), "1 min 30 s");
        for highest in (0..5_000).chain([u64::MAX / 3, u64::MAX]) {
            for unit in [Unit::Count, Unit::Millis] {
                let scale = Scale::of(unit, highest);
                assert!(
                    scale.top() >= highest || highest > u64::MAX / 2,
                    "{highest}"
                );
                assert!((1..=5).contains(&scale.steps()), "{highest}");
            }
        }
    }

    #[test]
    fn parts_of_the_axis_stay_within_it() {
        let scale = Scale::of(Unit::Count, 10);
        assert_eq!(scale.part(0, 1_000), 0);
        assert_eq!(scale.part(scale.top(), 1_000), 1_000);
        let huge = Scale::of(Unit::Millis, u64::MAX);
        assert!(huge.part(u64::MAX, 1_000) <= 1_000);
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        let shown = [0, 40, 999, 1_000, 1_540, 12_345, 1_200_000].map(millis);
        assert_eq!(
            shown,
            ["0", "40 ms", "999 ms", "1 s", "1.5 s", "12 s", "20 min"]
        );
    }
}
