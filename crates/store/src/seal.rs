//! Digests that tell a file from a damaged copy of it.
//!
//! A sealed file keeps in its metadata one BLAKE3 digest for each tensor's bytes and one
//! for the header. The header's own digest is taken over the header with that digest
//! written as zeros. A JSON text can change without changing its meaning (white space,
//! escapes), so [`Archive::verify`] also renders the header anew and compares it byte for
//! byte: every bit of a sealed file counts.
//!
//! A digest finds damage, not forgery: who can write a file can seal it.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use crate::render::{Line, arrange, render};
use crate::{Archive, Excess, Fault, Fs, Limits, Rule, StoreError, parse};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The metadata key of the header's digest.
pub(crate) const HEADER_KEY: &str = "inception.seal";
/// What a tensor's name follows in the metadata key of its digest.
const TENSOR_KEY: &str = "inception.seal:";
/// What stands before the header's digest: the version of the seal.
const VERSION: &str = "blake3-1:";

/// Whether only a seal may use this metadata key.
pub(crate) fn is_reserved(key: &str) -> bool {
    key == HEADER_KEY || key.starts_with(TENSOR_KEY)
}

/// The metadata key of a tensor's digest.
pub(crate) fn tensor_key(name: &str) -> String {
    format!("{TENSOR_KEY}{name}")
}

/// The digest of a tensor's bytes, in hexadecimal.
pub(crate) fn tensor_digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The same, of bytes that come piece by piece.
#[derive(Default)]
pub(crate) struct TensorDigest(blake3::Hasher);

impl TensorDigest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// The header's digest before it is known.
pub(crate) fn blank() -> String {
    format!("{VERSION}{:064}", 0)
}

/// The value of [`HEADER_KEY`] for a header that was rendered with [`blank`] in its place.
pub(crate) fn header_seal(rendered: &[u8]) -> String {
    format!("{VERSION}{}", blake3::hash(rendered).to_hex())
}

impl Archive {
    /// Whether the file carries digests, or the remains of some.
    pub fn is_sealed(&self) -> bool {
        !self.seals.is_empty()
    }

    /// Checks every bit of a sealed file against its digests.
    ///
    /// # Errors
    /// [`Rule::Sealed`] where the file carries no digest, [`Rule::HeaderDigest`] where the
    /// header differs from the one written, [`Rule::TensorDigest`] for the first tensor
    /// whose bytes do.
    ///
    /// # Examples
    /// ```
    /// use inception_store::{ArchiveBuilder, Limits, parse};
    /// use std::path::Path;
    ///
    /// let mut builder = ArchiveBuilder::new();
    /// builder.u8("rng", &[3], &[1, 2, 3])?;
    /// let mut bytes = builder.seal()?;
    /// parse(bytes.clone(), Path::new("good"), &Limits::default())?.verify()?;
    ///
    /// *bytes.last_mut().unwrap() ^= 1;
    /// let error = parse(bytes, Path::new("bad"), &Limits::default())?.verify().unwrap_err();
    /// assert!(error.to_string().starts_with("bad: tensor \"rng\": expected "));
    /// # Ok::<(), inception_store::StoreError>(())
    /// ```
    pub fn verify(&self) -> Result<(), StoreError> {
        let Some(claimed) = self.seals.get(HEADER_KEY) else {
            let expected = format!("the metadata key {HEADER_KEY:?}");
            let found = "a file without digests".to_owned();
            return Err(self.header_fault(Rule::Sealed, None, expected, found));
        };
        if !claimed.starts_with(VERSION) {
            let expected = format!("a seal that begins with {VERSION:?}");
            let found = crate::json::clipped(claimed);
            return Err(self.header_fault(Rule::Sealed, None, expected, found));
        }
        let written = self.bytes.get(..self.data_start).unwrap_or_default();
        let canonical = self.rendered(claimed);
        if canonical != written {
            let differs = |(a, b)| a != b;
            let same = canonical.iter().zip(written).position(differs);
            let at = same.unwrap_or(canonical.len().min(written.len()));
            let expected = "the header as this library writes it".to_owned();
            let found = "other bytes of the same meaning".to_owned();
            let at = u64::try_from(at).ok();
            return Err(self.header_fault(Rule::HeaderDigest, at, expected, found));
        }
        let digest = header_seal(&self.rendered(&blank()));
        if digest != *claimed {
            let expected = format!("a header with digest {claimed}");
            let found = format!("one with {digest}");
            return Err(self.header_fault(Rule::HeaderDigest, None, expected, found));
        }
        self.verify_tensors()
    }

    fn verify_tensors(&self) -> Result<(), StoreError> {
        for (name, entry) in self.iter() {
            let claimed = self.seals.get(&tensor_key(name)).map(String::as_str);
            let digest = tensor_digest(entry.bytes);
            if claimed != Some(&digest) {
                let expected = format!("bytes with digest {}", claimed.unwrap_or("(none)"));
                let found = format!("{digest}, so the file is damaged");
                return Err(self.fault(Rule::TensorDigest, name, expected, found));
            }
        }
        Ok(())
    }

    /// The header as [`render`] writes it, with `seal` for its own digest.
    fn rendered(&self, seal: &str) -> Vec<u8> {
        let mut metadata: BTreeMap<&str, &str> = BTreeMap::new();
        for (key, value) in self.metadata.iter().chain(&self.seals) {
            metadata.insert(key, value);
        }
        metadata.insert(HEADER_KEY, seal);
        let mut lines: Vec<Line<'_>> = self
            .iter()
            .map(|(name, entry)| Line {
                name,
                dtype: entry.dtype,
                shape: entry.shape,
                bytes: entry.bytes.len(),
            })
            .collect();
        arrange(&mut lines);
        render(metadata.into_iter(), &lines)
    }

    fn header_fault(
        &self,
        rule: Rule,
        offset: Option<u64>,
        expected: String,
        found: String,
    ) -> StoreError {
        StoreError::Malformed(Box::new(Fault {
            file: self.path.clone(),
            rule,
            offset,
            item: None,
            expected,
            found,
        }))
    }
}

/// Reads a file that this library has sealed, and checks its digests.
///
/// # Errors
/// As [`parse`] and [`Archive::verify`]; [`StoreError::Io`] where the file system refuses.
pub fn read_sealed(fs: &dyn Fs, path: &Path, limits: &Limits) -> Result<Archive, StoreError> {
    let max = limits
        .max_total_bytes
        .saturating_add(limits.max_header_bytes)
        .saturating_add(8);
    let bytes = fs.read(path, max).map_err(|error| {
        if error.kind() != io::ErrorKind::FileTooLarge {
            return StoreError::io("read", path, error);
        }
        StoreError::Limit(Box::new(Excess {
            file: path.to_path_buf(),
            limit: "max_total_bytes",
            item: None,
            allowed: limits.max_total_bytes,
            found: max.saturating_add(1),
        }))
    })?;
    let archive = parse(bytes, path, limits)?;
    archive.verify()?;
    Ok(archive)
}
