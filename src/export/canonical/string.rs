//! String literals, and the order that keys stand in.

use std::cmp::Ordering;

/// For each byte: 0 when it stands for itself, else the letter of its short escape, `u` for the long one.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0A] = b'n';
    table[0x0C] = b'f';
    table[0x0D] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Whether a byte can't stand for itself inside a string literal.
#[must_use]
pub const fn needs_escape(byte: u8) -> bool {
    ESCAPES[byte as usize] != 0
}

/// Appends `text` as a string literal, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Appends the inside of a string literal for a text given as UTF-8.
pub fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| needs_escape(byte)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let [byte, after @ ..] = tail else { return };
        match ESCAPES[usize::from(*byte)] {
            b'u' => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xF));
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[high], HEX[low]]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Compares two keys by their UTF-16 code units.
///
/// That differs from the order of their bytes in one place: characters beyond U+FFFF are surrogates (D800–DFFF) in
/// UTF-16 and so come before U+E000–U+FFFF, whose UTF-8 begins with EE or EF; theirs begins with F0 or more.
#[must_use]
pub fn compare_keys(a: &str, b: &str) -> Ordering {
    let raised = |byte: u8| {
        if matches!(byte, 0xEE | 0xEF) {
            byte + 0x10
        } else {
            byte
        }
    };
    match a.bytes().zip(b.bytes()).find(|(a, b)| a != b) {
        Some((a, b)) => raised(a).cmp(&raised(b)),
        None => a.len().cmp(&b.len()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_the_shortest_allowed() {
        let mut out = Vec::new();
        write_string(
            &mut out,
            "\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{80}\u{2028}😀",
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\u{7f}\u{80}\u{2028}😀\""
        );
    }

    proptest! {
        #[test]
        fn keys_sort_by_their_utf16(a in any::<String>(), b in any::<String>()) {
            prop_assert_eq!(compare_keys(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
        }

        #[test]
        fn keys_sort_by_their_utf16_where_it_matters(
            a in "[\u{e000}-\u{ffff}\u{10000}-\u{10ffff}a]{0,4}",
            b in "[\u{e000}-\u{ffff}\u{10000}-\u{10ffff}a]{0,4}",
        ) {
            prop_assert_eq!(compare_keys(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
        }

        #[test]
        fn strings_are_those_of_an_independent_canonicaliser(text in any::<String>()) {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(out, serde_json_canonicalizer::to_vec(&text).unwrap());
        }
    }
}
