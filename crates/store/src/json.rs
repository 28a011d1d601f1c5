//! The little JSON that a header is made of, scanned strictly.
//!
//! The scanner knows tokens, not trees: what a header may contain is the business of
//! [`header`](crate::header). Unknown values are skipped with a stack of one bit for each
//! open bracket, never by recursion.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use crate::Rule;
use std::borrow::Cow;

/// What is wrong with the text, and at which of its bytes.
#[derive(Debug)]
pub(crate) struct TextFault {
    pub(crate) rule: Rule,
    pub(crate) at: usize,
    pub(crate) expected: String,
    pub(crate) found: String,
}

pub(crate) type Scan<T> = Result<T, TextFault>;

/// A string of the header and the byte at which its opening quote stands.
#[derive(Clone, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) value: Cow<'a, str>,
    pub(crate) at: usize,
}

/// Whether a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Item,
    End,
}

/// A cursor over the text of a header.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, pos: 0 }
    }

    /// Where the next token begins.
    pub(crate) fn at(&mut self) -> usize {
        self.space();
        self.pos
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn advance(&mut self, n: usize) {
        self.pos = self.pos.saturating_add(n);
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.advance(1);
        }
    }

    fn slice(&self, from: usize) -> Scan<&'a str> {
        self.text
            .get(from..self.pos)
            .ok_or_else(|| self.fault(Rule::Json, "whole characters"))
    }

    /// A fault at the cursor; what was found is the character there.
    pub(crate) fn fault(&self, rule: Rule, expected: &str) -> TextFault {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        let found = rest
            .chars()
            .next()
            .map_or_else(|| "the end of the header".to_owned(), |c| format!("{c:?}"));
        TextFault {
            rule,
            at: self.pos,
            expected: expected.to_owned(),
            found,
        }
    }

    /// Consumes `byte`, the first character of the text: nothing may stand before it.
    pub(crate) fn first(&mut self, byte: u8) -> Scan<()> {
        if self.peek() == Some(byte) {
            self.advance(1);
            return Ok(());
        }
        let expected = format!("{:?} as the first character", char::from(byte));
        Err(self.fault(Rule::Json, &expected))
    }

    /// Consumes `byte` after any white space.
    pub(crate) fn expect(&mut self, byte: u8) -> Scan<()> {
        self.space();
        if self.peek() == Some(byte) {
            self.advance(1);
            return Ok(());
        }
        Err(self.fault(Rule::Json, &format!("{:?}", char::from(byte))))
    }

    /// After an opening bracket: whether a first item follows, or `close`.
    pub(crate) fn open(&mut self, close: u8) -> Next {
        self.space();
        if self.peek() == Some(close) {
            self.advance(1);
            return Next::End;
        }
        Next::Item
    }

    /// After an item: `,` or `close`.
    pub(crate) fn more(&mut self, close: u8) -> Scan<Next> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.advance(1);
                Ok(Next::Item)
            }
            Some(b) if b == close => {
                self.advance(1);
                Ok(Next::End)
            }
            _ => Err(self.fault(Rule::Json, &format!("',' or {:?}", char::from(close)))),
        }
    }

    /// Checks that only white space is left.
    pub(crate) fn end(&mut self) -> Scan<()> {
        self.space();
        if self.peek().is_none() {
            return Ok(());
        }
        Err(self.fault(Rule::Json, "nothing but space after the header's '}'"))
    }

    /// A string followed by `:`.
    pub(crate) fn key(&mut self) -> Scan<Text<'a>> {
        let text = self.string()?;
        self.expect(b':')?;
        Ok(text)
    }

    /// A string; it borrows from the header unless it holds escapes.
    pub(crate) fn string(&mut self) -> Scan<Text<'a>> {
        let at = self.at();
        if self.peek() != Some(b'"') {
            return Err(self.fault(Rule::Json, "a string"));
        }
        self.advance(1);
        let mut start = self.pos;
        let mut owned: Option<String> = None;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let tail = self.slice(start)?;
                    self.advance(1);
                    let value = match owned {
                        Some(mut value) => {
                            value.push_str(tail);
                            Cow::Owned(value)
                        }
                        None => Cow::Borrowed(tail),
                    };
                    return Ok(Text { value, at });
                }
                Some(b'\\') => {
                    let part = self.slice(start)?;
                    let value = owned.get_or_insert_default();
                    value.push_str(part);
                    value.push(self.escape()?);
                    start = self.pos;
                }
                Some(b) if b >= b' ' => self.advance(1),
                _ => return Err(self.fault(Rule::Json, "a closed string without control codes")),
            }
        }
    }

    /// The character that an escape sequence at the cursor stands for.
    fn escape(&mut self) -> Scan<char> {
        self.advance(1);
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.advance(1);
                return self.unicode();
            }
            _ => return Err(self.fault(Rule::Json, "an escape of JSON")),
        };
        self.advance(1);
        Ok(c)
    }

    /// The character after `\u`: four digits, or two such groups for a surrogate pair.
    fn unicode(&mut self) -> Scan<char> {
        let units = [self.hex4()?];
        if let Some(Ok(c)) = char::decode_utf16(units).next() {
            return Ok(c);
        }
        for byte in [b'\\', b'u'] {
            if self.peek() != Some(byte) {
                return Err(self.fault(Rule::Json, "the second half of a surrogate pair"));
            }
            self.advance(1);
        }
        let units = units.into_iter().chain([self.hex4()?]);
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => Ok(c),
            _ => Err(self.fault(Rule::Json, "a surrogate pair before this")),
        }
    }

    fn hex4(&mut self) -> Scan<u16> {
        let mut value = 0_u32;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fault(Rule::Json, "four hexadecimal digits"));
            };
            value = value.wrapping_shl(4) | digit;
            self.advance(1);
        }
        u16::try_from(value).map_err(|_| self.fault(Rule::Json, "four hexadecimal digits"))
    }

    /// An unsigned integer: digits without sign, leading zero, fraction or exponent.
    pub(crate) fn integer(&mut self) -> Scan<u64> {
        let at = self.at();
        while matches!(
            self.peek(),
            Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
        ) {
            self.advance(1);
        }
        let text = self.slice(at)?;
        if text.is_empty() {
            return Err(self.fault(Rule::Json, "an integer"));
        }
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        let padded = text.len() > 1 && text.starts_with('0');
        match text.parse() {
            Ok(value) if plain && !padded => Ok(value),
            _ => Err(TextFault {
                rule: Rule::Integer,
                at,
                expected: "an integer of at most 64 bits, plain digits".to_owned(),
                found: clipped(text),
            }),
        }
    }

    /// Steps over one value of any kind that nests at most `max_depth` deep.
    pub(crate) fn skip_value(&mut self, max_depth: u64) -> Scan<()> {
        // One entry for each open bracket: the byte that closes it.
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            let closer = match self.peek() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            if let Some(close) = closer {
                if u64::try_from(open.len()).is_ok_and(|n| n >= max_depth) {
                    return Err(self.fault(Rule::Depth, &format!("at most {max_depth} levels")));
                }
                self.advance(1);
                if self.open(close) == Next::Item {
                    open.push(close);
                    if close == b'}' {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.skip_scalar()?;
            }
            loop {
                let Some(&close) = open.last() else {
                    return Ok(());
                };
                if self.more(close)? == Next::Item {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    fn skip_scalar(&mut self) -> Scan<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            _ => {
                for word in ["true", "false", "null"] {
                    let rest = self.text.get(self.pos..).unwrap_or_default();
                    if rest.starts_with(word) {
                        self.advance(word.len());
                        return Ok(());
                    }
                }
                Err(self.fault(Rule::Json, "a value"))
            }
        }
    }

    /// Steps over `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
    fn skip_number(&mut self) -> Scan<()> {
        let at = self.pos;
        if self.peek() == Some(b'-') {
            self.advance(1);
        }
        if self.peek() == Some(b'0') {
            self.advance(1);
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.advance(1);
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.advance(1);
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.advance(1);
            }
            self.digits()?;
        }
        let text = self.slice(at)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(()),
            _ => Err(TextFault {
                rule: Rule::Json,
                at,
                expected: "a number in the range of double precision".to_owned(),
                found: clipped(text),
            }),
        }
    }

    fn digits(&mut self) -> Scan<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.fault(Rule::Json, "a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.advance(1);
        }
        Ok(())
    }
}

/// At most 64 characters of `text`, escaped.
pub(crate) fn clipped(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(64).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("{head:?}{rest}")
}
