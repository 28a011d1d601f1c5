//! Which files are a split's shards.

use crate::folder::list_folder;
use crate::{DataError, Split, escape_path};
use std::path::{Path, PathBuf};

/// The most files that a pattern may name.
const MAX_SHARDS: usize = 1 << 20;

/// What a split's shards are called.
fn split_names(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train"],
        Split::Val => &["validation", "val", "valid"],
        Split::Test => &["test", "validation", "val", "valid"],
    }
}

/// Whether `text` holds a range in braces.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains("..") && text.contains('{') || text.contains("{split}")
}

/// `a-{000..002}.tar` as `a-000.tar`, `a-001.tar`, `a-002.tar`; `{a,b}` as both; every
/// combination where there are several, the last changing fastest.
///
/// # Errors
/// When braces are not closed or hold neither, or name too many files.
pub(crate) fn expand(pattern: &str) -> Result<Vec<String>, DataError> {
    let usage =
        |message: String| DataError::Usage(format!("{}: {message}", pattern.escape_debug()));
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, tail)) = rest.split_once('{') {
        let (inside, after) = tail
            .split_once('}')
            .ok_or_else(|| usage("a brace is not closed".to_owned()))?;
        let choices = choices(inside).ok_or_else(|| {
            usage(format!(
                "expected {{000..146}} or {{a,b}}, found {{{}}}",
                inside.escape_debug()
            ))
        })?;
        if names.len().saturating_mul(choices.len()) > MAX_SHARDS {
            return Err(usage(format!("it names more than {MAX_SHARDS} files")));
        }
        names = names
            .iter()
            .flat_map(|name| choices.iter().map(move |c| format!("{name}{before}{c}")))
            .collect();
        rest = after;
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

/// What stands in braces, one by one.
fn choices(inside: &str) -> Option<Vec<String>> {
    let Some((first, last)) = inside.split_once("..") else {
        return inside
            .contains(',')
            .then(|| inside.split(',').map(str::to_owned).collect());
    };
    let digits = |s: &str| !s.is_empty() && s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let (low, high): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let width = first.len();
    let count = high.checked_sub(low)?;
    (count < MAX_SHARDS as u64).then(|| (low..=high).map(|n| format!("{n:0width$}")).collect())
}

/// The shards of `split` that `pattern` names: `{split}` in it is train, val and so on.
pub(crate) fn named(pattern: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    let usage = |message: &str| {
        let shown = pattern.escape_debug();
        DataError::Usage(format!("{shown}: {message}"))
    };
    if !pattern.contains("{split}") {
        if split != Split::Train {
            return Err(usage(
                "these shards are a training set; write {split} where train and val differ, \
                 or hold a part out",
            ));
        }
        return Ok(expand(pattern)?.into_iter().map(PathBuf::from).collect());
    }
    for name in split_names(split) {
        let paths = expand(&pattern.replace("{split}", name))?.into_iter();
        let paths: Vec<PathBuf> = paths.map(PathBuf::from).collect();
        if paths.first().is_some_and(|p| p.exists()) {
            return Ok(paths);
        }
    }
    Err(usage("its first file does not exist"))
}

/// The files in `dir` that end in `extension` and hold `split`, sorted by name: files in
/// `dir/train/`, or files in `dir` that have `train` in their names; empty when there are none.
pub(crate) fn in_folder(
    dir: &Path,
    extension: &str,
    split: Split,
) -> Result<Vec<PathBuf>, DataError> {
    for name in split_names(split) {
        let inner = dir.join(name);
        if inner.is_dir() {
            let shards = shards(&inner, extension, |_| true)?;
            if !shards.is_empty() {
                return Ok(shards);
            }
        }
        let shards = shards(dir, extension, |file| file.contains(name))?;
        if !shards.is_empty() {
            return Ok(shards);
        }
    }
    Ok(Vec::new())
}

/// The files in `dir` that end in `extension` and whose names are wanted.
fn shards(
    dir: &Path,
    extension: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, DataError> {
    let entries = list_folder(dir, MAX_SHARDS as u64)?.ok_or_else(|| {
        let message = format!("{}: more than {MAX_SHARDS} entries", escape_path(dir));
        DataError::Usage(message)
    })?;
    let names = entries.into_iter().filter(|(name, _)| {
        let name = name.to_string_lossy();
        // ImageNet's own archives hold pictures without labels.
        name.ends_with(extension) && !name.starts_with("ILSVRC2012_img") && wanted(&name)
    });
    Ok(names.map(|(name, _)| dir.join(name)).collect())
}
