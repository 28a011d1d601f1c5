//! What can go wrong with a file of arrays.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Why an archive could not be read, or a file not be written.
///
/// Each message is one line. Names that come from outside are escaped, so that none can
/// write to a terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The content is not what the format, or the caller, asks for.
    #[error("{0}")]
    Malformed(Box<Fault>),
    /// A limit was reached before anything was allocated.
    #[error("{0}")]
    Limit(Box<Excess>),
    /// The operating system refused.
    #[error("{}: cannot {action}{}: {source}", shown(path), needs(*.needed))]
    Io {
        /// What was tried, for instance "write the temporary file".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// How many bytes the operation needs on the disk, where that matters.
        needed: Option<u64>,
        /// What the operating system said.
        source: io::Error,
    },
    /// The place to write to holds something that must not be replaced.
    #[error(
        "{}: refusing to replace {found}; only a regular file is replaced",
        shown(path)
    )]
    Target {
        /// The place to write to.
        path: PathBuf,
        /// What is there, for instance "a symbolic link".
        found: &'static str,
    },
    /// Another process works in the folder.
    #[error("{}: {}", shown(path), holder_text(*.pid, *.since))]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds the lock, where it has written its number.
        pid: Option<u32>,
        /// When it took the lock.
        since: Option<SystemTime>,
    },
    /// The caller asked to write what no archive can hold.
    #[error("tensor or key \"{}\": {message}", .item.escape_debug())]
    Usage {
        /// The tensor or the metadata key.
        item: String,
        /// What is wrong with it.
        message: String,
    },
}

impl StoreError {
    /// The exit status for a command that fails with this error: 2 usage, 3 limit,
    /// 4 malformed input, 5 input and output.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Target { .. } | Self::Locked { .. } | Self::Usage { .. } => 2,
            Self::Limit(_) => 3,
            Self::Malformed(_) => 4,
            Self::Io { .. } => 5,
        }
    }

    /// The rule that the content breaks, where it is malformed.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            Self::Malformed(fault) => Some(fault.rule),
            _ => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_path_buf(),
            needed: None,
            source,
        }
    }
}

/// What is malformed, where, and what was expected instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The rule that is broken.
    pub rule: Rule,
    /// The byte of the file at which it shows, counted from 0.
    pub offset: Option<u64>,
    /// The tensor or the metadata key.
    pub item: Option<String>,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", shown(&self.file))?;
        if let Some(item) = &self.item {
            write!(f, "tensor \"{}\": ", item.escape_debug())?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        match self.offset {
            Some(offset) => write!(f, " (byte {offset})"),
            None => Ok(()),
        }
    }
}

/// Which limit was reached, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The file.
    pub file: PathBuf,
    /// The field of [`Limits`](crate::Limits), for instance `max_tensors`.
    pub limit: &'static str,
    /// The tensor, where one tensor is over the limit.
    pub item: Option<String>,
    /// What the limit allows.
    pub allowed: u64,
    /// What the file asks for; at least this much.
    pub found: u64,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", shown(&self.file))?;
        if let Some(item) = &self.item {
            write!(f, "tensor \"{}\": ", item.escape_debug())?;
        }
        write!(
            f,
            "expected at most {} ({}), found {}",
            self.allowed, self.limit, self.found
        )
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal,)+) => {
        /// The rules that an archive has to keep; each refusal names one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule { $($(#[doc = $doc])+ $name,)+ }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// A stable name for logs, for instance `header-length`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }
        }
    };
}

rules! {
    /// The file is a regular file.
    RegularFile = "regular-file",
    /// The file does not change while it is read.
    StableFile = "stable-file",
    /// Eight bytes of header length come first.
    Prefix = "prefix",
    /// The header lies inside the file.
    HeaderLength = "header-length",
    /// The header is UTF-8.
    Utf8 = "utf-8",
    /// The header is the JSON that the format asks for, and begins with `{`.
    Json = "json",
    /// Values of unknown fields nest no deeper than the limit.
    Depth = "depth",
    /// Numbers are integers of 64 bits without sign, fraction or exponent.
    Integer = "integer",
    /// No tensor, field or metadata key occurs twice.
    Duplicate = "duplicate",
    /// A tensor has dtype, shape and offsets.
    Fields = "fields",
    /// The dtype is one that the format names.
    Dtype = "dtype",
    /// The dtype is one that this crate can read.
    Supported = "supported",
    /// The product of a shape fits, even where one extent is zero.
    Shape = "shape",
    /// A tensor ends where, or after, it begins.
    Order = "order",
    /// A tensor's bytes are as many as its shape and dtype say.
    Size = "size",
    /// No two tensors share a byte.
    Overlap = "overlap",
    /// Each byte belongs to a tensor; the first is byte 0.
    Hole = "hole",
    /// The data end where the last tensor ends.
    Total = "total",
    /// The tensor that was asked for is in the file.
    Present = "present",
    /// The tensor has a dtype that converts to the one that was asked for.
    Convertible = "convertible",
    /// A number fits the type that was asked for.
    Range = "range",
    /// Weights are finite.
    Finite = "finite",
    /// The file carries digests.
    Sealed = "sealed",
    /// The header is the one that was written.
    HeaderDigest = "header-digest",
    /// The tensor's bytes are the ones that were written.
    TensorDigest = "tensor-digest",
}

/// A path with control characters escaped.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

fn needs(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |n| format!(" ({n} bytes needed)"))
}

fn holder_text(pid: Option<u32>, since: Option<SystemTime>) -> String {
    let pid = pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"));
    let since = since
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map_or_else(String::new, |t| format!(" since {}", utc(t.as_secs())));
    format!("locked by {pid}{since}")
}

/// Seconds since 1970 as `2026-01-31 12:00:00 UTC`.
///
/// # Sources
/// Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_709_251_199), "2024-02-29 23:59:59 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let ids: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|r| r.id()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
    }

    #[test]
    fn file_names_cannot_write_to_a_terminal() {
        let error = StoreError::io(
            "read",
            Path::new("a\x1b[31m\n"),
            io::ErrorKind::NotFound.into(),
        );
        let text = error.to_string();
        assert!(!text.contains('\x1b') && !text.contains('\n'), "{text}");
    }
}
