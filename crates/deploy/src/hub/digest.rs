//! What identifies a content.

use super::name::is_hex;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A digest, as a hub names contents by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// SHA-256 of a large file.
    Large(String),
    /// SHA-1 of a small file as git names it: behind `blob LENGTH\0`.
    Small(String),
}

impl Digest {
    /// The digest that an `ETag` is.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        match tag.len() {
            _ if !is_hex(tag) => None,
            64 => Some(Self::Large(tag.to_owned())),
            40 => Some(Self::Small(tag.to_owned())),
            _ => None,
        }
    }

    /// In hexadecimal.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Large(text) | Self::Small(text) => text,
        }
    }

    /// The digest of this kind of the file at `path`.
    pub(super) fn of_file(&self, path: &Path) -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        match self {
            Self::Large(_) => {
                let mut sum = Sha256::new();
                pieces(&mut file, &mut |piece| sum.update(piece))?;
                Ok(hex(&sum.finalize()))
            }
            Self::Small(_) => {
                let mut sum = Sha1::new();
                sum.update(format!("blob {length}\0"));
                pieces(&mut file, &mut |piece| sum.update(piece))?;
                Ok(hex(&sum.finalize()))
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

fn pieces(file: &mut File, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => sink(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_named_as_git_and_sha256sum_name_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "hello\n").unwrap();
        // `git hash-object`, `sha256sum`.
        for tag in [
            "\"ce013625030ba8dba906f756967f9e9ca394464a\"",
            "W/\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"",
        ] {
            let digest = Digest::parse(tag).unwrap();
            assert_eq!(digest.of_file(&path).unwrap(), digest.text());
        }
        for tag in ["", "\"abc\"", &"A".repeat(40), &"g".repeat(64)] {
            assert_eq!(Digest::parse(tag), None, "{tag}");
        }
    }
}
