//! What can be wrong with data.

use crate::escape::escape_path;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why data could not be read.
///
/// Paths are shown escaped, so that no name can write to a terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("{}: {source}", escape_path(.path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The content is not what the format asks for.
    #[error("{}: {message}", escape_path(.path))]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// Position, expected and found.
        message: String,
    },
    /// A limit was reached before anything was allocated.
    #[error("{}: {message}", escape_path(.path))]
    Limit {
        /// The file or folder.
        path: PathBuf,
        /// What it claims, and the limit.
        message: String,
    },
    /// The caller asked for something that does not exist or is out of range.
    #[error("{0}")]
    Usage(String),
    /// An item of a dataset cannot be used.
    #[error("item {item} ({origin}): {}", without_prefix(.source, .origin))]
    Item {
        /// Its index.
        item: usize,
        /// Its [origin](crate::Dataset::origin).
        origin: String,
        /// Why.
        source: Box<DataError>,
    },
    /// A file could not be had from a server.
    #[error("{}: {message}", .url.escape_debug())]
    Fetch {
        /// The address.
        url: String,
        /// Why, and what to do instead.
        message: String,
    },
    /// Code that read an item panicked.
    #[error("{origin}: reading it failed unexpectedly: {message}")]
    Panicked {
        /// What was read.
        origin: String,
        /// The panic's message.
        message: String,
    },
    /// More items were bad than the caller allows.
    #[error(
        "{skipped} items could not be read, at most {at_most} may be skipped in an epoch; the last: {source}"
    )]
    TooManyBad {
        /// How many, this one included.
        skipped: u64,
        /// How many were allowed.
        at_most: u64,
        /// The last one.
        source: Box<DataError>,
    },
}

/// What sort of problem a [`DataError`] is; programs turn it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller asked for the impossible (exit code 2).
    Usage,
    /// A limit was reached (exit code 3).
    Limit,
    /// The data are malformed (exit code 4).
    Malformed,
    /// The operating system refused (exit code 5).
    Io,
}

impl DataError {
    /// What sort of problem this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::Fetch { .. } => ErrorKind::Io,
            Self::Malformed { .. } | Self::Panicked { .. } | Self::TooManyBad { .. } => {
                ErrorKind::Malformed
            }
            Self::Limit { .. } => ErrorKind::Limit,
            Self::Usage(_) => ErrorKind::Usage,
            Self::Item { source, .. } => source.kind(),
        }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn malformed(path: &Path, message: impl Into<String>) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn limit(path: &Path, message: impl Into<String>) -> Self {
        Self::Limit {
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

/// The text of `source` without the origin that it begins with.
pub(crate) fn without_prefix(source: &DataError, origin: &str) -> String {
    let text = source.to_string();
    match text.strip_prefix(origin).and_then(|t| t.strip_prefix(": ")) {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_error_names_item_and_origin_once() {
        let source = DataError::malformed(Path::new("train/a/x.jpg"), "truncated");
        let error = DataError::Item {
            item: 12,
            origin: "train/a/x.jpg".into(),
            source: Box::new(source),
        };
        assert_eq!(error.to_string(), "item 12 (train/a/x.jpg): truncated");
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}
