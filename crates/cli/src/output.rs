//! Writing results to standard output and everything else to standard error.

use anyhow::{Context, Result};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Writes text to standard output.
///
/// That nobody reads it any more (`inception … | head`) is no error.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> Result<()> {
    print(&format!("{text}\n"))
}

/// Writes one object in one line to standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value).context("cannot write JSON")?)
}

/// Writes a line to standard error; nothing can be done when that fails.
pub(crate) fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(format!("{text}\n").as_bytes());
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// What a command says while it works, unless it was asked to be quiet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub(crate) quiet: bool,
}

impl Talk {
    /// A line for people.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            complain(text);
        }
    }

    /// A line that begins with `warning: `; also where the command was asked to be quiet.
    pub(crate) fn warn(self, text: &str) {
        complain(&format!("warning: {text}"));
    }
}

/// Text from a file, without characters that could write to a terminal.
pub(crate) fn printable(text: &str) -> String {
    inception_data::escape(text.as_ref())
}
