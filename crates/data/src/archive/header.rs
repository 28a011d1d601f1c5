//! One 512-byte header of a tar archive.

/// Bytes of a block: headers are one, contents are padded to a multiple.
pub(super) const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    /// A hard link, whose size is not that of any content here.
    HardLink,
    /// Symbolic links, devices, pipes, and types that nobody defined.
    Special,
    Directory,
    /// PAX records for the next entry.
    Pax,
    /// PAX records for all entries that follow.
    PaxGlobal,
    /// GNU's name of the next entry.
    LongName,
    /// GNU's target of the next link.
    LongLink,
    /// GNU's file with holes.
    Sparse,
}

impl Kind {
    /// Whether the content says something about other members.
    pub(super) fn is_extension(self) -> bool {
        matches!(
            self,
            Self::Pax | Self::PaxGlobal | Self::LongName | Self::LongLink
        )
    }
}

/// What a header says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) size: u64,
}

impl Header {
    /// Reads `block`.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, String> {
        check_sum(block)?;
        let kind = match block[156] {
            b'0' | 0 | b'7' => Kind::Regular,
            b'1' => Kind::HardLink,
            b'5' => Kind::Directory,
            b'x' => Kind::Pax,
            b'g' => Kind::PaxGlobal,
            b'L' => Kind::LongName,
            b'K' => Kind::LongLink,
            b'S' => Kind::Sparse,
            _ => Kind::Special,
        };
        let size = number(&block[124..136]).map_err(|found| format!("the size is {found}"))?;
        let mut name = Vec::new();
        let prefix = until_zero(&block[345..500]);
        if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
            name.extend(prefix);
            name.push(b'/');
        }
        name.extend(until_zero(&block[..100]));
        // Archives of the oldest kind mark a folder by its name alone.
        let kind = match kind {
            Kind::Regular if name.ends_with(b"/") => Kind::Directory,
            other => other,
        };
        Ok(Self { name, kind, size })
    }
}

/// Compares the stored sum of the block's bytes, of which old programs took some as signed.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), String> {
    let stored = number(&block[148..156]).map_err(|found| format!("the checksum is {found}"))?;
    let bytes = || {
        let outside = |i: &usize| !(148..156).contains(i);
        (0..BLOCK).filter(outside).map(|i| block[i])
    };
    let spaces = 8 * i64::from(b' ');
    let unsigned = spaces + bytes().map(i64::from).sum::<i64>();
    let signed = spaces + bytes().map(|b| i64::from(b as i8)).sum::<i64>();
    if i64::try_from(stored).is_ok_and(|s| s == unsigned || s == signed) {
        return Ok(());
    }
    Err(format!(
        "the checksum is {stored}, the header's bytes give {unsigned}"
    ))
}

/// A number in octal digits, or in binary where the first bit is set. What is none is shown.
fn number(field: &[u8]) -> Result<u64, String> {
    match field[0] {
        0xFF => return Err("negative".to_owned()),
        first if first & 0x80 != 0 => {
            let digits = std::iter::once(first & 0x7F).chain(field[1..].iter().copied());
            return digits.into_iter().try_fold(0_u64, |n, digit| {
                let shifted = n.checked_mul(256).ok_or("above 2^64")?;
                Ok(shifted | u64::from(digit))
            });
        }
        _ => {}
    }
    let digits = until_zero(field).trim_ascii();
    digits.iter().try_fold(0_u64, |n, &digit| match digit {
        b'0'..=b'7' => Ok(n << 3 | u64::from(digit - b'0')),
        _ => Err(format!("no octal number: {}", digits.escape_ascii())),
    })
}

fn until_zero(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&b| b == 0);
    &field[..end.unwrap_or(field.len())]
}
