//! Reasons in people's own words, a sentence or two: kept in a directory, never in an event.

/// The most characters of one. Fields of forms count in UTF-16, which never comes to fewer: what fits there fits here.
pub(super) const MAX_CHARACTERS: usize = 1_000;

/// Whether a reason is no longer than any may be.
pub(super) fn fits(reason: &str) -> bool {
    reason.chars().nth(MAX_CHARACTERS).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_measured_in_characters() {
        assert!(fits("") && fits(&"é".repeat(MAX_CHARACTERS)));
        assert!(!fits(&"e".repeat(MAX_CHARACTERS + 1)));
    }
}
