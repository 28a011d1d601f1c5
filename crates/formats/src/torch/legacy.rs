//! PyTorch's files from before version 1.6: five pickles, and storages one after another.

use super::pickle::Pickle;
use super::state::{self, Dict, Order, Storages};
use super::value::{Storage, Value};
use crate::cursor::Cursor;
use crate::error::{Flaw, quoted};
use std::collections::HashMap;

/// What the first pickle is.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
/// What the second is.
const PROTOCOL: i128 = 1001;

/// Reads a file of `torch.save` in its old form.
pub(crate) fn read(bytes: &[u8]) -> Result<Dict<'_>, Flaw> {
    let mut cursor = Cursor::new(bytes, 0);
    for (expected, what) in [
        (MAGIC, "PyTorch's magic number"),
        (PROTOCOL, "protocol 1001"),
    ] {
        let at = cursor.at();
        let pickle = Pickle::read(&mut cursor)?;
        match pickle.get(pickle.root()) {
            Value::Int(found) if *found == expected => {}
            other => return Err(Flaw::new(what, other.kind()).at(at)),
        }
    }
    let at = cursor.at();
    let system = Pickle::read(&mut cursor)?;
    let order = order(&system).map_err(|e| e.at(at))?;
    let pickle = Pickle::read(&mut cursor)?;
    let at = cursor.at();
    let listed = Pickle::read(&mut cursor)?;
    let Value::List(keys) = listed.get(listed.root()) else {
        return Err(Flaw::new("the list of storages", "another value").at(at));
    };
    let mut known: HashMap<&str, Storage<'_>> = HashMap::new();
    for value in pickle.values() {
        if let Value::Storage(storage) = value
            && *known.entry(storage.key).or_insert(*storage) != *storage
        {
            let found = format!("storage {} with two sizes", quoted(storage.key));
            return Err(Flaw::new("one size of a storage", found));
        }
    }
    let mut by_key = HashMap::new();
    for &key in keys {
        let Value::Text(key) = listed.get(key) else {
            return Err(Flaw::new("keys of storages", listed.get(key).kind()).at(at));
        };
        let Some(storage) = known.get(key) else {
            let found = format!("storage {}, which nobody views", quoted(key));
            return Err(Flaw::new("storages of the tensors", found).at(at));
        };
        let numbers = numbers(&mut cursor, storage, order)?;
        if by_key.insert(*key, numbers).is_some() {
            let found = format!("{} twice", quoted(key));
            return Err(Flaw::new("each storage once", found).at(at));
        }
    }
    if !cursor.is_at_end() {
        return Err(Flaw::new("the end of the file", "more bytes").at(cursor.at()));
    }
    state::dict(&pickle, &Storages { order, by_key }, Vec::new())
}

/// How many numbers follow, and the numbers.
fn numbers<'a>(
    cursor: &mut Cursor<'a>,
    storage: &Storage<'_>,
    order: Order,
) -> Result<&'a [u8], Flaw> {
    let at = cursor.at();
    let found = match order {
        Order::Little => cursor.u64()?,
        Order::Big => cursor.u64()?.swap_bytes(),
    };
    if u64::try_from(storage.numel) != Ok(found) {
        let expected = format!(
            "{} numbers of storage {}",
            storage.numel,
            quoted(storage.key)
        );
        return Err(Flaw::new(expected, found.to_string()).at(at));
    }
    let len = storage.numel.checked_mul(storage.dtype.size());
    cursor.take(len.unwrap_or(usize::MAX))
}

/// The byte order that the third pickle names.
fn order(system: &Pickle<'_>) -> Result<Order, Flaw> {
    let Value::Dict(items) = system.get(system.root()) else {
        return Err(Flaw::new("a dict about the writer", "another value"));
    };
    let little = items.iter().find_map(|&(key, value)| {
        let named = matches!(system.get(key), Value::Text("little_endian"));
        match system.get(value) {
            Value::Bool(little) if named => Some(*little),
            _ => None,
        }
    });
    match little {
        Some(true) => Ok(Order::Little),
        Some(false) => Ok(Order::Big),
        None => Err(Flaw::new("the writer's byte order", "none")),
    }
}
