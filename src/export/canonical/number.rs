//! Numbers in ECMAScript's form, which RFC 8785 asks for.

/// The largest integer that every reader of JSON takes as it is: 2^53 − 1.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// Appends a double in ECMAScript's form. `false`, and nothing appended, for NaN and the infinities: JSON has no word for them.
#[must_use]
pub fn write_double(out: &mut Vec<u8>, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    true
}

/// Appends an integer in decimal.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    // The longest is -9223372036854775808.
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends a JSON number literal in canonical form. `false`, and nothing appended, when it doesn't survive as a double.
///
/// It survives when the nearest double, written with as many digits, has the same ones: `0.10000000000000001` does, `9007199254740993`,
/// `90071992547409.93`, `1e400` and `3.14159265358979323846` don't. A fraction with exactly 17 digits is how programs write doubles, and
/// not all round the last digit alike (RFC 8785's own example has 333333333.33333329): it is taken for the double it denotes.
///
/// `literal` must be a number literal of RFC 8259.
#[must_use]
pub fn write_literal(out: &mut Vec<u8>, literal: &str) -> bool {
    let Ok(value) = literal.parse::<f64>() else {
        return false;
    };
    if !value.is_finite() {
        return false;
    }
    let mut buffer = ryu_js::Buffer::new();
    let written = buffer.format_finite(value);
    if written != literal && !same_decimal(written, literal) && !says_the_same(value, literal) {
        return false;
    }
    out.extend_from_slice(written.as_bytes());
    true
}

/// Whether two literals are the same decimal number, exactly.
fn same_decimal(a: &str, b: &str) -> bool {
    match (Decimal::read(a), Decimal::read(b)) {
        (Some(a), Some(b)) => a.same(&b),
        _ => false,
    }
}

/// Whether a literal's digits are all those of the double, rounded to as many.
fn says_the_same(value: f64, literal: &str) -> bool {
    Decimal::read(literal).is_some_and(|read| match read.digits() {
        0 | MAX_DIGITS.. => false,
        DOUBLE_DIGITS if !read.is_integer() => true,
        digits => Decimal::read(&format!("{value:.*e}", digits - 1))
            .is_some_and(|exact| exact.same(&read)),
    })
}

/// As many digits as tell any two doubles apart.
const DOUBLE_DIGITS: usize = 17;

/// No double has as many significant digits.
const MAX_DIGITS: usize = 800;

/// `±0.d₁d₂… × 10^exponent`, where d₁ and the last digit aren't zero; zero has no digits.
struct Decimal<'a> {
    negative: bool,
    exponent: i64,
    integer: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    fn read(literal: &'a str) -> Option<Self> {
        let (negative, unsigned) = match literal.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, literal),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let integer = integer.trim_start_matches('0').as_bytes();
        let mut fraction = fraction.trim_end_matches('0').as_bytes();
        let mut exponent = exponent.checked_add(i64::try_from(integer.len()).ok()?)?;
        let mut integer = integer;
        if integer.is_empty() {
            while let [b'0', rest @ ..] = fraction {
                fraction = rest;
                exponent = exponent.checked_sub(1)?;
            }
        }
        if fraction.is_empty() {
            while let [rest @ .., b'0'] = integer {
                integer = rest;
            }
        }
        let zero = integer.is_empty() && fraction.is_empty();
        Some(Self {
            negative: negative && !zero,
            exponent: if zero { 0 } else { exponent },
            integer,
            fraction,
        })
    }

    fn digits(&self) -> usize {
        self.integer.len() + self.fraction.len()
    }

    fn is_integer(&self) -> bool {
        i64::try_from(self.digits()).is_ok_and(|digits| self.exponent >= digits)
    }

    fn same(&self, other: &Self) -> bool {
        self.negative == other.negative
            && self.exponent == other.exponent
            && self
                .integer
                .iter()
                .chain(self.fraction)
                .eq(other.integer.iter().chain(other.fraction))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn double(value: f64) -> Option<String> {
        let mut out = Vec::new();
        write_double(&mut out, value).then(|| String::from_utf8(out).unwrap())
    }

    fn literal(text: &str) -> Option<String> {
        let mut out = Vec::new();
        write_literal(&mut out, text).then(|| String::from_utf8(out).unwrap())
    }

    /// RFC 8785, appendix B: the bits of a double and how it is written.
    #[test]
    fn the_examples_of_rfc_8785_appendix_b() {
        for (bits, written) in [
            (0x0000_0000_0000_0000, Some("0")),
            (0x8000_0000_0000_0000, Some("0")),
            (0x0000_0000_0000_0001, Some("5e-324")),
            (0x8000_0000_0000_0001, Some("-5e-324")),
            (0x7fef_ffff_ffff_ffff, Some("1.7976931348623157e+308")),
            (0xffef_ffff_ffff_ffff, Some("-1.7976931348623157e+308")),
            (0x4340_0000_0000_0000, Some("9007199254740992")),
            (0xc340_0000_0000_0000, Some("-9007199254740992")),
            (0x4430_0000_0000_0000, Some("295147905179352830000")),
            (0x7fff_ffff_ffff_ffff, None),
            (0x7ff0_0000_0000_0000, None),
            (0x44b5_2d02_c7e1_4af5, Some("9.999999999999997e+22")),
            (0x44b5_2d02_c7e1_4af6, Some("1e+23")),
            (0x44b5_2d02_c7e1_4af7, Some("1.0000000000000001e+23")),
            (0x444b_1ae4_d6e2_ef4e, Some("999999999999999700000")),
            (0x444b_1ae4_d6e2_ef4f, Some("999999999999999900000")),
            (0x444b_1ae4_d6e2_ef50, Some("1e+21")),
            (0x3eb0_c6f7_a0b5_ed8c, Some("9.999999999999997e-7")),
            (0x3eb0_c6f7_a0b5_ed8d, Some("0.000001")),
            (0x41b3_de43_5555_5553, Some("333333333.3333332")),
            (0x41b3_de43_5555_5554, Some("333333333.33333325")),
            (0x41b3_de43_5555_5555, Some("333333333.3333333")),
            (0x41b3_de43_5555_5556, Some("333333333.3333334")),
            (0x41b3_de43_5555_5557, Some("333333333.33333343")),
            (0xbecb_f647_612f_3696, Some("-0.0000033333333333333333")),
            (0x4314_3ff3_c1cb_0959, Some("1424953923781206.2")),
        ] {
            assert_eq!(
                double(f64::from_bits(bits)).as_deref(),
                written,
                "{bits:016x}"
            );
        }
        assert_eq!(double(1e-7).as_deref(), Some("1e-7"));
    }

    #[test]
    fn literals_survive_when_no_digit_is_lost() {
        for (text, written) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0e5", "0"),
            ("0e999999", "0"),
            ("1.50", "1.5"),
            ("100", "100"),
            ("1e2", "100"),
            ("0.1E+1", "1"),
            ("10000000000000000000000", "1e+22"),
            ("0.0000001", "1e-7"),
            ("9007199254740991", "9007199254740991"),
            ("333333333.33333329", "333333333.3333333"),
            ("0.10000000000000001", "0.1"),
            ("0.1000000000000000055511151231257827", "0.1"),
            ("5e-324", "5e-324"),
            ("4.9e-324", "5e-324"),
        ] {
            assert_eq!(literal(text).as_deref(), Some(written), "{text}");
        }
        for text in [
            "9007199254740993",
            "12345678901234567890",
            "90071992547409.93",
            "1e400",
            "1e-400",
            "0.1000000000000000057",
            "3.14159265358979323846",
        ] {
            assert_eq!(literal(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_are_those_of_an_independent_canonicaliser(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let expected = value.is_finite().then(|| serde_json_canonicalizer::to_string(&value).unwrap());
            prop_assert_eq!(double(value), expected);
        }

        #[test]
        fn whatever_was_written_survives(bits in any::<u64>()) {
            if let Some(written) = double(f64::from_bits(bits)) {
                prop_assert_eq!(literal(&written), Some(written));
            }
        }

        #[test]
        fn integers_are_decimal(value in any::<i64>()) {
            let mut out = Vec::new();
            write_integer(&mut out, value);
            prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn the_ends_of_the_integers() {
        for value in [0, i64::MIN, i64::MAX, -1, MAX_SAFE_INTEGER] {
            let mut out = Vec::new();
            write_integer(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
