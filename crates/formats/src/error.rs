//! What can go wrong with a file of another tool.

use inception_store::{Excess, StoreError};
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file cannot be read.
///
/// Each message is one line. Names that come from outside are escaped, so that none can
/// write to a terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file cannot be read, a limit was reached, or its tensors make no archive.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content is not what the format asks for, or is not supported.
    #[error("{0}")]
    Malformed(Box<Fault>),
}

impl FormatError {
    /// The exit status for a command that fails with this error: 2 usage, 3 limit,
    /// 4 malformed input, 5 input and output.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Store(error) => error.exit_code(),
            Self::Malformed(_) => 4,
        }
    }
}

/// What is malformed, where, and what was expected instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The byte at which it shows, counted from 0; inside a record, from the record's start.
    pub offset: Option<u64>,
    /// The tensor, record or node.
    pub item: Option<String>,
    /// What the format, or this program, asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.to_string_lossy().escape_debug())?;
        if let Some(item) = &self.item {
            write!(f, "{item}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        match self.offset {
            Some(offset) => write!(f, " (byte {offset})"),
            None => Ok(()),
        }
    }
}

/// A name from outside as messages show it: in quotes, escaped, at most 80 characters.
pub(crate) fn quoted(name: &str) -> String {
    let mut chars = name.chars();
    let head: String = chars
        .by_ref()
        .take(80)
        .flat_map(char::escape_debug)
        .collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("\"{head}{rest}\"")
}

/// What a parser finds, before it is known which file it was in.
#[derive(Debug)]
pub(crate) enum Flaw {
    Malformed {
        offset: Option<u64>,
        item: Option<String>,
        expected: String,
        found: String,
    },
    Limit {
        limit: &'static str,
        item: Option<String>,
        allowed: u64,
        found: u64,
    },
    Store(StoreError),
}

impl Flaw {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Malformed {
            offset: None,
            item: None,
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(crate) fn limit(limit: &'static str, allowed: u64, found: u64) -> Self {
        Self::Limit {
            limit,
            item: None,
            allowed,
            found,
        }
    }

    /// The same at a byte, unless it has one already.
    pub(crate) fn at(mut self, byte: usize) -> Self {
        if let Self::Malformed { offset, .. } = &mut self {
            offset.get_or_insert(u64::try_from(byte).unwrap_or(u64::MAX));
        }
        self
    }

    /// The same about `what`, for instance `tensor "a"`, unless it is about something
    /// already.
    pub(crate) fn of(mut self, what: impl Into<String>) -> Self {
        match &mut self {
            Self::Malformed { item, .. } | Self::Limit { item, .. } => {
                item.get_or_insert_with(|| what.into());
            }
            Self::Store(_) => {}
        }
        self
    }

    pub(crate) fn in_file(self, path: &Path) -> FormatError {
        let file = path.to_path_buf();
        match self {
            Self::Malformed {
                offset,
                item,
                expected,
                found,
            } => FormatError::Malformed(Box::new(Fault {
                file,
                offset,
                item,
                expected,
                found,
            })),
            Self::Limit {
                limit,
                item,
                allowed,
                found,
            } => FormatError::Store(StoreError::Limit(Box::new(Excess {
                file,
                limit,
                item,
                allowed,
                found,
            }))),
            Self::Store(error) => FormatError::Store(error),
        }
    }
}

impl From<StoreError> for Flaw {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
