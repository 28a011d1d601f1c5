//! A machine for the part of the pickle language that state dicts are written in.
//!
//! It cannot execute anything: a global is one of a few names ([`global`]), and to "call" one
//! builds a dict, a tensor or a tuple here. It works on a list, not by recursion, and every
//! list has a limit.

use super::value::{Global, Id, Storage, Tensor, Value, global};
use crate::cursor::Cursor;
use crate::error::Flaw;

/// The longest pickle.
pub(crate) const MAX_BYTES: u64 = 16 << 20;
/// Most operations, values on the stack, remembered values, bytes of a text.
const MAX_OPERATIONS: u64 = 1_000_000;
const MAX_STACK: usize = 65_536;
const MAX_MEMO: usize = 65_536;
const MAX_TEXT: usize = 1 << 20;
/// The protocol that PyTorch writes.
const PROTOCOL: u8 = 2;

/// A pickle that has been read: its values, and the one that it is.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at `cursor`, which then stands behind it.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Flaw> {
        Machine {
            cursor: cursor.clone(),
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        }
        .run(cursor)
    }

    pub(crate) const fn root(&self) -> Id {
        self.root
    }

    pub(crate) fn get(&self, id: Id) -> &Value<'a> {
        self.values.get(id.0).unwrap_or(&Value::None)
    }

    pub(crate) fn values(&self) -> &[Value<'a>] {
        &self.values
    }
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// How long the stack was at each mark.
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
}

impl<'a> Machine<'a> {
    fn run(mut self, end: &mut Cursor<'a>) -> Result<Pickle<'a>, Flaw> {
        let start = self.cursor.at();
        let head = [self.cursor.u8()?, self.cursor.u8()?];
        if head != [0x80, PROTOCOL] {
            let found = format!("bytes {head:02x?}");
            return Err(Flaw::new("a pickle of protocol 2, as PyTorch writes", found).at(start));
        }
        for _ in 0..MAX_OPERATIONS {
            let at = self.cursor.at();
            let read = self
                .cursor
                .u8()
                .map_err(|_| Flaw::new("an operation", "the end"));
            let operation = read.map_err(|e| e.at(at))?;
            if operation == b'.' {
                let root = self.pop().map_err(|e| e.at(at))?;
                if !self.stack.is_empty() || !self.marks.is_empty() {
                    let found = format!("{} more on the stack", self.stack.len());
                    return Err(Flaw::new("one value at the end", found).at(at));
                }
                *end = self.cursor;
                return Ok(Pickle {
                    values: self.values,
                    root,
                });
            }
            self.operate(operation).map_err(|e| e.at(at))?;
            if self.stack.len().max(self.marks.len()) > MAX_STACK {
                let found = self.stack.len().max(self.marks.len());
                return Err(Flaw::limit("pickle stack", MAX_STACK as u64, found as u64));
            }
        }
        let found = MAX_OPERATIONS.saturating_add(1);
        Err(Flaw::limit("pickle operations", MAX_OPERATIONS, found))
    }

    fn operate(&mut self, operation: u8) -> Result<(), Flaw> {
        match operation {
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8A => self.int(operation)?,
            b'G' => {
                self.cursor.take(8)?;
                self.push(Value::Float);
            }
            b'X' | b'T' | b'U' => self.text(operation)?,
            b')' => self.push(Value::Tuple(Vec::new())),
            b't' => self.tuple(None)?,
            0x85..=0x87 => self.tuple(Some(usize::from(operation).saturating_sub(0x84)))?,
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b'a' | b'e' => self.append(operation == b'e')?,
            b's' | b'u' => self.set_items(operation == b'u')?,
            b'q' | b'r' => self.remember(operation)?,
            b'h' | b'j' => self.recall(operation)?,
            b'c' => self.global()?,
            b'Q' => self.persistent()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            _ => return Err(refused(operation)),
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        let id = Id(self.values.len());
        self.values.push(value);
        self.stack.push(id);
    }

    /// Takes the topmost value above the last mark.
    fn pop(&mut self) -> Result<Id, Flaw> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let empty = Flaw::new("a value on the stack", "none");
        match self.stack.len() > floor {
            true => self.stack.pop().ok_or(empty),
            false => Err(empty),
        }
    }

    /// Takes everything above the last mark, and the mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>, Flaw> {
        let mark = self.marks.pop();
        let mark = mark.ok_or_else(|| Flaw::new("a mark on the stack", "none"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn value(&self, id: Id) -> &Value<'a> {
        self.values.get(id.0).unwrap_or(&Value::None)
    }

    /// The topmost value, which stays.
    fn top(&mut self) -> Result<&mut Value<'a>, Flaw> {
        let id = self.pop()?;
        self.stack.push(id);
        let gone = Flaw::new("a value", "none");
        self.values.get_mut(id.0).ok_or(gone)
    }

    fn int(&mut self, operation: u8) -> Result<(), Flaw> {
        let number = match operation {
            b'K' => i128::from(self.cursor.u8()?),
            b'M' => i128::from(self.cursor.u16()?),
            b'J' => i128::from(self.cursor.u32()?.cast_signed()),
            _ => {
                let len = usize::from(self.cursor.u8()?);
                let bytes = self.cursor.take(len)?;
                let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
                let mut all = [if negative { 0xFF } else { 0 }; 16];
                let Some(head) = all.get_mut(..len) else {
                    let found = format!("one of {len} bytes");
                    return Err(Flaw::new("a number of at most 16 bytes", found));
                };
                head.copy_from_slice(bytes);
                i128::from_le_bytes(all)
            }
        };
        self.push(Value::Int(number));
        Ok(())
    }

    fn text(&mut self, operation: u8) -> Result<(), Flaw> {
        let len = match operation {
            b'U' => usize::from(self.cursor.u8()?),
            _ => self.cursor.length()?,
        };
        if len > MAX_TEXT {
            return Err(Flaw::limit("bytes of a text", MAX_TEXT as u64, len as u64));
        }
        let text = std::str::from_utf8(self.cursor.take(len)?);
        let text = text.map_err(|_| Flaw::new("a text in UTF-8", "other bytes"))?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn tuple(&mut self, len: Option<usize>) -> Result<(), Flaw> {
        let items = match len {
            None => self.pop_mark()?,
            Some(len) => {
                let mut items = Vec::new();
                for _ in 0..len {
                    items.push(self.pop()?);
                }
                items.reverse();
                items
            }
        };
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn append(&mut self, many: bool) -> Result<(), Flaw> {
        let new = if many {
            self.pop_mark()?
        } else {
            vec![self.pop()?]
        };
        match self.top()? {
            Value::List(items) => {
                items.extend(new);
                Ok(())
            }
            other => Err(Flaw::new("a list to append to", other.kind())),
        }
    }

    fn set_items(&mut self, many: bool) -> Result<(), Flaw> {
        let new = match many {
            true => self.pop_mark()?,
            false => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
        };
        let (pairs, rest) = new.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Flaw::new("a value for each key", "a key without one"));
        }
        match self.top()? {
            Value::Dict(items) => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            other => Err(Flaw::new("a dict to add to", other.kind())),
        }
    }

    fn place(&mut self, short: bool) -> Result<usize, Flaw> {
        Ok(match short {
            true => usize::from(self.cursor.u8()?),
            false => self.cursor.length()?,
        })
    }

    fn remember(&mut self, operation: u8) -> Result<(), Flaw> {
        let place = self.place(operation == b'q')?;
        if place >= MAX_MEMO {
            return Err(Flaw::limit("pickle memo", MAX_MEMO as u64, place as u64));
        }
        let id = self.pop()?;
        self.stack.push(id);
        if self.memo.len() <= place {
            self.memo.resize(place.saturating_add(1), None);
        }
        if let Some(slot) = self.memo.get_mut(place) {
            *slot = Some(id);
        }
        Ok(())
    }

    fn recall(&mut self, operation: u8) -> Result<(), Flaw> {
        let place = self.place(operation == b'h')?;
        match self.memo.get(place).copied().flatten() {
            Some(id) => {
                self.stack.push(id);
                Ok(())
            }
            None => Err(Flaw::new(
                "a remembered value",
                format!("none at place {place}"),
            )),
        }
    }

    fn global(&mut self) -> Result<(), Flaw> {
        let line = |bytes| std::str::from_utf8(bytes).unwrap_or("\u{FFFD}");
        let module = line(self.cursor.until(b'\n')?);
        let name = line(self.cursor.until(b'\n')?);
        // A class is followed by empty arguments and the making of an instance, perhaps
        // after it was remembered; `copyreg._reconstructor` does the same in old pickles.
        let mut ahead = self.cursor.clone();
        let mut next = ahead.u8().unwrap_or_default();
        if next == b'q' {
            let _ = ahead.u8();
            next = ahead.u8().unwrap_or_default();
        }
        let built = next == b')' && ahead.u8().is_ok_and(|b| b == 0x81);
        let global = global(module, name, built)?;
        self.push(Value::Global(global));
        Ok(())
    }

    /// A storage: `('storage', class, key, place, numel)`, of old files with a view behind.
    fn persistent(&mut self) -> Result<(), Flaw> {
        let id = self.pop()?;
        let Value::Tuple(parts) = self.value(id) else {
            let found = self.value(id).kind();
            return Err(Flaw::new("the description of a storage", found));
        };
        let parts: Vec<&Value<'a>> = parts.iter().map(|&p| self.value(p)).collect();
        let storage = match parts.as_slice() {
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                Value::Text(place),
                Value::Int(numel),
            ]
            | [
                Value::Text("storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                Value::Text(place),
                Value::Int(numel),
                Value::None,
            ] => {
                if *place == "meta" {
                    return Err(Flaw::new("numbers", "a tensor without any (meta)"));
                }
                Storage {
                    key,
                    dtype: *dtype,
                    numel: size(*numel)?,
                }
            }
            _ => return Err(Flaw::new("a storage", "another persistent object")),
        };
        self.push(Value::Storage(storage));
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), Flaw> {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let Value::Global(function) = *self.value(function) else {
            let found = self.value(function).kind();
            return Err(Flaw::new("a function to call", found));
        };
        let Value::Tuple(arguments) = self.value(arguments) else {
            let found = self.value(arguments).kind();
            return Err(Flaw::new("arguments as a tuple", found));
        };
        let arguments = arguments.clone();
        let value = match (function, arguments.as_slice()) {
            (Global::OrderedDict, []) => Value::Dict(Vec::new()),
            (Global::OrderedDict, [pairs]) => Value::Dict(self.pairs(*pairs)?),
            (Global::RebuildTensor, _) => Value::Tensor(Box::new(self.tensor(&arguments)?)),
            (Global::RebuildParameter, [data, _, _]) => match self.value(*data) {
                Value::Tensor(_) => {
                    self.stack.push(*data);
                    return Ok(());
                }
                other => return Err(Flaw::new("a tensor as parameter", other.kind())),
            },
            (Global::Size, [sizes]) => Value::Tuple(self.items(*sizes)?.to_vec()),
            (function, arguments) => {
                let found = format!("{function:?} with {} arguments", arguments.len());
                return Err(Flaw::new("a call that builds a tensor", found));
            }
        };
        self.push(value);
        Ok(())
    }

    /// Attributes of a dict, such as PyTorch's `_metadata`, mean nothing here; nothing else
    /// may have any.
    fn build(&mut self) -> Result<(), Flaw> {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) => Ok(()),
            other => Err(Flaw::new("attributes of a dict alone", other.kind())),
        }
    }

    fn items(&self, id: Id) -> Result<&[Id], Flaw> {
        match self.value(id) {
            Value::Tuple(items) | Value::List(items) => Ok(items),
            other => Err(Flaw::new("a tuple or list", other.kind())),
        }
    }

    /// `[[key, value], …]`.
    fn pairs(&self, id: Id) -> Result<Vec<(Id, Id)>, Flaw> {
        let mut pairs = Vec::new();
        for &pair in self.items(id)? {
            match self.items(pair)? {
                &[key, value] => pairs.push((key, value)),
                _ => return Err(Flaw::new("pairs of key and value", "another length")),
            }
        }
        Ok(pairs)
    }

    /// `(storage, offset, shape, strides, requires_grad, hooks[, metadata])`.
    fn tensor(&self, arguments: &[Id]) -> Result<Tensor<'a>, Flaw> {
        let (&[storage, offset, shape, strides, _, _]
        | &[storage, offset, shape, strides, _, _, _]) = arguments
        else {
            let found = format!("{} of them", arguments.len());
            return Err(Flaw::new("6 or 7 arguments of a dense tensor", found));
        };
        let (Value::Storage(storage), Value::Int(offset)) =
            (self.value(storage), self.value(offset))
        else {
            let found = self.value(storage).kind();
            return Err(Flaw::new("a tensor's storage and offset", found));
        };
        let tensor = Tensor {
            storage: *storage,
            offset: size(*offset)?,
            shape: self.sizes(shape)?,
            strides: self.sizes(strides)?,
        };
        tensor.check()?;
        Ok(tensor)
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, Flaw> {
        let sizes = self.items(id)?.iter().map(|&item| match self.value(item) {
            Value::Int(n) => size(*n),
            other => Err(Flaw::new("whole numbers", other.kind())),
        });
        sizes.collect()
    }
}

fn size(n: i128) -> Result<usize, Flaw> {
    usize::try_from(n).map_err(|_| Flaw::new("a size of at least 0", n.to_string()))
}

/// The error for an operation that no state dict needs.
fn refused(operation: u8) -> Flaw {
    let name = match operation {
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x82..=0x84 => "EXT",
        0x80 => "PROTO again",
        0x8B => "LONG4",
        0x8D => "BINUNICODE8",
        0x8E | b'B' | b'C' => "BYTES",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        _ => "no operation of a state dict",
    };
    let found = format!("{:#04x} ({name})", operation);
    Flaw::new("an operation that builds tensors", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Pickle<'_>, Flaw> {
        Pickle::read(&mut Cursor::new(bytes, 0))
    }

    #[test]
    fn long_numbers_keep_their_sign() {
        for (bytes, expected) in [
            (&b"\x80\x02\x8a\x00."[..], 0),
            (b"\x80\x02\x8a\x01\xff.", -1),
            (
                b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
                119_547_037_146_038_801_333_356,
            ),
        ] {
            let pickle = read(bytes).map_err(|e| format!("{e:?}"));
            let found = pickle.map(|p| p.get(p.root()).clone());
            assert!(
                matches!(found, Ok(Value::Int(n)) if n == expected),
                "{found:?}"
            );
        }
        assert!(read(&[&b"\x80\x02\x8a\x11"[..], &[0; 17], b"."].concat()).is_err());
    }
}
