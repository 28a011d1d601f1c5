//! One command of several, with a line before and after it.

use anyhow::{Context, Result};
use std::process::Command;
use std::time::{Duration, Instant};

/// A step that ran without an error.
#[derive(Debug)]
pub(crate) struct Done {
    /// What the step is called.
    pub(crate) name: &'static str,
    /// How long it took.
    pub(crate) time: Duration,
}

/// Runs `f` under a heading.
pub(crate) fn step(name: &'static str, f: impl FnOnce() -> Result<()>) -> Result<Done> {
    eprintln!("── {name}");
    let start = Instant::now();
    f().with_context(|| format!("step {name}"))?;
    let time = start.elapsed();
    eprintln!("── {name}: passed in {}", seconds(time));
    Ok(Done { name, time })
}

/// Runs a program to its end; its failure is an error that shows the command.
pub(crate) fn exec(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| shown.clone())?;
    match status.success() {
        true => Ok(()),
        false => anyhow::bail!("`{shown}` failed ({status})"),
    }
}

/// A command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// `12.3 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
