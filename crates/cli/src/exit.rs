//! Exit statuses, and errors in one line.

use crate::output;
use anyhow::Error;
use inception_data::{DataError, ErrorKind};
use inception_deploy::DeployError;
use inception_nn::NnError;
use inception_store::StoreError;
use inception_tensor::{KernelError, PoolError};
use inception_train::TrainError;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Anything that has no status of its own.
pub(crate) const OTHER: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const LIMIT: u8 = 3;
pub(crate) const MALFORMED: u8 = 4;
const IO: u8 = 5;
const NUMERIC: u8 = 6;

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
struct Failure {
    code: u8,
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

/// The status of an error: that of the first cause which has one.
pub(crate) fn code(error: &Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(OTHER)
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(error) = error.downcast_ref::<Failure>() {
        return Some(error.code);
    }
    if let Some(error) = error.downcast_ref::<TrainError>() {
        return Some(error.kind().exit_code());
    }
    if let Some(error) = error.downcast_ref::<DeployError>() {
        return Some(error.exit_code());
    }
    if let Some(error) = error.downcast_ref::<DataError>() {
        return Some(match error.kind() {
            ErrorKind::Usage => USAGE,
            ErrorKind::Limit => LIMIT,
            ErrorKind::Malformed => MALFORMED,
            ErrorKind::Io => IO,
        });
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return Some(error.exit_code());
    }
    if error.is::<inception_autograd::ExecError>() {
        return Some(LIMIT);
    }
    if error.is::<NnError>() || error.is::<PoolError>() || error.is::<KernelError>() {
        return Some(USAGE);
    }
    error.is::<std::io::Error>().then_some(IO)
}

/// Writes `error: …` with its causes, each of which is said once.
pub(crate) fn report(error: &Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    output::complain(&format!("error: {text}"));
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
    output::complain(&format!("error: internal error: {kept}; please report it"));
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

    #[test]
    fn an_error_has_the_status_of_its_cause() {
        let io = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(code(&Error::new(io).context("no file")), 5);
        assert_eq!(code(&Error::new(PoolError::Threads { found: 0 })), 2);
        assert_eq!(code(&numeric("diverged")), 6);
        assert_eq!(code(&Error::msg("something")), OTHER);
        let data = DataError::Usage("no".into());
        assert_eq!(code(&Error::new(DeployError::from(data))), 2);
    }
}
