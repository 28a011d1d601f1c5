//! PyTorch's files: a pickle of views, and the numbers that they view.

mod legacy;
mod pickle;
mod state;
mod value;
mod zip;

use crate::cursor::Cursor;
use crate::error::{Flaw, quoted};
use pickle::{MAX_BYTES, Pickle};
use state::{Order, Storages};
use std::collections::HashMap;

pub(crate) use legacy::read as read_legacy;
pub(crate) use state::Dict;

/// Reads a file of `torch.save` in its present form, a zip archive.
pub(crate) fn read_zip(bytes: &[u8]) -> Result<Dict<'_>, Flaw> {
    let records = zip::directory(bytes)?;
    let mut warnings = Vec::new();
    let mut by_name = HashMap::new();
    let mut root = None;
    for record in &records {
        let (folder, name) = record.name.split_once('/').unwrap_or(("", record.name));
        if *root.get_or_insert(folder) != folder {
            let found = quoted(record.name);
            return Err(Flaw::new("one folder of records", found));
        }
        if name == "constants.pkl" || name.starts_with("code/") {
            let found = format!("{}, TorchScript, which contains code", quoted(record.name));
            return Err(Flaw::new("a state dict", found));
        }
        by_name.insert(name, record);
    }
    let read = |name: &str| {
        by_name
            .get(name)
            .map(|r| bytes.get(r.data.clone()).unwrap_or(&[]))
    };
    let Some(data) = read("data.pkl") else {
        let found = format!("{} others", records.len());
        return Err(Flaw::new("a record called data.pkl", found));
    };
    let order = match read("byteorder") {
        None | Some(b"little") => Order::Little,
        Some(b"big") => Order::Big,
        Some(other) => {
            let found = quoted(&String::from_utf8_lossy(other));
            return Err(Flaw::new("byte order little or big", found));
        }
    };
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    if len > MAX_BYTES {
        return Err(Flaw::limit("bytes of a pickle", MAX_BYTES, len));
    }
    for record in &records {
        if !zip::check_crc(bytes, record)? {
            warnings.push(format!("{} has no checksum", quoted(record.name)));
        }
    }
    let inside = |e: Flaw| e.of("record \"data.pkl\"");
    let mut cursor = Cursor::new(data, 0);
    let pickle = Pickle::read(&mut cursor).map_err(inside)?;
    if !cursor.is_at_end() {
        return Err(inside(
            Flaw::new("the end of the pickle", "more").at(cursor.at()),
        ));
    }
    let storages = pickle.values().iter().filter_map(|value| match value {
        value::Value::Storage(storage) => {
            let bytes = read(&format!("data/{}", storage.key));
            bytes.map(|bytes| (storage.key, bytes))
        }
        _ => None,
    });
    let storages = Storages {
        order,
        by_key: storages.collect(),
    };
    state::dict(&pickle, &storages, warnings)
}
