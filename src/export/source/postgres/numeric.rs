//! PostgreSQL's `numeric` as it comes over the wire: digits to the base of ten thousand.

use super::fields::Fields;
use crate::export::error::ValueError;

const NEGATIVE: u16 = 0x4000;
/// The signs of NaN and of both infinities.
const SPECIAL: [u16; 3] = [0xC000, 0xD000, 0xF000];

/// Appends a number in plain decimals, with exactly the digits after the point that PostgreSQL would show.
pub(super) fn write_numeric(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    let mut fields = Fields::of(value);
    let count = fields.i16()?;
    let weight = i32::from(fields.i16()?);
    let sign = fields.u16()?;
    let scale = fields.u16()?;
    if SPECIAL.contains(&sign) {
        return Err(ValueError::Range {
            hint: "a decimal is finite; leave NaN and infinity out in the query, as in nullif(column, 'NaN')",
        });
    }
    let digits = fields.rest();
    if usize::try_from(count).map(|count| 2 * count) != Ok(digits.len()) {
        return Err(super::fields::BROKEN);
    }
    // The group of four digits that stands `weight` groups before the point.
    let group = |at: i32| {
        let index = usize::try_from(weight - at).ok()?;
        let bytes = digits.get(2 * index..2 * index + 2)?;
        Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
    };
    if sign == NEGATIVE {
        out.push(b'-');
    }
    if weight < 0 {
        out.push(b'0');
    }
    for at in (0..=weight).rev() {
        let four = decimals(group(at).unwrap_or(0));
        let skipped = if at == weight {
            four.iter()
                .take(3)
                .take_while(|&&digit| digit == b'0')
                .count()
        } else {
            0
        };
        out.extend_from_slice(four.get(skipped..).unwrap_or_default());
    }
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + usize::from(scale);
        let mut at = -1;
        while out.len() < end {
            out.extend_from_slice(&decimals(group(at).unwrap_or(0)));
            at -= 1;
        }
        out.truncate(end);
    }
    Ok(())
}

fn decimals(group: u16) -> [u8; 4] {
    let digit = |place: u16| b'0' + (group / place % 10) as u8;
    [digit(1000), digit(100), digit(10), digit(1)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn written(fields: &[u16]) -> Result<String, ValueError> {
        let bytes: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_be_bytes())
            .collect();
        let mut out = Vec::new();
        write_numeric(&mut out, &bytes)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn digits_are_written_as_postgresql_shows_them() {
        for (fields, text) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 3], "0.000"),
            (&[1, 0, 0, 2, 5], "5.00"),
            (&[2, 0, NEGATIVE, 2, 12, 3400], "-12.34"),
            (&[1, 1, 0, 0, 1], "10000"),
            (&[1, 0xFFFF, 0, 4, 1], "0.0001"),
            (&[1, 0xFFFE, 0, 6, 100], "0.000001"),
            (&[3, 1, 0, 5, 1, 2, 3000], "10002.30000"),
        ] {
            assert_eq!(written(fields).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for sign in SPECIAL {
            assert!(matches!(
                written(&[0, 0, sign, 0]),
                Err(ValueError::Range { .. })
            ));
        }
        assert!(written(&[2, 0, 0, 0, 1]).is_err());
        assert!(written(&[1]).is_err());
    }
}
