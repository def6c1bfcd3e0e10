//! Keeps spreadsheets from taking text for a formula, reversibly.
//!
//! A text that begins with `=`, `+`, `-`, `@`, a tab or a line break, with the full-width form of one of them, or with one of them after
//! spaces, a byte order mark or zero-width characters, gets one leading `'`. A text that begins with `'` gets one too: so every neutralised
//! text begins with a `'` that was put there, and [`restore`] takes it off again.

/// The version of these rules; part of every policy. To be raised with any change to what is neutralised.
pub const VERSION: u32 = 1;

/// What is put before a text.
pub const MARK: char = '\'';

/// Whether `text` gets the mark.
#[must_use]
pub fn needed(text: &str) -> bool {
    // Most texts begin with a letter or digit, which decides it.
    if text
        .as_bytes()
        .first()
        .is_none_or(u8::is_ascii_alphanumeric)
    {
        return false;
    }
    if text.starts_with(MARK) {
        return true;
    }
    text.chars()
        .find(|&character| is_formula_lead(character) || !is_skipped(character))
        .is_some_and(is_formula_lead)
}

/// The text as it was before it was neutralised.
#[must_use]
pub fn restore(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

const fn is_formula_lead(character: char) -> bool {
    matches!(
        character,
        '=' | '+'
            | '-'
            | '@'
            | '\t'
            | '\r'
            | '\n'
            | '\u{FF1D}'
            | '\u{FF0B}'
            | '\u{FF0D}'
            | '\u{FF20}'
    )
}

/// What a spreadsheet may strip or not show before it looks at a text.
fn is_skipped(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn neutralised(text: &str) -> String {
        if needed(text) {
            format!("{MARK}{text}")
        } else {
            text.to_owned()
        }
    }

    #[test]
    fn what_a_spreadsheet_may_run_is_marked() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "\nx",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            " =1",
            "   \u{a0}\u{3000}+1",
            "\u{feff}=1",
            "\u{200b}\u{2060}-1",
            " \u{feff} ＝1",
            " \n",
            "\u{b}=1",
            "'=1",
            "'",
            "''",
        ] {
            assert!(needed(text), "{text:?}");
        }
    }

    #[test]
    fn all_else_is_left_alone() {
        for text in [
            "",
            " ",
            "a=1",
            "1-2",
            "«=»",
            "\"=1\"",
            "#=1",
            "\u{feff}",
            "\u{200b} a =",
            "’=1",
            " '",
            "−1",
            "日本",
        ] {
            assert!(!needed(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_reversible(text in "[=+@'\t\r\n \u{feff}＝a-]{0,4}") {
            let marked = neutralised(&text);
            prop_assert_eq!(restore(&marked), text);
        }

        #[test]
        fn it_is_reversible_for_any_text(text in any::<String>()) {
            let marked = neutralised(&text);
            prop_assert_eq!(restore(&marked), text);
        }
    }
}
