//! Rules about source files.

use super::Problem;
use super::source::{blank_comments_and_literals, words};
use super::tree::Tree;
use crate::manifest::Manifest;
use std::path::Path;

/// The only folder that may hold unsafe code.
const UNSAFE: &str = "crates/tensor";
/// The longest source file.
const LINES: usize = 500;
/// What must not be left behind, in two parts so that this file may name it.
const LEFT: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const LEFT_MACRO: &str = concat!("to", "do!");

pub(super) fn check(tree: &Tree, members: &[Manifest]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.ending("rs") {
        let lines = text.lines().count();
        if lines > LINES {
            let what = format!("{lines} lines; expected {LINES} at most");
            problems.push(Problem::new(path, None, what));
        }
        if !path.starts_with(UNSAFE) {
            problems.extend(unsafe_code(path, text));
        }
    }
    for (path, text) in tree.texts() {
        problems.extend(left_behind(path, text));
    }
    for member in members.iter().filter(|m| m.folder != Path::new(UNSAFE)) {
        problems.extend(forbids_unsafe(tree, member));
    }
    problems
}

fn unsafe_code(path: &Path, text: &str) -> Vec<Problem> {
    let code = blank_comments_and_literals(text);
    let found = (1..).zip(code.lines());
    let found = found.filter(|(_, line)| words(line).any(|word| word == "unsafe"));
    let what = format!("unsafe code; expected in {UNSAFE} alone");
    found
        .map(|(line, _)| Problem::new(path, Some(line), what.clone()))
        .collect()
}

fn left_behind(path: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let word = words(content).find(|word| LEFT.contains(word));
        let found = word.or(content.contains(LEFT_MACRO).then_some(LEFT_MACRO));
        if let Some(found) = found {
            let what = format!("{found}; expected nothing left behind");
            problems.push(Problem::new(path, Some(line), what));
        }
    }
    problems
}

/// Each root file of a crate carries the attribute.
fn forbids_unsafe(tree: &Tree, member: &Manifest) -> Vec<Problem> {
    let roots = ["src/lib.rs", "src/main.rs"].map(|file| member.folder.join(file));
    let bins = member.folder.join("src/bin");
    let bins = tree
        .ending("rs")
        .filter(|(path, _)| path.parent() == Some(bins.as_path()));
    let bins = bins.map(|(path, _)| path.to_path_buf());
    let mut problems = Vec::new();
    for path in roots.into_iter().chain(bins) {
        let Some(text) = tree.text(&path) else {
            continue;
        };
        if !blank_comments_and_literals(text).contains("#![forbid(unsafe_code)]") {
            let what = "expected `#![forbid(unsafe_code)]`";
            problems.push(Problem::new(path, None, what));
        }
    }
    problems
}
