//! The named parameters of a query, numbered as PostgreSQL wants them: `:tenant` becomes `$1`.
//!
//! The text is read as PostgreSQL's own scanner reads it with `standard_conforming_strings` on: strings, `E''` strings, dollar quotes, quoted
//! identifiers and nested comments hold no parameters, `::` is a cast, and the colon of an array's slice, `a[1:n]`, begins none.

/// A query with its parameters numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// The query, without semicolons at its end.
    pub(crate) sql: String,
    /// The parameters' names without their colon; the first is `$1`.
    pub(crate) names: Vec<String>,
    /// Parameters that were numbered already, as written; they have no value.
    pub(crate) others: Vec<String>,
}

impl Numbered {
    /// Numbers the parameters of `query`.
    pub(crate) fn of(query: &str) -> Self {
        let mut numbering = Numbering::default();
        let mut rest = query;
        while !rest.is_empty() {
            let (token, length) = first_token(rest);
            let taken = numbering.take(token, rest.get(..length).unwrap_or(rest));
            rest = rest.get(taken..).unwrap_or_default();
        }
        numbering.finish()
    }
}

/// What the next piece of a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// White space or a comment.
    Nothing,
    /// A word, a number, a quoted text or name: what a slice's colon can follow.
    Operand,
    /// `(` or `[`.
    Open,
    /// `)` or `]`.
    Close,
    /// `:name`, unless it follows an operand within brackets.
    Named,
    /// `$1`.
    Numbered,
    /// `;`.
    End,
    /// Anything else.
    Operator,
}

#[derive(Default)]
struct Numbering {
    sql: String,
    names: Vec<String>,
    others: Vec<String>,
    /// The brackets and parentheses that are open.
    open: Vec<u8>,
    after_operand: bool,
    /// Where the statement ended, if nothing has followed since.
    end: Option<usize>,
}

impl Numbering {
    /// Takes a token, and says how many of its bytes it took.
    fn take(&mut self, token: Token, text: &str) -> usize {
        let is_slice = self.after_operand && self.open.last() == Some(&b'[');
        match token {
            Token::Nothing => {
                self.sql.push_str(text);
                return text.len();
            }
            Token::End => {
                self.end.get_or_insert(self.sql.len());
                self.sql.push_str(text);
                self.after_operand = false;
                return text.len();
            }
            Token::Named if is_slice => {
                self.sql.push(':');
                self.after_operand = false;
                return 1;
            }
            Token::Named => self.number(text.trim_start_matches(':')),
            Token::Numbered => {
                self.others.push(text.to_owned());
                self.sql.push_str(text);
            }
            Token::Open => {
                self.open.extend(text.bytes().next());
                self.sql.push_str(text);
            }
            Token::Close => {
                self.open.pop();
                self.sql.push_str(text);
            }
            Token::Operand | Token::Operator => self.sql.push_str(text),
        }
        self.end = None;
        self.after_operand = !matches!(token, Token::Open | Token::Operator);
        text.len()
    }

    fn number(&mut self, name: &str) {
        let known = self.names.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        // The space keeps it apart from a word before it, of which a dollar sign would be a part.
        self.sql.push_str(&format!(" ${}", at + 1));
    }

    fn finish(mut self) -> Numbered {
        if let Some(end) = self.end {
            self.sql.truncate(end);
        }
        Numbered {
            sql: self.sql,
            names: self.names,
            others: self.others,
        }
    }
}

/// The token that `rest`, which isn't empty, begins with, and its length.
fn first_token(rest: &str) -> (Token, usize) {
    let bytes = rest.as_bytes();
    match bytes {
        [b'-', b'-', ..] => (
            Token::Nothing,
            rest.find(['\n', '\r']).unwrap_or(rest.len()),
        ),
        [b'/', b'*', ..] => (Token::Nothing, comment(bytes)),
        [first, ..] if first.is_ascii_whitespace() || *first == 0x0b => (Token::Nothing, 1),
        [b'\'', ..] => (Token::Operand, quoted(bytes, b'\'', false)),
        [b'e' | b'E', b'\'', ..] => (
            Token::Operand,
            1 + quoted(bytes.get(1..).unwrap_or_default(), b'\'', true),
        ),
        [b'"', ..] => (Token::Operand, quoted(bytes, b'"', false)),
        [b'$', digit, ..] if digit.is_ascii_digit() => (Token::Numbered, 1 + word(bytes, 1)),
        [b'$', ..] => match dollar_quoted(rest) {
            Some(length) => (Token::Operand, length),
            None => (Token::Operator, 1),
        },
        [b':', b':' | b'=', ..] => (Token::Operator, 2),
        [b':', first, ..] if begins_word(*first) => (Token::Named, 1 + word(bytes, 1)),
        [b'(' | b'[', ..] => (Token::Open, 1),
        [b')' | b']', ..] => (Token::Close, 1),
        [b';', ..] => (Token::End, 1),
        [first, ..] if begins_word(*first) || first.is_ascii_digit() => {
            (Token::Operand, word(bytes, 0))
        }
        _ => (Token::Operator, 1),
    }
}

/// Bytes above ASCII are letters to PostgreSQL.
const fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

/// The length of the word that begins at `from`.
fn word(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter()
        .position(|&byte| !(begins_word(byte) || byte.is_ascii_digit() || byte == b'$'))
        .unwrap_or(rest.len())
}

/// The length of the quoted text that `bytes` begins with; a doubled quote stands for itself.
fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        if (escapes && byte == b'\\') || (byte == quote && next == Some(&quote)) {
            at += 2;
        } else if byte == quote {
            return at + 1;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The length of the comment that `bytes` begins with; comments nest.
fn comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of the text in dollar quotes, `$tag$…$tag$`, that `rest` begins with; none if it is no such quote.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let tag = bytes
        .get(1..)?
        .iter()
        .take_while(|&&byte| begins_word(byte) || byte.is_ascii_digit())
        .count();
    let quote = rest.get(..tag + 2).filter(|quote| quote.ends_with('$'))?;
    let body = rest.get(quote.len()..)?;
    let end = body.find(quote);
    Some(end.map_or(rest.len(), |end| end + 2 * quote.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(query: &str) -> String {
        Numbered::of(query).sql
    }

    #[test]
    fn parameters_are_numbered_in_the_order_they_appear() {
        let numbered = Numbered::of(
            "select * from t where (:scope::uuid is null or a = :scope) and b=:tenant",
        );
        assert_eq!(
            numbered.sql,
            "select * from t where ( $1::uuid is null or a =  $1) and b= $2"
        );
        assert_eq!(numbered.names, ["scope", "tenant"]);
        assert_eq!(sql("select foo:tenant"), "select foo $1");
        assert_eq!(Numbered::of("select $1, $2x").others, ["$1", "$2x"]);
    }

    #[test]
    fn nothing_is_found_where_no_value_can_be_bound() {
        for query in [
            "select ':tenant'",
            "select 'it''s :tenant'",
            r"select 'a\' as x, ':tenant'",
            r"select E'it\'s :tenant', e'\\'':tenant'",
            r"select U&'\0041 :tenant', B'01', x'ff:tenant'",
            "select \"a\"\":tenant\"",
            "select $$ :tenant $$, $q$ $$ :tenant $q$",
            "select $größe$ :tenant $größe$",
            "select a$b$c, d from t",
            "select 1 -- :tenant",
            "select 1 /* /* :tenant */ :tenant */",
            "select 1 /* :tenant",
            "select ':tenant",
            "select $q$ :tenant",
            "select now()::date, x::numeric(10, 2)",
            "select f(a := 1, b => 2)",
            "select a[1:2], a[i:j], a[f(x):(b)], a[:2], m[1:2][lo:hi]",
            "select data ? 'a', data ?| array['b'], data @> '{}', @ -5, data #>> '{a}'",
        ] {
            let numbered = Numbered::of(query);
            assert_eq!(numbered.names, Vec::<String>::new(), "{query}");
            assert_eq!(numbered.others, Vec::<String>::new(), "{query}");
            assert_eq!(numbered.sql, query);
        }
    }

    #[test]
    fn a_parameter_within_brackets_is_one_unless_it_follows_a_value() {
        assert_eq!(sql("select a[:scope]"), "select a[ $1]");
        assert_eq!(sql("select a[f(x, :scope):n]"), "select a[f(x,  $1):n]");
        assert_eq!(sql("select array[1, :scope]"), "select array[1,  $1]");
    }

    #[test]
    fn semicolons_at_the_end_are_left_out_and_others_stay() {
        assert_eq!(sql("select :tenant ; -- all of them\n ;"), "select  $1 ");
        assert_eq!(sql("select 1; select 2"), "select 1; select 2");
    }

    #[test]
    fn strange_texts_end() {
        for query in [
            "", ":", "::", "$", "$$", "$a", "'", "E'\\", "e'", "\"", "/*", "/*/", "--", "[:", "]",
            "ü:ü", ":ü", "a[1:", "\u{b}",
        ] {
            let _ = Numbered::of(query);
        }
    }
}
