//! Exit statuses, and errors in one line.

use crate::errors::{self, Id, Problem};
use crate::output;
use anyhow::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Anything that has no status of its own.
pub(crate) const OTHER: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const LIMIT: u8 = 3;
pub(crate) const MALFORMED: u8 = 4;
pub(crate) const IO: u8 = 5;
pub(crate) const NUMERIC: u8 = 6;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it was asked to.
    Done,
    /// It did, and what it looked at is not as it should be.
    Found(u8),
    /// A signal ended it, after everything was saved.
    Stopped(i32),
}

impl Outcome {
    pub(crate) fn status(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Found(code) => ExitCode::from(code),
            Self::Stopped(signal) => ExitCode::from(128 + signal as u8),
        }
    }
}

/// A failure of this layer, with its status.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error of the command line or a configuration.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    failure(USAGE, message)
}

/// An error of a status of its own.
pub(crate) fn failure(code: u8, message: impl Into<String>) -> Error {
    let message = message.into();
    Error::new(Failure { code, message })
}

/// A result that is no number.
pub(crate) fn numeric(message: impl Into<String>) -> Error {
    failure(NUMERIC, message)
}

/// Writes `error[ID]: …` in one line, and returns the status to end with.
pub(crate) fn report(error: &Error) -> u8 {
    let problem = errors::describe(error);
    output::fail(&problem);
    problem.exit
}

/// A parser's message as one line, without its `error: ` and without usage.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\nUsage:").next().unwrap_or(&text);
    let said = said
        .split("\n\nFor more information")
        .next()
        .unwrap_or(said);
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let mut line = String::new();
    for part in said.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let joint = if part.starts_with("tip:") { "; " } else { " " };
        line.push_str(if line.is_empty() { "" } else { joint });
        line.push_str(part);
    }
    format!("{line}; see --help")
}

/// The last panic, in one line.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps what a panic says instead of printing it: libraries catch panics of decoders and
/// turn them into errors of their own. See [`report_panic`].
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        let place = panic
            .location()
            .map(|l| format!(" ({}:{})", l.file(), l.line()));
        let line = text.lines().next().unwrap_or_default();
        let mut kept = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = format!("{line}{}", place.unwrap_or_default());
    }));
}

/// Writes what the panic said that ended the command.
pub(crate) fn report_panic() {
    let kept = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
    let message = format!("internal error: {kept}; please report it");
    output::fail(&Problem::new(Id::Internal, &message));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_kept_as_one_line() {
        install_panic_hook();
        let caught = std::panic::catch_unwind(|| panic!("first\nsecond"));
        let _ = std::panic::take_hook();
        assert!(caught.is_err());
        let kept = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(kept.starts_with("first (crates/cli/src/exit.rs:"), "{kept}");
    }
}
