//! Writing results to standard output and everything else to standard error.

use crate::errors::Problem;
use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

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

/// How lines of standard error are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// Whether lines are JSON, for this process: it decides how failures are told, which may
/// come before the command line is understood.
static JSON: AtomicBool = AtomicBool::new(false);

/// Takes the format from the last `--log-format` among the words of the command line.
pub(crate) fn set_format(words: &[OsString]) {
    let mut format = None;
    for (i, word) in words.iter().enumerate() {
        match word.to_str() {
            Some("--") => break,
            Some("--log-format") => format = words.get(i + 1).and_then(|w| w.to_str()),
            Some(word) => format = word.strip_prefix("--log-format=").or(format),
            None => {}
        }
    }
    JSON.store(format == Some("json"), Ordering::Relaxed);
}

fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// A line of standard error as an object.
#[derive(Serialize)]
struct Entry<'a, T> {
    level: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Serialize)]
struct Remark<'a> {
    message: &'a str,
}

fn entry(level: &'static str, content: &impl Serialize) {
    let entry = Entry { level, content };
    complain(&serde_json::to_string(&entry).unwrap_or_default());
}

/// Tells a failure.
pub(crate) fn fail(problem: &Problem) {
    match is_json() {
        true => entry("error", problem),
        false => complain(&format!(
            "error[{}]: {}",
            problem.id.text(),
            problem.message
        )),
    }
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal() && !is_json()
}

/// What a command says while it works, unless it was asked to be quiet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub(crate) quiet: bool,
}

impl Talk {
    /// A line for people.
    pub(crate) fn say(self, text: &str) {
        match (self.quiet, is_json()) {
            (true, _) => {}
            (false, true) => entry("info", &Remark { message: text }),
            (false, false) => complain(text),
        }
    }

    /// A line that begins with `warning: `; also where the command was asked to be quiet.
    pub(crate) fn warn(self, text: &str) {
        match is_json() {
            true => entry("warning", &Remark { message: text }),
            false => complain(&format!("warning: {text}")),
        }
    }
}

/// Text from a file, without characters that could write to a terminal.
pub(crate) fn printable(text: &str) -> String {
    inception_data::escape(text.as_ref())
}
