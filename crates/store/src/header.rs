//! The header of an archive: its grammar, and the layout that it describes.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use crate::json::{Next, Scan, Scanner, Text, TextFault, clipped};
use crate::{Dtype, Excess, Fault, Limits, Rule, StoreError};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ops::Range;
use std::path::Path;

/// Bytes before the header: its length as a little-endian `u64`.
pub(crate) const PREFIX: usize = 8;
/// The key under which a header keeps its metadata.
pub(crate) const METADATA: &str = "__metadata__";

/// One tensor: what the header says of it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Its bytes, counted from the end of the header.
    pub(crate) range: Range<usize>,
    /// The byte of the file at which its name stands.
    at: u64,
}

/// A header that keeps every rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    pub(crate) tensors: BTreeMap<String, Record>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) warnings: Vec<String>,
}

/// How long the header is, checked against the file's size and the limits.
///
/// `prefix` holds the first bytes of the file, at least eight where it has as many.
pub(crate) fn header_len(
    prefix: &[u8],
    file_len: u64,
    path: &Path,
    limits: &Limits,
) -> Result<usize, StoreError> {
    let fault = |rule, expected: String, found: String| {
        StoreError::Malformed(Box::new(Fault {
            file: path.to_path_buf(),
            rule,
            offset: Some(0),
            item: None,
            expected,
            found,
        }))
    };
    let Some(prefix) = prefix.first_chunk::<PREFIX>() else {
        let expected = "at least 8 bytes, the length of a safetensors header".to_owned();
        return Err(fault(
            Rule::Prefix,
            expected,
            format!("{file_len} bytes in all"),
        ));
    };
    let len = u64::from_le_bytes(*prefix);
    let room = file_len.saturating_sub(8);
    if len > room {
        let expected = format!("a header within the file of {file_len} bytes");
        return Err(fault(
            Rule::HeaderLength,
            expected,
            format!("a header of {len} bytes"),
        ));
    }
    if len > limits.max_header_bytes {
        return Err(StoreError::Limit(Box::new(Excess {
            file: path.to_path_buf(),
            limit: "max_header_bytes",
            item: None,
            allowed: limits.max_header_bytes,
            found: len,
        })));
    }
    usize::try_from(len).map_err(|_| {
        let expected = "a header that fits the address space".to_owned();
        fault(
            Rule::HeaderLength,
            expected,
            format!("a header of {len} bytes"),
        )
    })
}

/// Reads the header `bytes` of a file that holds `data_len` bytes after it.
pub(crate) fn scan(
    bytes: &[u8],
    data_len: u64,
    path: &Path,
    limits: &Limits,
) -> Result<Header, StoreError> {
    let reader = Reader { path, limits };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        reader.text_fault(
            None,
            TextFault {
                rule: Rule::Utf8,
                at: error.valid_up_to(),
                expected: "UTF-8".to_owned(),
                found: bytes
                    .get(error.valid_up_to())
                    .map_or_else(String::new, |b| format!("byte 0x{b:02x}")),
            },
        )
    })?;
    let header = reader.header(text)?;
    reader.layout(&header, data_len)?;
    Ok(header)
}

/// The fields of a tensor as they stand in the header.
#[derive(Default)]
struct Raw<'a> {
    dtype: Option<Text<'a>>,
    shape: Option<Vec<u64>>,
    offsets: Option<[u64; 2]>,
}

impl Raw<'_> {
    fn missing(&self) -> String {
        let fields = [
            ("dtype", self.dtype.is_none()),
            ("shape", self.shape.is_none()),
            ("data_offsets", self.offsets.is_none()),
        ];
        let names: Vec<&str> = fields.iter().filter(|f| f.1).map(|f| f.0).collect();
        names.join(" and ")
    }
}

struct Reader<'p> {
    path: &'p Path,
    limits: &'p Limits,
}

impl Reader<'_> {
    fn header(&self, text: &str) -> Result<Header, StoreError> {
        let mut header = Header::default();
        let mut metadata_seen = false;
        let scanner = &mut Scanner::new(text);
        self.lift(None, scanner.first(b'{'))?;
        let mut next = scanner.open(b'}');
        while next == Next::Item {
            let key = self.lift(None, scanner.key())?;
            if key.value == METADATA {
                if std::mem::replace(&mut metadata_seen, true) {
                    return Err(self.text_fault(None, twice(&key)));
                }
                header.metadata = self.metadata(scanner)?;
            } else {
                self.tensor(scanner, key, &mut header)?;
            }
            next = self.lift(None, scanner.more(b'}'))?;
        }
        self.lift(None, scanner.end())?;
        Ok(header)
    }

    fn metadata(&self, scanner: &mut Scanner<'_>) -> Result<BTreeMap<String, String>, StoreError> {
        let mut map = BTreeMap::new();
        self.lift(None, scanner.expect(b'{'))?;
        let mut next = scanner.open(b'}');
        while next == Next::Item {
            let key = self.lift(None, scanner.key())?;
            let value = self.lift(None, scanner.string())?;
            self.within(
                "max_metadata",
                None,
                self.limits.max_metadata,
                count(map.len()),
            )?;
            match map.entry(key.value.clone().into_owned()) {
                Slot::Occupied(_) => return Err(self.text_fault(None, twice(&key))),
                Slot::Vacant(slot) => slot.insert(value.value.into_owned()),
            };
            next = self.lift(None, scanner.more(b'}'))?;
        }
        Ok(map)
    }

    fn tensor(
        &self,
        scanner: &mut Scanner<'_>,
        key: Text<'_>,
        header: &mut Header,
    ) -> Result<(), StoreError> {
        let bytes = u64::try_from(key.value.len()).unwrap_or(u64::MAX);
        let max = self.limits.max_name_bytes;
        if bytes > max {
            let head: String = key.value.chars().take(40).collect();
            return Err(self.excess("max_name_bytes", Some(&head), max, bytes));
        }
        let tensors = count(header.tensors.len());
        self.within("max_tensors", None, self.limits.max_tensors, tensors)?;
        let (name, at) = (key.value.as_ref(), file_offset(key.at));
        let raw = self.fields(scanner, name, &mut header.warnings)?;
        let record = self.record(name, at, raw)?;
        match header.tensors.entry(name.to_owned()) {
            Slot::Occupied(_) => Err(self.text_fault(Some(name), twice(&key))),
            Slot::Vacant(slot) => {
                slot.insert(record);
                Ok(())
            }
        }
    }

    fn fields<'a>(
        &self,
        scanner: &mut Scanner<'a>,
        name: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Raw<'a>, StoreError> {
        let item = Some(name);
        let mut raw = Raw::default();
        self.lift(item, scanner.expect(b'{'))?;
        let mut next = scanner.open(b'}');
        while next == Next::Item {
            let key = self.lift(item, scanner.key())?;
            let again = match key.value.as_ref() {
                "dtype" => {
                    let dtype = self.lift(item, scanner.string())?;
                    raw.dtype.replace(dtype).is_some()
                }
                "shape" => raw.shape.replace(self.shape(scanner, name)?).is_some(),
                "data_offsets" => {
                    let offsets = self.lift(item, offsets(scanner))?;
                    raw.offsets.replace(offsets).is_some()
                }
                unknown => {
                    self.lift(item, scanner.skip_value(self.limits.max_depth))?;
                    // A few name the habit; a file of nothing else must not fill memory.
                    if warnings.len() < 20 {
                        let unknown = clipped(unknown);
                        warnings.push(format!("tensor {name:?}: unknown field {unknown} ignored"));
                    }
                    false
                }
            };
            if again {
                return Err(self.text_fault(item, twice(&key)));
            }
            next = self.lift(item, scanner.more(b'}'))?;
        }
        Ok(raw)
    }

    fn shape(&self, scanner: &mut Scanner<'_>, name: &str) -> Result<Vec<u64>, StoreError> {
        let item = Some(name);
        let mut shape = Vec::new();
        self.lift(item, scanner.expect(b'['))?;
        let mut next = scanner.open(b']');
        while next == Next::Item {
            self.within("max_dims", item, self.limits.max_dims, count(shape.len()))?;
            shape.push(self.lift(item, scanner.integer())?);
            next = self.lift(item, scanner.more(b']'))?;
        }
        Ok(shape)
    }

    /// Checks one tensor's fields against each other.
    fn record(&self, name: &str, at: u64, raw: Raw<'_>) -> Result<Record, StoreError> {
        let fault = |rule, expected: &str, found: String| {
            self.fault(rule, Some(at), Some(name), expected.to_owned(), found)
        };
        let missing = raw.missing();
        let (Some(dtype), Some(dims), Some([begin, end])) = (raw.dtype, raw.shape, raw.offsets)
        else {
            let found = format!("an entry without {missing}");
            return Err(fault(Rule::Fields, "dtype, shape and data_offsets", found));
        };
        let dtype = self.dtype(name, &dtype)?;
        let Some(Extent { shape, bytes }) = extent(&dims, dtype) else {
            let found = format!("{dims:?} of {dtype}, an overflow");
            return Err(fault(
                Rule::Shape,
                "a shape whose size in bytes fits 63 bits",
                found,
            ));
        };
        let Some(len) = end.checked_sub(begin) else {
            let found = format!("offsets [{begin}, {end}]");
            return Err(fault(Rule::Order, "offsets in ascending order", found));
        };
        if len != bytes {
            let expected = format!("{bytes} bytes for shape {dims:?} of {dtype}");
            let found = format!("offsets [{begin}, {end}], {len} bytes");
            return Err(fault(Rule::Size, &expected, found));
        }
        let (Ok(start), Ok(stop)) = (usize::try_from(begin), usize::try_from(end)) else {
            let found = format!("offsets [{begin}, {end}]");
            return Err(fault(
                Rule::Shape,
                "offsets that fit the address space",
                found,
            ));
        };
        Ok(Record {
            dtype,
            shape,
            range: start..stop,
            at,
        })
    }

    fn dtype(&self, name: &str, text: &Text<'_>) -> Result<Dtype, StoreError> {
        if let Some(dtype) = Dtype::from_name(&text.value) {
            return Ok(dtype);
        }
        let (rule, expected) = if Dtype::is_unsupported(&text.value) {
            (Rule::Supported, "a dtype of at least 8 plain bits")
        } else {
            (Rule::Dtype, "a dtype of safetensors")
        };
        let found = match rule {
            Rule::Supported => format!("{}, which is not supported", clipped(&text.value)),
            _ => clipped(&text.value),
        };
        let at = Some(file_offset(text.at));
        Err(self.fault(rule, at, Some(name), expected.to_owned(), found))
    }

    /// Checks that the tensors cover the data exactly, each byte once.
    fn layout(&self, header: &Header, data_len: u64) -> Result<(), StoreError> {
        let mut order: Vec<(&String, &Record)> = header.tensors.iter().collect();
        order.sort_by_key(|(_, r)| (r.range.start, r.range.end));
        let mut covered = 0;
        for (name, record) in order {
            let Range { start, end } = record.range;
            let rule = match start.cmp(&covered) {
                std::cmp::Ordering::Less => Rule::Overlap,
                std::cmp::Ordering::Greater => Rule::Hole,
                std::cmp::Ordering::Equal => {
                    covered = end;
                    continue;
                }
            };
            let expected = format!("offsets that begin at {covered}");
            let what = if rule == Rule::Overlap {
                "an overlap"
            } else {
                "a hole"
            };
            let found = format!("offsets [{start}, {end}], {what}");
            return Err(self.fault(rule, Some(record.at), Some(name), expected, found));
        }
        let covered = count(covered);
        if covered != data_len {
            let expected = format!("{covered} bytes of data after the header");
            let found = format!("{data_len} bytes");
            return Err(self.fault(Rule::Total, None, None, expected, found));
        }
        Ok(())
    }

    /// Refuses one thing more where `present` are already `allowed`.
    fn within(
        &self,
        limit: &'static str,
        item: Option<&str>,
        allowed: u64,
        present: u64,
    ) -> Result<(), StoreError> {
        if present < allowed {
            return Ok(());
        }
        Err(self.excess(limit, item, allowed, present.saturating_add(1)))
    }

    fn excess(
        &self,
        limit: &'static str,
        item: Option<&str>,
        allowed: u64,
        found: u64,
    ) -> StoreError {
        StoreError::Limit(Box::new(Excess {
            file: self.path.to_path_buf(),
            limit,
            item: item.map(str::to_owned),
            allowed,
            found,
        }))
    }

    fn fault(
        &self,
        rule: Rule,
        offset: Option<u64>,
        item: Option<&str>,
        expected: String,
        found: String,
    ) -> StoreError {
        StoreError::Malformed(Box::new(Fault {
            file: self.path.to_path_buf(),
            rule,
            offset,
            item: item.map(str::to_owned),
            expected,
            found,
        }))
    }

    fn text_fault(&self, item: Option<&str>, fault: TextFault) -> StoreError {
        let at = Some(file_offset(fault.at));
        self.fault(fault.rule, at, item, fault.expected, fault.found)
    }

    fn lift<T>(&self, item: Option<&str>, scanned: Scan<T>) -> Result<T, StoreError> {
        scanned.map_err(|fault| self.text_fault(item, fault))
    }
}

/// A shape and how many bytes it takes.
struct Extent {
    shape: Vec<usize>,
    bytes: u64,
}

/// The extent of `dims`, or `None` where the product of its nonzero factors does not fit
/// 63 bits: a zero must not hide an overflow.
fn extent(dims: &[u64], dtype: Dtype) -> Option<Extent> {
    let mut shape = Vec::new();
    let mut bytes = u64::try_from(dtype.size()).ok()?;
    for &dim in dims {
        bytes = bytes.checked_mul(dim.max(1))?;
        shape.push(usize::try_from(dim).ok()?);
    }
    i64::try_from(bytes).ok()?;
    let bytes = if dims.contains(&0) { 0 } else { bytes };
    Some(Extent { shape, bytes })
}

fn offsets(scanner: &mut Scanner<'_>) -> Scan<[u64; 2]> {
    scanner.expect(b'[')?;
    let begin = scanner.integer()?;
    scanner.expect(b',')?;
    let end = scanner.integer()?;
    scanner.expect(b']')?;
    Ok([begin, end])
}

fn twice(key: &Text<'_>) -> TextFault {
    TextFault {
        rule: Rule::Duplicate,
        at: key.at,
        expected: "each name once".to_owned(),
        found: format!("{} again", clipped(&key.value)),
    }
}

fn file_offset(at: usize) -> u64 {
    count(at).saturating_add(8)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
