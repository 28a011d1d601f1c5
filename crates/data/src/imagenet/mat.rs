//! The part of MATLAB's file format, version 5, that the development kit's `meta.mat` uses.

use std::collections::BTreeMap;
use std::io::Read;

/// The most bytes of an inflated file, and of its arrays in all.
const MAX_BYTES: u64 = 64 << 20;

/// The most arrays in an array of structs.
const MAX_CELLS: usize = 1 << 20;

/// Types of elements.
mod kind {
    pub(super) const INT8: u32 = 1;
    pub(super) const UINT8: u32 = 2;
    pub(super) const INT16: u32 = 3;
    pub(super) const UINT16: u32 = 4;
    pub(super) const INT32: u32 = 5;
    pub(super) const UINT32: u32 = 6;
    pub(super) const SINGLE: u32 = 7;
    pub(super) const DOUBLE: u32 = 9;
    pub(super) const MATRIX: u32 = 14;
    pub(super) const COMPRESSED: u32 = 15;
    pub(super) const UTF8: u32 = 16;
    pub(super) const UTF16: u32 = 17;
}

/// Classes of arrays.
const STRUCT: u8 = 2;
const CHAR: u8 = 4;

/// A field of one struct.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Numbers(Vec<f64>),
    /// Arrays of other kinds.
    Other,
}

/// One struct of an array: its fields by name.
pub(super) type Struct = BTreeMap<String, Value>;

/// The array of structs called `name` in the file `bytes`; what is wrong is said with the
/// byte where it was found.
pub(super) fn read_structs(bytes: &[u8], name: &str) -> Result<Vec<Struct>, String> {
    let order = bytes.get(124..128);
    if order != Some(&[0, 1, b'I', b'M']) || !bytes.starts_with(b"MATLAB 5") {
        return Err("not a MATLAB 5 file with little-endian numbers".to_owned());
    }
    let mut file = Reader { bytes, at: 128 };
    while let Some(element) = file.next()? {
        let inflated;
        let array = match element.kind {
            kind::COMPRESSED => {
                inflated = inflate(element.data)?;
                let mut inner = Reader {
                    bytes: &inflated,
                    at: 0,
                };
                inner.expect(kind::MATRIX)?
            }
            kind::MATRIX => element.data,
            _ => continue,
        };
        let array = Array::open(array)?;
        if array.name == name.as_bytes() {
            return array.structs();
        }
    }
    Err(format!("there is no array {name}"))
}

fn inflate(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut zlib = flate2::read::ZlibDecoder::new(data).take(MAX_BYTES + 1);
    let read = zlib.read_to_end(&mut bytes);
    read.map_err(|e| format!("a compressed array is damaged: {e}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("an array has more than {MAX_BYTES} bytes"));
    }
    Ok(bytes)
}

struct Element<'a> {
    kind: u32,
    data: &'a [u8],
}

/// Element after element of a file or of an array's content.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Element<'a>>, String> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let word = |at: usize| {
            let bytes = self.bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
        };
        let cut = || format!("the element at byte {start} is cut short");
        let tag = word(start).ok_or_else(cut)?;
        let (kind, length, data_at) = match tag >> 16 {
            0 => (tag, word(start + 4).ok_or_else(cut)? as usize, start + 8),
            // Up to four bytes stand in the tag.
            small => (tag & 0xFFFF, small as usize, start + 4),
        };
        if data_at == start + 4 && length > 4 {
            return Err(format!("the tag at byte {start} is damaged"));
        }
        let end = data_at.checked_add(length).ok_or_else(cut)?;
        let data = self.bytes.get(data_at..end).ok_or_else(cut)?;
        self.at = match kind {
            kind::COMPRESSED => end,
            _ => end.next_multiple_of(8),
        };
        Ok(Some(Element { kind, data }))
    }

    fn expect(&mut self, kind: u32) -> Result<&'a [u8], String> {
        let at = self.at;
        match self.next()? {
            Some(element) if element.kind == kind => Ok(element.data),
            Some(element) => Err(format!(
                "at byte {at}: expected an element of type {kind}, found {}",
                element.kind
            )),
            None => Err(format!("at byte {at}: an element is missing")),
        }
    }
}

/// The head of an array and what follows it.
struct Array<'a> {
    class: u8,
    cells: usize,
    name: &'a [u8],
    content: Reader<'a>,
}

impl<'a> Array<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let mut content = Reader { bytes, at: 0 };
        let flags = content.expect(kind::UINT32)?;
        let extents = content.expect(kind::INT32)?.as_chunks::<4>().0;
        let cells = extents.iter().try_fold(1_usize, |n, &extent| {
            let extent = usize::try_from(i32::from_le_bytes(extent)).ok()?;
            n.checked_mul(extent)
        });
        Ok(Self {
            class: flags.first().copied().unwrap_or(0),
            cells: cells.ok_or("an array's extents are out of range")?,
            name: content.expect(kind::INT8)?,
            content,
        })
    }

    fn structs(mut self) -> Result<Vec<Struct>, String> {
        if self.class != STRUCT {
            return Err(format!("expected structs, found class {}", self.class));
        }
        let width = self.content.expect(kind::INT32)?;
        let width = width.try_into().map(i32::from_le_bytes).unwrap_or(0);
        let width = usize::try_from(width)
            .ok()
            .filter(|w| (1..=256).contains(w));
        let width = width.ok_or("the length of field names is out of range")?;
        let names = self.content.expect(kind::INT8)?.chunks_exact(width);
        let names: Vec<String> = names
            .map(|name| {
                let end = name.iter().position(|&b| b == 0).unwrap_or(width);
                String::from_utf8_lossy(&name[..end]).into_owned()
            })
            .collect();
        if self.cells.saturating_mul(names.len()) > MAX_CELLS {
            return Err(format!("more than {MAX_CELLS} fields"));
        }
        let mut structs = Vec::with_capacity(self.cells);
        for _ in 0..self.cells {
            let mut fields = Struct::new();
            for name in &names {
                let array = Array::open(self.content.expect(kind::MATRIX)?)?;
                fields.insert(name.clone(), array.value()?);
            }
            structs.push(fields);
        }
        Ok(structs)
    }

    fn value(mut self) -> Result<Value, String> {
        if self.class == CHAR {
            let element = self.content.next()?;
            return element.map_or(Ok(Value::Text(String::new())), |e| {
                text(&e).map(Value::Text)
            });
        }
        // Classes 6 to 15 are numbers.
        if !(6..=15).contains(&self.class) {
            return Ok(Value::Other);
        }
        let element = self.content.next()?;
        Ok(element.map_or(Value::Numbers(Vec::new()), |e| numbers(&e)))
    }
}

fn text(element: &Element<'_>) -> Result<String, String> {
    match element.kind {
        kind::UINT16 | kind::UTF16 => {
            let units = element.data.as_chunks::<2>().0.iter().copied();
            let units: Vec<u16> = units.map(u16::from_le_bytes).collect();
            Ok(String::from_utf16_lossy(&units))
        }
        kind::INT8 | kind::UINT8 | kind::UTF8 => {
            Ok(String::from_utf8_lossy(element.data).into_owned())
        }
        other => Err(format!("text of type {other} is not supported")),
    }
}

/// Numbers in whatever type they are kept.
fn numbers(element: &Element<'_>) -> Value {
    let data = element.data;
    let (two, four, eight) = (
        data.as_chunks::<2>().0.iter().copied(),
        data.as_chunks::<4>().0.iter().copied(),
        data.as_chunks::<8>().0.iter().copied(),
    );
    Value::Numbers(match element.kind {
        kind::INT8 => data.iter().map(|&b| f64::from(b as i8)).collect(),
        kind::UINT8 => data.iter().map(|&b| f64::from(b)).collect(),
        kind::INT16 => two.map(|b| f64::from(i16::from_le_bytes(b))).collect(),
        kind::UINT16 => two.map(|b| f64::from(u16::from_le_bytes(b))).collect(),
        kind::INT32 => four.map(|b| f64::from(i32::from_le_bytes(b))).collect(),
        kind::UINT32 => four.map(|b| f64::from(u32::from_le_bytes(b))).collect(),
        kind::SINGLE => four.map(|b| f64::from(f32::from_le_bytes(b))).collect(),
        kind::DOUBLE => eight.map(f64::from_le_bytes).collect(),
        _ => return Value::Other,
    })
}
