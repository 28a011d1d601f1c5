//! What can go wrong with a hub.

use inception_data::{DataError, escape_path};
use inception_store::StoreError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a file of a hub cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// A name is not of the form that hubs have.
    #[error(
        "expected hf:OWNER/NAME, then @REVISION and :FILE where needed; found {found:?}: {why}"
    )]
    Name {
        /// The name.
        found: String,
        /// What is wrong.
        why: &'static str,
    },
    /// There is no folder for the cache.
    #[error("no place for files of a hub: set HF_HOME to a folder")]
    NoCache,
    /// The repository has none of the files.
    #[error("{file}: the repository has none of {names}; name a file as hf:OWNER/NAME:FILE")]
    Missing {
        /// What was asked for.
        file: String,
        /// The files that were looked for.
        names: String,
    },
    /// The server refuses.
    #[error("{}: {}", .url.escape_debug(), refusal(*.status, .said))]
    Refused {
        /// The address.
        url: String,
        /// The status of its answer.
        status: u16,
        /// What it says itself.
        said: String,
    },
    /// The server cannot be reached, or answers with an error of its own.
    #[error("{}: {why}", .url.escape_debug())]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        why: String,
    },
    /// The server may not be asked, and the cache lacks the file.
    #[error("{file}: not in the cache, and HF_HUB_OFFLINE is set")]
    Offline {
        /// What was asked for.
        file: String,
    },
    /// The server's answer lacks what identifies the file.
    #[error("{}: expected {expected}, found {found:?}", .url.escape_debug())]
    Answer {
        /// The address.
        url: String,
        /// What a hub says.
        expected: &'static str,
        /// What this one says.
        found: String,
    },
    /// A content is not the one that its digest names.
    #[error(
        "{}: expected a file of digest {expected}, found {found}; remove it to fetch it again",
        escape_path(.path)
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] DataError),
    /// A file cannot be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system refuses something else.
    #[error("{}: {source}", escape_path(.path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

impl HubError {
    /// The exit status for a command that fails with this error: 2 usage, 4 malformed input,
    /// 5 input and output.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Name { .. } | Self::NoCache => 2,
            Self::Digest { .. } | Self::Answer { .. } => 4,
            Self::Store(error) => error.exit_code(),
            _ => 5,
        }
    }
}

fn refusal(status: u16, said: &str) -> String {
    let hint = match status {
        401 | 403 => "; a repository that not everybody may read needs a token in HF_TOKEN",
        404 => "; is the repository's or revision's name right?",
        _ => "",
    };
    let said = match said {
        "" => String::new(),
        said => format!(" ({})", said.escape_debug()),
    };
    format!("the server answers with status {status}{said}{hint}")
}
