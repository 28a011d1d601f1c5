//! Protocol Buffers on the wire, read strictly and with places, and written.
//!
//! # Sources
//! "Encoding", <https://protobuf.dev/programming-guides/encoding/>.

use crate::cursor::Cursor;
use crate::error::Flaw;

/// A message whose fields are read one after another. Messages inside are read where the
/// caller asks for them, so nesting that nobody knows costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct Message<'a> {
    name: &'static str,
    cursor: Cursor<'a>,
}

/// One field.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    /// The place of its tag in the file.
    pub(crate) at: usize,
    message: &'static str,
    value: Value<'a>,
}

#[derive(Clone, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    /// The bytes up to here, from a place.
    Bytes {
        whole: &'a [u8],
        from: usize,
    },
}

impl<'a> Message<'a> {
    pub(crate) const fn new(name: &'static str, bytes: &'a [u8]) -> Self {
        let cursor = Cursor::new(bytes, 0);
        Self { name, cursor }
    }

    /// The next field; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, Flaw> {
        if self.cursor.is_at_end() {
            return Ok(None);
        }
        let (at, message) = (self.cursor.at(), self.name);
        let tag = varint(&mut self.cursor)?;
        let number = tag >> 3;
        if number == 0 || number > 0x1FFF_FFFF {
            let found = number.to_string();
            return Err(Flaw::new("a field number", found).of(message).at(at));
        }
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.cursor)?),
            1 => Value::Fixed64(self.cursor.u64()?.to_le_bytes()),
            5 => Value::Fixed32(self.cursor.u32()?.to_le_bytes()),
            2 => {
                let len = varint(&mut self.cursor)?;
                let from = self.cursor.at();
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                self.cursor.take(len).map_err(|e| e.of(message))?;
                let whole = self.cursor.seen();
                Value::Bytes { whole, from }
            }
            wire => {
                let found = format!("wire type {wire} of field {number}");
                return Err(Flaw::new("wire type 0, 1, 2 or 5", found)
                    .of(message)
                    .at(at));
            }
        };
        Ok(Some(Field {
            number,
            at,
            message,
            value,
        }))
    }
}

impl<'a> Field<'a> {
    fn wrong<T>(&self, expected: &str) -> Result<T, Flaw> {
        let found = match self.value {
            Value::Varint(_) => "an integer",
            Value::Fixed64(_) => "eight bytes",
            Value::Fixed32(_) => "four bytes",
            Value::Bytes { .. } => "a run of bytes",
        };
        let about = format!("field {} of {}", self.number, self.message);
        Err(Flaw::new(expected, found).of(about).at(self.at))
    }

    pub(crate) fn bytes(&self) -> Result<&'a [u8], Flaw> {
        match self.value {
            Value::Bytes { whole, from } => Ok(whole.get(from..).unwrap_or_default()),
            _ => self.wrong("a run of bytes"),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, Flaw> {
        match std::str::from_utf8(self.bytes()?) {
            Ok(text) => Ok(text),
            Err(_) => self.wrong("a text in UTF-8"),
        }
    }

    pub(crate) fn message(&self, name: &'static str) -> Result<Message<'a>, Flaw> {
        match self.value {
            Value::Bytes { whole, from } => Ok(Message {
                name,
                cursor: Cursor::new(whole, from),
            }),
            _ => self.wrong("a message"),
        }
    }

    pub(crate) fn int(&self) -> Result<i64, Flaw> {
        match self.value {
            Value::Varint(n) => Ok(n.cast_signed()),
            _ => self.wrong("an integer"),
        }
    }

    pub(crate) fn float(&self) -> Result<f32, Flaw> {
        match self.value {
            Value::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => self.wrong("four bytes"),
        }
    }

    /// One integer, or many in a run.
    pub(crate) fn ints(&self, all: &mut Vec<i64>) -> Result<(), Flaw> {
        let Value::Bytes { whole, from } = self.value else {
            all.push(self.int()?);
            return Ok(());
        };
        let mut cursor = Cursor::new(whole, from);
        while !cursor.is_at_end() {
            all.push(varint(&mut cursor)?.cast_signed());
        }
        Ok(())
    }

    /// The bytes of one number of `N` bytes, or of many in a run.
    pub(crate) fn fixed<const N: usize>(&self, all: &mut Vec<u8>) -> Result<(), Flaw> {
        match self.value {
            Value::Fixed32(bytes) if N == 4 => all.extend(bytes),
            Value::Fixed64(bytes) if N == 8 => all.extend(bytes),
            Value::Bytes { .. } => {
                let bytes = self.bytes()?;
                if !bytes.len().is_multiple_of(N) {
                    return self.wrong("whole numbers");
                }
                all.extend(bytes);
            }
            _ => return self.wrong("numbers"),
        }
        Ok(())
    }
}

fn varint(cursor: &mut Cursor<'_>) -> Result<u64, Flaw> {
    let at = cursor.at();
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = cursor.u8()?;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Flaw::new("an integer of at most 64 bits", "a longer one").at(at))
}

/// A message that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.out.push((n & 0x7F) as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
    }

    fn tag(&mut self, number: u64, wire: u64) {
        self.varint(number << 3 | wire);
    }

    pub(crate) fn int(&mut self, number: u64, value: i64) {
        self.tag(number, 0);
        self.varint(value.cast_unsigned());
    }

    pub(crate) fn float(&mut self, number: u64, value: f32) {
        self.tag(number, 5);
        self.out.extend(value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, number: u64, value: &[u8]) {
        self.tag(number, 2);
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, number: u64, value: &str) {
        self.bytes(number, value.as_bytes());
    }

    /// Integers in a run.
    pub(crate) fn packed(&mut self, number: u64, values: &[i64]) {
        let mut run = Self::default();
        for value in values {
            run.varint(value.cast_unsigned());
        }
        self.bytes(number, &run.out);
    }

    /// A message inside, written by `fill`.
    pub(crate) fn message(&mut self, number: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(number, &inner.out);
    }
}
