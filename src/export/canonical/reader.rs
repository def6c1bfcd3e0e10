//! The tokens of JSON, exactly as RFC 8259 has them.

use super::json::JsonError;

/// What is left of the document.
pub(super) struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(document: &'a str) -> Self {
        Self { rest: document }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Past one ASCII character.
    pub(super) fn advance(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    pub(super) fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn take_token(&mut self, token: &str) -> bool {
        self.skip_whitespace();
        self.take(token)
    }

    pub(super) fn expect_token(&mut self, token: &str) -> Result<(), JsonError> {
        if self.take_token(token) {
            Ok(())
        } else {
            Err(JsonError::Syntax)
        }
    }

    /// Splits off the first `length` bytes.
    fn split(&mut self, length: usize) -> Result<&'a str, JsonError> {
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(JsonError::Syntax)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn number(&mut self) -> Result<&'a str, JsonError> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| {
            bytes
                .iter()
                .skip(from)
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let mut end = usize::from(bytes.first() == Some(&b'-'));
        let integer = digits(end);
        if integer == 0 || (integer > 1 && bytes.get(end) == Some(&b'0')) {
            return Err(JsonError::Syntax);
        }
        end += integer;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return Err(JsonError::Syntax);
            }
            end += 1 + fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent == 0 {
                return Err(JsonError::Syntax);
            }
            end += 1 + sign + exponent;
        }
        self.split(end)
    }

    /// Appends the string literal that comes next to `out`, decoded.
    pub(super) fn string(&mut self, out: &mut String) -> Result<(), JsonError> {
        if !self.take("\"") {
            return Err(JsonError::Syntax);
        }
        loop {
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let plain = self
                .rest
                .bytes()
                .position(|byte| special(&byte))
                .ok_or(JsonError::Syntax)?;
            out.push_str(self.split(plain)?);
            match self.split(1)? {
                "\"" => return Ok(()),
                "\\" => out.push(self.escape()?),
                _ => return Err(JsonError::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        Ok(match self.peek().ok_or(JsonError::Syntax)? {
            b'u' => {
                self.advance();
                return self.unicode_escape();
            }
            byte @ (b'"' | b'\\' | b'/') => {
                self.advance();
                char::from(byte)
            }
            byte @ (b'b' | b'f' | b'n' | b'r' | b't') => {
                self.advance();
                match byte {
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    _ => '\t',
                }
            }
            _ => return Err(JsonError::Syntax),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let first = self.code_unit()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or(JsonError::LoneSurrogate);
        }
        if first >= 0xDC00 || !self.take("\\u") {
            return Err(JsonError::LoneSurrogate);
        }
        let second = self.code_unit()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(JsonError::LoneSurrogate);
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            .ok_or(JsonError::LoneSurrogate)
    }

    fn code_unit(&mut self) -> Result<u32, JsonError> {
        let hex = self.split(4)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(JsonError::Syntax);
        }
        u32::from_str_radix(hex, 16).map_err(|_| JsonError::Syntax)
    }
}
