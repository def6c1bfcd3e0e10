//! How large the server's messages are, told by their heads as they come.
//!
//! A message is a letter, its length (four bytes, which count themselves) and so much more. A row, `D`, is the number of its columns
//! (two bytes), then for each the length of its value (four bytes, -1 for null) and the value.

/// What a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message, a row above all.
    pub message: u32,
    /// Bytes of one value, by which a row that is too large is blamed on its column.
    pub value: u32,
}

impl Limits {
    /// None.
    pub(super) const NONE: Self = Self {
        message: u32::MAX,
        value: u32::MAX,
    };
}

/// How a server may begin: with asking who we are, with an error, a notice, or the version that it speaks.
const BEGINNINGS: &[u8] = b"RENv";

/// How large its first message may be. Other protocols' words, taken for one, tell of hundreds of megabytes.
const FIRST: u32 = 64 * 1024;

/// What became of the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They may go on.
    Passes,
    /// They may not. Where the row became too large isn't known yet.
    Undecided,
    /// They may not, because of this column, from 0; `None`: because of no one in particular.
    Refused(Option<usize>),
    /// They come from no PostgreSQL server, whose first message can't begin with this byte, or not be that large.
    Foreign(u8),
}

/// Follows one connection from the server's first message on.
#[derive(Debug)]
pub(super) struct Gauge {
    limits: Limits,
    head: Few<5>,
    at: At,
    /// The first message's head was seen.
    begun: bool,
}

#[derive(Debug)]
enum At {
    /// In a message's head.
    Head,
    /// In a message; so many bytes of it are left.
    Body(usize),
    /// In a row that is too large, before the number of its columns.
    Columns(Few<2>),
    /// There, in or before a value's length.
    Value {
        length: Few<4>,
        /// Bytes of the value before that are left.
        skip: usize,
        column: usize,
        columns: usize,
        /// Bytes of the values before.
        sum: u64,
    },
    Refused(Option<usize>),
    Foreign(u8),
}

/// A few bytes, until all are there.
#[derive(Debug, Clone, Copy)]
struct Few<const N: usize> {
    bytes: [u8; N],
    have: usize,
}

impl<const N: usize> Few<N> {
    const NONE: Self = Self {
        bytes: [0; N],
        have: 0,
    };

    /// Takes what it lacks from the beginning of `bytes`; all of them, once they are there.
    fn fill(&mut self, bytes: &mut &[u8]) -> Option<[u8; N]> {
        let lacking = self.bytes.get_mut(self.have..).unwrap_or_default();
        let taken = lacking.len().min(bytes.len());
        let (now, later) = bytes.split_at(taken);
        for (to, from) in lacking.iter_mut().zip(now) {
            *to = *from;
        }
        *bytes = later;
        self.have += taken;
        (self.have == N).then_some(self.bytes)
    }
}

impl Gauge {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            head: Few::NONE,
            at: At::Head,
            begun: false,
        }
    }

    /// Looks at the next bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Verdict {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Head => {
                    if let Some([tag, length @ ..]) = self.head.fill(&mut bytes) {
                        self.head = Few::NONE;
                        let length = u32::from_be_bytes(length);
                        let is_foreign =
                            !self.begun && (!BEGINNINGS.contains(&tag) || length > FIRST);
                        self.begun = true;
                        self.at = match is_foreign {
                            true => At::Foreign(tag),
                            false => self.limits.begin(tag, length),
                        };
                    }
                }
                At::Body(left) => {
                    skip(left, &mut bytes);
                    if *left == 0 {
                        self.at = At::Head;
                    }
                }
                At::Columns(number) => {
                    if let Some(columns) = number.fill(&mut bytes) {
                        self.at = At::Value {
                            length: Few::NONE,
                            skip: 0,
                            column: 0,
                            columns: u16::from_be_bytes(columns).into(),
                            sum: 0,
                        };
                    }
                }
                At::Value {
                    length,
                    skip: left,
                    column,
                    columns,
                    sum,
                } => {
                    if *left > 0 {
                        skip(left, &mut bytes);
                    } else if column >= columns {
                        self.at = At::Refused(None);
                    } else if let Some(bytes) = length.fill(&mut bytes) {
                        // Null has the length -1.
                        let length_of_it = u32::try_from(i32::from_be_bytes(bytes)).unwrap_or(0);
                        *sum += u64::from(length_of_it);
                        if length_of_it > self.limits.value || *sum > self.limits.message.into() {
                            self.at = At::Refused(Some(*column));
                        } else {
                            *left = length_of_it as usize;
                            *length = Few::NONE;
                            *column += 1;
                        }
                    }
                }
                At::Refused(_) | At::Foreign(_) => break,
            }
        }
        match self.at {
            At::Head | At::Body(_) => Verdict::Passes,
            At::Columns(_) | At::Value { .. } => Verdict::Undecided,
            At::Refused(column) => Verdict::Refused(column),
            At::Foreign(byte) => Verdict::Foreign(byte),
        }
    }
}

impl Limits {
    /// What follows a message's head.
    const fn begin(self, tag: u8, length: u32) -> At {
        // The length counts itself; less than that is the driver's to refuse.
        let left = length.saturating_sub(4);
        match (tag, left) {
            (_, 0) => At::Head,
            (b'D', left) if left > self.message => At::Columns(Few::NONE),
            (_, left) if left > self.message => At::Refused(None),
            (_, left) => At::Body(left as usize),
        }
    }
}

fn skip(left: &mut usize, bytes: &mut &[u8]) {
    let now = bytes.len().min(*left);
    *bytes = bytes.get(now..).unwrap_or_default();
    *left -= now;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        message: 100,
        value: 50,
    };

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len() as u32 + 4;
        [&[tag], &length.to_be_bytes()[..], body].concat()
    }

    fn row(values: &[Option<usize>]) -> Vec<u8> {
        let mut body = (values.len() as u16).to_be_bytes().to_vec();
        for value in values {
            let length = value.map_or(-1, |length| length as i32);
            body.extend(length.to_be_bytes());
            body.resize(body.len() + value.unwrap_or_default(), b'x');
        }
        message(b'D', &body)
    }

    /// After the server's first message.
    fn begun() -> Gauge {
        let mut gauge = Gauge::new(LIMITS);
        assert_eq!(gauge.take(&message(b'R', &[0; 4])), Verdict::Passes);
        gauge
    }

    /// What is said after all bytes, however they are cut; and how many were looked at until then.
    fn judged(bytes: &[u8]) -> Verdict {
        let all = |piece: usize| {
            let mut gauge = begun();
            let verdicts = bytes.chunks(piece).map(|piece| gauge.take(piece));
            verdicts.last().unwrap_or(Verdict::Passes)
        };
        let verdict = all(bytes.len());
        for piece in 1..20 {
            assert_eq!(all(piece), verdict, "in pieces of {piece}");
        }
        verdict
    }

    #[test]
    fn what_is_within_the_limits_passes_whatever_it_is() {
        let messages = [
            message(b'Z', b"I"),
            message(b'2', b""),
            row(&[Some(40), None, Some(0), Some(40)]),
            row(&[]),
            // A large value alone doesn't refuse a row that is small enough.
            row(&[Some(90)]),
            message(b'E', &[b'x'; 100]),
        ];
        assert_eq!(judged(&messages.concat()), Verdict::Passes);
    }

    #[test]
    fn a_row_that_is_too_large_is_refused_for_its_column() {
        let before = row(&[Some(40)]);
        for (values, column) in [
            (vec![Some(1000)], 0),
            (vec![Some(3), None, Some(51), Some(60)], 2),
            (vec![Some(40), Some(40), Some(40)], 2),
        ] {
            let bytes = [before.clone(), row(&values)].concat();
            assert_eq!(judged(&bytes), Verdict::Refused(Some(column)), "{values:?}");
        }
        // Its head is enough to stop it.
        let mut gauge = begun();
        let bytes = row(&[Some(1000)]);
        assert_eq!(gauge.take(&bytes[..5]), Verdict::Undecided);
        assert_eq!(gauge.take(&bytes[5..11]), Verdict::Refused(Some(0)));
        assert_eq!(gauge.take(&before), Verdict::Refused(Some(0)));
    }

    #[test]
    fn what_no_column_is_to_blame_for_is_refused_all_the_same() {
        let nulls = row(&vec![None; 40]);
        let more = [nulls, row(&[Some(1)])].concat();
        assert_eq!(judged(&more), Verdict::Refused(None));
        assert_eq!(judged(&message(b'E', &[b'x'; 101])), Verdict::Refused(None));
    }

    #[test]
    fn what_no_postgresql_begins_with_is_foreign() {
        for foreign in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"SSH-2.0-OpenSSH\r\n",
            b"220 mail.example ESMTP\r\n",
            b"\x15\x03\x01\x00\x02\x02\x46",
            // As a server says it that can't begin a process for us.
            b"Ecould not fork new process for connection\n\0",
        ] {
            for piece in 1..8 {
                let mut gauge = Gauge::new(LIMITS);
                let verdict = foreign.chunks(piece).map(|piece| gauge.take(piece)).last();
                assert_eq!(verdict, Some(Verdict::Foreign(foreign[0])), "{piece}");
            }
        }
        for tag in *b"RENv" {
            let mut gauge = Gauge::new(LIMITS);
            assert_eq!(gauge.take(&message(tag, &[0; 90])), Verdict::Passes);
        }
    }
}
