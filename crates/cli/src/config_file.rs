//! `--config FILE.toml`: flags of a command, written down.
//!
//! The file's settings become words of the command line, in front of the words that the
//! user typed; a flag that was typed replaces the file's. So both go through the same
//! parser and the same checks.

use crate::exit::usage;
use anyhow::{Context, Result};
use clap::{Arg, ArgAction, Command};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// `words` with the settings of the file that `--config` names.
///
/// # Errors
/// When the file cannot be read, is no TOML, or has a key that is no flag of the command.
pub(crate) fn expand(definition: &Command, words: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some((depth, command)) = subcommand(definition, &words) else {
        return Ok(words);
    };
    let typed = Typed::of(&words[depth..]);
    let Some(path) = typed.value("config") else {
        return Ok(words);
    };
    let path = PathBuf::from(path);
    let table = read(&path)?;
    let mut added = Vec::new();
    for (key, value) in &table {
        let arg = find(command, &path, key)?;
        let mut replacing = rivals(command, arg).filter_map(Arg::get_long);
        if !replacing.any(|name| typed.has(name)) {
            append(&mut added, arg, &path, value)?;
        }
    }
    let mut expanded = words[..depth].to_vec();
    expanded.extend(added.into_iter().map(OsString::from));
    expanded.extend_from_slice(&words[depth..]);
    Ok(expanded)
}

/// The command that the words name, and how many words come before its flags.
fn subcommand<'a>(definition: &'a Command, words: &[OsString]) -> Option<(usize, &'a Command)> {
    let mut command = definition;
    let mut depth = 1;
    while command.has_subcommands() {
        let name = words.get(depth)?.to_str()?;
        match command.find_subcommand(name) {
            Some(found) => command = found,
            // It may be used without one.
            None if command.is_args_conflicts_with_subcommands_set() => break,
            None => return None,
        }
        depth += 1;
    }
    Some((depth, command))
}

/// The flags that the user typed.
struct Typed<'a> {
    words: &'a [OsString],
}

impl<'a> Typed<'a> {
    fn of(words: &'a [OsString]) -> Self {
        let end = words.iter().position(|w| w == "--").unwrap_or(words.len());
        Self {
            words: &words[..end],
        }
    }

    fn has(&self, name: &str) -> bool {
        self.words
            .iter()
            .any(|word| flag(word).is_some_and(|(flag, _)| flag == name))
    }

    /// The last value given to a flag, as `--flag value` or `--flag=value`.
    fn value(&self, name: &str) -> Option<OsString> {
        let mut found = None;
        for (i, word) in self.words.iter().enumerate() {
            match flag(word) {
                Some((flag, Some(value))) if flag == name => found = Some(value.into()),
                Some((flag, None)) if flag == name => found = self.words.get(i + 1).cloned(),
                _ => {}
            }
        }
        found
    }
}

/// Name and value of a word like `--name=value`.
fn flag(word: &OsStr) -> Option<(&str, Option<&str>)> {
    let text = word.to_str()?.strip_prefix("--")?;
    Some(match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    })
}

fn shown(path: &Path) -> String {
    inception_data::escape_path(path)
}

fn read(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot read the configuration", shown(path)))?;
    text.parse::<Table>().map_err(|error| {
        let message: Vec<&str> = error.message().lines().collect();
        let place = error.span().map(|span| {
            let line = text[..span.start.min(text.len())].lines().count().max(1);
            format!(" (line {line})")
        });
        let place = place.unwrap_or_default();
        usage(format!(
            "{}: not TOML: {}{place}",
            shown(path),
            message.join(" ")
        ))
    })
}

/// The flag that a key stands for.
fn find<'a>(command: &'a Command, path: &Path, key: &str) -> Result<&'a Arg> {
    let name = key.replace('_', "-");
    let fits = |arg: &&Arg| arg.get_long() == Some(&name);
    let special = ["config", "help", "version"].contains(&name.as_str());
    let found = command.get_arguments().find(fits).filter(|_| !special);
    found.ok_or_else(|| {
        usage(format!(
            "{}: unknown key `{}`: `inception {}` has no flag --{}; see --help",
            shown(path),
            key.escape_debug(),
            command.get_name(),
            name.escape_debug()
        ))
    })
}

/// The flag itself and those that exclude it, whichever of the two says so.
fn rivals<'a>(command: &'a Command, arg: &'a Arg) -> impl Iterator<Item = &'a Arg> {
    let excludes = |one: &Arg, other: &Arg| {
        let excluded = command.get_arg_conflicts_with(one);
        excluded.iter().any(|a| a.get_id() == other.get_id())
    };
    command.get_arguments().filter(move |other| {
        other.get_id() == arg.get_id() || excludes(arg, other) || excludes(other, arg)
    })
}

/// Appends the words that set `arg` to `value`.
fn append(words: &mut Vec<String>, arg: &Arg, path: &Path, value: &Value) -> Result<()> {
    let name = arg
        .get_long()
        .expect("a flag that was found by its long name");
    let refuse = |expected: &str| {
        let found = value.type_str();
        let path = shown(path);
        Err(usage(format!(
            "{path}: key `{name}`: expected {expected}, found {found}"
        )))
    };
    let texts = match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        one => scalar(one).map(|text| vec![text]),
    };
    match (arg.get_action(), value, texts) {
        (ArgAction::SetTrue, Value::Boolean(true), _) => words.push(format!("--{name}")),
        (ArgAction::SetTrue, Value::Boolean(false), _) => {}
        (ArgAction::SetTrue, ..) => return refuse("true or false"),
        (_, _, None) => return refuse("text, a number or a list of them"),
        (ArgAction::Append, _, Some(texts)) => {
            words.extend(texts.iter().map(|text| format!("--{name}={text}")));
        }
        (_, _, Some(texts)) => words.push(format!("--{name}={}", texts.join(","))),
    }
    Ok(())
}

/// A plain value as a user would type it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(n) => Some(n.to_string()),
        Value::Float(x) => Some(x.to_string()),
        Value::Boolean(b) => Some(b.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
