//! Values that artifacts hold as text, written as PostgreSQL itself writes them with `DateStyle` and `IntervalStyle` ISO: times of day,
//! intervals, addresses, bit strings.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::{BROKEN, Fields, whole};
use crate::export::error::ValueError;
use crate::export::source::MAX_CELL;

const SECOND: u64 = 1_000_000;

/// A time of day: `HH:MM:SS`, with the fraction that it has.
pub(super) fn write_time(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    let micros = whole(value).map(u64::from_be_bytes)?;
    let (seconds, fraction) = (micros / SECOND, micros % SECOND);
    put(
        out,
        format_args!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    );
    write_fraction(out, fraction);
    Ok(())
}

/// A time of day with its offset from UTC: `HH:MM:SS±HH`, to the minute or second where it has them.
pub(super) fn write_time_with_offset(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    let mut fields = Fields::of(value);
    write_time(out, fields.take(8)?)?;
    // Counted westwards.
    let offset = fields.i32()?;
    let seconds = offset.unsigned_abs();
    out.push(if offset <= 0 { b'+' } else { b'-' });
    put(out, format_args!("{:02}", seconds / 3600));
    if seconds % 3600 != 0 {
        put(out, format_args!(":{:02}", seconds / 60 % 60));
    }
    if seconds % 60 != 0 {
        put(out, format_args!(":{:02}", seconds % 60));
    }
    Ok(())
}

/// An interval as ISO 8601 has it: `P1Y2M3DT4H5M6.7S`. Months, days and time have signs of their own.
pub(super) fn write_interval(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    let mut fields = Fields::of(value);
    let (micros, days, months) = (fields.i64()?, fields.i32()?, fields.i32()?);
    if [
        (i64::MAX, i32::MAX, i32::MAX),
        (i64::MIN, i32::MIN, i32::MIN),
    ]
    .contains(&(micros, days, months))
    {
        return Err(ValueError::Range {
            hint: "an interval is finite; write column::text in the query",
        });
    }
    out.push(b'P');
    if (micros, days, months) == (0, 0, 0) {
        out.extend_from_slice(b"T0S");
    }
    for (count, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if count != 0 {
            put(out, format_args!("{count}{unit}"));
        }
    }
    if micros == 0 {
        return Ok(());
    }
    out.push(b'T');
    let (sign, time) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (minutes, rest) = (time / (60 * SECOND), time % (60 * SECOND));
    for (count, unit) in [(minutes / 60, 'H'), (minutes % 60, 'M')] {
        if count != 0 {
            put(out, format_args!("{sign}{count}{unit}"));
        }
    }
    if rest != 0 {
        put(out, format_args!("{sign}{}", rest / SECOND));
        write_fraction(out, rest % SECOND);
        out.push(b'S');
    }
    Ok(())
}

/// Microseconds after the second, without zeros at the end; nothing if there are none.
fn write_fraction(out: &mut Vec<u8>, micros: u64) {
    if micros == 0 {
        return;
    }
    put(out, format_args!(".{micros:06}"));
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// An address, with the length of its prefix unless it is a single host; a network always with it.
pub(super) fn write_address(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    /// What the server calls IPv4 and IPv6.
    const FAMILIES: [u8; 2] = [2, 3];
    let mut fields = Fields::of(value);
    let (family, prefix, is_network, length) =
        (fields.u8()?, fields.u8()?, fields.u8()? != 0, fields.u8()?);
    let address = fields.rest();
    if address.len() != usize::from(length) || !FAMILIES.contains(&family) {
        return Err(BROKEN);
    }
    if let Ok(address) = whole::<4>(address) {
        put(out, format_args!("{}", Ipv4Addr::from(address)));
    } else {
        write_ipv6(out, whole(address)?);
    }
    if is_network || usize::from(prefix) != 8 * address.len() {
        put(out, format_args!("/{prefix}"));
    }
    Ok(())
}

/// As PostgreSQL shortens it. The standard library differs where the last four bytes are shown as an IPv4 address: here those of
/// `::a.b.c.d` are too.
fn write_ipv6(out: &mut Vec<u8>, address: [u8; 16]) {
    let [.., a, b, c, d] = address;
    let embedded = Ipv4Addr::new(a, b, c, d);
    let address = Ipv6Addr::from(address);
    let [high @ .., seventh, _] = address.segments();
    if seventh != 0 && high.iter().all(|&segment| segment == 0) {
        put(out, format_args!("::{embedded}"));
    } else {
        put(out, format_args!("{address}"));
    }
}

/// A MAC address of six or eight bytes.
pub(super) fn write_mac(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    if !matches!(value.len(), 6 | 8) {
        return Err(BROKEN);
    }
    for (at, byte) in value.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        put(out, format_args!("{colon}{byte:02x}"));
    }
    Ok(())
}

/// A string of bits, one character for each.
pub(super) fn write_bits(out: &mut Vec<u8>, value: &[u8]) -> Result<(), ValueError> {
    let mut fields = Fields::of(value);
    let count = usize::try_from(fields.i32()?).map_err(|_| BROKEN)?;
    let bytes = fields.rest();
    if bytes.len() != count.div_ceil(8) {
        return Err(BROKEN);
    }
    if count > MAX_CELL {
        return Err(ValueError::TooLarge);
    }
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |place| byte << place & 0x80 != 0));
    out.extend(bits.take(count).map(|bit| b'0' + u8::from(bit)));
    Ok(())
}

/// Writing to memory doesn't fail.
pub(super) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
