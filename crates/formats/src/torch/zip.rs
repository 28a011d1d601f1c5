//! The directory of a zip archive as PyTorch writes it: stored records, one after another.

use crate::cursor::Cursor;
use crate::error::{Flaw, quoted};
use std::collections::HashSet;
use std::ops::Range;

/// Length of the record at the end.
const END: usize = 22;
/// Lengths of the 64-bit record at the end, and of the pointer to it.
const END64: usize = 56;
const LOCATOR: usize = 20;
/// Most bytes between records: a 64-bit data descriptor.
const DESCRIPTOR: usize = 24;
/// Most records of an archive.
const MAX_RECORDS: u64 = 65_536;
/// The bit of a header that says: sizes and checksum follow the data.
const STREAMED: u16 = 1 << 3;

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) name: &'a str,
    /// Where its bytes lie.
    pub(crate) data: Range<usize>,
    pub(crate) crc: u32,
}

/// Where the directory lies, and how many entries it has.
struct Directory {
    start: usize,
    entries: u64,
}

/// An entry of the directory.
struct Entry<'a> {
    name: &'a str,
    header: usize,
    size: usize,
    crc: u32,
}

/// Reads the directory of `bytes`.
///
/// Nothing but records, directory and end is allowed, so that no two readers can see
/// different archives: no comment, no bytes in front or between, no record twice.
pub(crate) fn directory(bytes: &[u8]) -> Result<Vec<Record<'_>>, Flaw> {
    let Directory { start, entries } = end(bytes)?;
    let mut cursor = Cursor::new(bytes, start);
    let mut names = HashSet::new();
    let mut listed = Vec::new();
    for _ in 0..entries {
        let entry = entry(&mut cursor)?;
        if !names.insert(entry.name) {
            let found = format!("{} twice", quoted(entry.name));
            return Err(Flaw::new("each record once", found).at(entry.header));
        }
        listed.push(entry);
    }
    listed.sort_by_key(|e| e.header);
    let mut records = Vec::new();
    let mut free = 0;
    for entry in &listed {
        let record = local(bytes, entry).map_err(|e| e.of(about(entry.name)))?;
        let gap = entry.header.checked_sub(free);
        let allowed = if records.is_empty() { 0 } else { DESCRIPTOR };
        if gap.is_none_or(|gap| gap > allowed) || record.data.end > start {
            let expected = format!("the record at byte {free}, in front of the directory");
            let found = format!("bytes {} to {}", entry.header, record.data.end);
            return Err(Flaw::new(expected, found).of(about(entry.name)));
        }
        free = record.data.end;
        records.push(record);
    }
    if start.checked_sub(free).is_none_or(|gap| gap > DESCRIPTOR) {
        let found = format!("records up to byte {free}");
        return Err(Flaw::new(format!("records up to byte {start}"), found).at(free));
    }
    Ok(records)
}

/// Checks the record's bytes; `false` where the writer left the checksum out.
pub(crate) fn check_crc(bytes: &[u8], record: &Record<'_>) -> Result<bool, Flaw> {
    let data = bytes.get(record.data.clone()).unwrap_or_default();
    if record.crc == 0 && !data.is_empty() {
        return Ok(false);
    }
    let found = crc32fast::hash(data);
    if found == record.crc {
        return Ok(true);
    }
    let expected = format!("CRC-32 {:08x}", record.crc);
    let flaw = Flaw::new(expected, format!("{found:08x}"));
    Err(flaw.of(about(record.name)).at(record.data.start))
}

fn about(name: &str) -> String {
    format!("record {}", quoted(name))
}

fn signature(cursor: &mut Cursor<'_>, expected: [u8; 4], what: &str) -> Result<(), Flaw> {
    let at = cursor.at();
    let found = cursor.take(4)?;
    if found == expected {
        return Ok(());
    }
    Err(Flaw::new(what, format!("bytes {found:02x?}")).at(at))
}

/// Reads what stands at the end of the file.
fn end(bytes: &[u8]) -> Result<Directory, Flaw> {
    let no_end = |found: String| Flaw::new("a zip's end record as the last 22 bytes", found);
    let Some(at) = bytes.len().checked_sub(END) else {
        return Err(no_end(format!("{} bytes in all", bytes.len())));
    };
    let mut cursor = Cursor::new(bytes, at);
    signature(
        &mut cursor,
        *b"PK\x05\x06",
        "a zip's end record without a comment",
    )?;
    let disks = [cursor.u16()?, cursor.u16()?];
    let counts = [u64::from(cursor.u16()?), u64::from(cursor.u16()?)];
    let size = u64::from(cursor.u32()?);
    let start = u64::from(cursor.u32()?);
    let comment = cursor.u16()?;
    if disks != [0, 0] || counts[0] != counts[1] || comment != 0 {
        return Err(no_end("several disks or a comment".to_owned()).at(at));
    }
    let [entries, size, start, end] = match end64(bytes, at)? {
        Some([entries64, size64, start64, end]) => {
            let same = |short: u64, long: u64, escape: u64| short == long || short == escape;
            if !same(counts[0], entries64, 0xFFFF)
                || !same(size, size64, 0xFFFF_FFFF)
                || !same(start, start64, 0xFFFF_FFFF)
            {
                return Err(Flaw::new("two end records that agree", "a difference").at(at));
            }
            [entries64, size64, start64, end]
        }
        None => [
            counts[0],
            size,
            start,
            u64::try_from(at).unwrap_or(u64::MAX),
        ],
    };
    if entries > MAX_RECORDS {
        return Err(Flaw::limit("zip records", MAX_RECORDS, entries));
    }
    if start.checked_add(size) != Some(end) {
        let found = format!("bytes {start} + {size}");
        return Err(Flaw::new(format!("a directory that ends at byte {end}"), found).at(at));
    }
    let start = usize::try_from(start).map_err(|_| no_end("a far directory".to_owned()))?;
    Ok(Directory { start, entries })
}

/// Entries, size, start and end of the directory by the 64-bit record, where there is one.
fn end64(bytes: &[u8], end: usize) -> Result<Option<[u64; 4]>, Flaw> {
    let Some(at) = end.checked_sub(LOCATOR) else {
        return Ok(None);
    };
    let mut cursor = Cursor::new(bytes, at);
    if signature(&mut cursor, *b"PK\x06\x07", "").is_err() {
        return Ok(None);
    }
    let (disk, place, disks) = (cursor.u32()?, cursor.u64()?, cursor.u32()?);
    let expected = at.checked_sub(END64);
    let start = usize::try_from(place).ok().filter(|p| Some(*p) == expected);
    let (Some(start), 0, 1) = (start, disk, disks) else {
        let found = format!("byte {place}");
        return Err(Flaw::new("the 64-bit end record in front of its pointer", found).at(at));
    };
    let mut cursor = Cursor::new(bytes, start);
    signature(&mut cursor, *b"PK\x06\x06", "a 64-bit end record")?;
    let length = cursor.u64()?;
    cursor.take(4)?;
    let disks = [cursor.u32()?, cursor.u32()?];
    let counts = [cursor.u64()?, cursor.u64()?];
    let (size, place64) = (cursor.u64()?, cursor.u64()?);
    if length != 44 || disks != [0, 0] || counts[0] != counts[1] {
        return Err(Flaw::new("a 64-bit end record of one disk", "another").at(start));
    }
    Ok(Some([counts[0], size, place64, place]))
}

/// Reads an entry of the directory.
fn entry<'a>(cursor: &mut Cursor<'a>) -> Result<Entry<'a>, Flaw> {
    let at = cursor.at();
    signature(cursor, *b"PK\x01\x02", "an entry of the directory")?;
    cursor.take(4)?;
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.take(4)?;
    let crc = cursor.u32()?;
    let (mut packed, mut size) = (u64::from(cursor.u32()?), u64::from(cursor.u32()?));
    let [name_len, extra_len, comment_len] = [cursor.u16()?, cursor.u16()?, cursor.u16()?];
    let disk = cursor.u16()?;
    cursor.take(6)?;
    let mut header = u64::from(cursor.u32()?);
    let name = name(cursor.take(name_len.into())?).map_err(|e| e.at(at))?;
    let extra = cursor.take(extra_len.into())?;
    cursor.take(comment_len.into())?;
    wide(extra, [&mut size, &mut packed, &mut header]).map_err(|e| e.of(about(name)))?;
    let flaw =
        |expected: &str, found: String| Err(Flaw::new(expected, found).of(about(name)).at(at));
    if method != 0 && name.contains("/code/") {
        let found = "TorchScript, which contains code".to_owned();
        return flaw("a state dict", found);
    }
    if method != 0 {
        let found = format!("method {method}");
        return flaw("a stored record (method 0), as PyTorch writes it", found);
    }
    if flags & 1 != 0 || disk != 0 {
        return flaw(
            "a record of this disk that is not encrypted",
            format!("flags {flags:#06x}"),
        );
    }
    if packed != size {
        return flaw("two equal sizes", format!("{packed} and {size}"));
    }
    match (usize::try_from(header), usize::try_from(size)) {
        (Ok(header), Ok(size)) => Ok(Entry {
            name,
            header,
            size,
            crc,
        }),
        _ => flaw("a record in this file", format!("byte {header}")),
    }
}

/// Replaces fields of 32 bits that are full by those of 64 bits in the extra field.
fn wide(extra: &[u8], fields: [&mut u64; 3]) -> Result<(), Flaw> {
    let mut cursor = Cursor::new(extra, 0);
    let mut values = None;
    while !cursor.is_at_end() {
        let (id, len) = (cursor.u16()?, cursor.u16()?);
        let data = cursor.take(len.into())?;
        if id == 1 && values.replace(Cursor::new(data, 0)).is_some() {
            return Err(Flaw::new("64-bit sizes once", "twice"));
        }
    }
    for field in fields {
        if *field == 0xFFFF_FFFF {
            let Some(values) = &mut values else {
                return Err(Flaw::new("64-bit sizes", "none"));
            };
            *field = values.u64()?;
        }
    }
    Ok(())
}

/// A name that stays inside its archive.
fn name(bytes: &[u8]) -> Result<&str, Flaw> {
    let refuse = |found: String| Flaw::new("a plain name of a record", found);
    let name = std::str::from_utf8(bytes).map_err(|_| refuse("bytes that are no UTF-8".into()))?;
    let parts = name
        .split('/')
        .all(|p| !p.is_empty() && p != "." && p != "..");
    if parts && !name.contains(['\\', '\0', ':']) {
        return Ok(name);
    }
    Err(refuse(quoted(name)))
}

/// Finds the bytes of an entry, whose own header has to say what the directory says.
fn local<'a>(bytes: &'a [u8], entry: &Entry<'a>) -> Result<Record<'a>, Flaw> {
    let mut cursor = Cursor::new(bytes, entry.header);
    signature(&mut cursor, *b"PK\x03\x04", "the header of a record")?;
    cursor.take(2)?;
    let (flags, method) = (cursor.u16()?, cursor.u16()?);
    cursor.take(4)?;
    let crc = cursor.u32()?;
    let sizes = [u64::from(cursor.u32()?), u64::from(cursor.u32()?)];
    let (name_len, extra_len) = (cursor.u16()?, cursor.u16()?);
    let name = cursor.take(name_len.into())?;
    cursor.take(extra_len.into())?;
    let size = u64::try_from(entry.size).unwrap_or(u64::MAX);
    let known = |found: u64| found == size || found == 0xFFFF_FFFF;
    let given = crc == entry.crc && sizes.into_iter().all(known);
    let left_open = flags & STREAMED != 0 && crc == 0 && sizes == [0, 0];
    if name != entry.name.as_bytes() || method != 0 || !(given || left_open) {
        let found = "another name, method, size or checksum";
        return Err(Flaw::new("what the directory says", found).at(entry.header));
    }
    let start = cursor.at();
    cursor.take(entry.size)?;
    Ok(Record {
        name: entry.name,
        data: start..cursor.at(),
        crc: entry.crc,
    })
}
