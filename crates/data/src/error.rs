//! What can be wrong with data.

use std::path::PathBuf;
use thiserror::Error;

/// Why data could not be read.
///
/// Paths are shown escaped, so that no name can write to a terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("{}: {source}", .path.to_string_lossy().escape_debug())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The content is not what the format asks for.
    #[error("{}: {message}", .path.to_string_lossy().escape_debug())]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// Position, expected and found.
        message: String,
    },
    /// A limit was reached before anything was allocated.
    #[error("{}: {message}", .path.to_string_lossy().escape_debug())]
    Limit {
        /// The file or folder.
        path: PathBuf,
        /// What it claims, and the limit.
        message: String,
    },
    /// The caller asked for something that does not exist or is out of range.
    #[error("{0}")]
    Usage(String),
}
