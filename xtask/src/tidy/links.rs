//! Links inside the documentation lead somewhere.

use super::Problem;
use super::tree::Tree;
use std::path::{Component, Path, PathBuf};

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.ending("md") {
        for (line, target) in targets(text) {
            if let Some(what) = broken(tree, path, target) {
                problems.push(Problem::new(path, Some(line), what));
            }
        }
    }
    problems
}

/// The targets of `[text](target)` and `[name]: target` outside of code, with their lines.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // Parts of odd number lie between backticks.
            let outside = line.split('`').step_by(2);
            found.extend(outside.flat_map(inline).map(|target| (number, target)));
            found.extend(defined(line).map(|target| (number, target)));
        }
    }
    found
}

fn inline(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| rest.split(')').next()?.split_whitespace().next())
}

fn defined(line: &str) -> Option<&str> {
    let (name, target) = line.strip_prefix('[')?.split_once("]: ")?;
    (!name.contains(']')).then(|| target.trim())
}

/// What is wrong with a link from `from`, if anything is.
fn broken(tree: &Tree, from: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => from.to_path_buf(),
        file => resolve(from, file),
    };
    if !tree.holds(&path) {
        return Some(format!(
            "link to {target}: expected a file {}",
            path.display()
        ));
    }
    let text = tree.text(&path).unwrap_or_default();
    let is_heading = text.lines().filter_map(slug).any(|slug| slug == anchor);
    let fine = anchor.is_empty() || path.extension().is_none_or(|e| e != "md") || is_heading;
    (!fine).then(|| format!("link to {target}: no such heading in {}", path.display()))
}

/// The path that a relative link means, without `.` and `..`.
fn resolve(from: &Path, link: &str) -> PathBuf {
    let mut path = from.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// The anchor of a heading, as code hosts make it.
fn slug(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#');
    if title.len() == line.len() || !title.starts_with(' ') {
        return None;
    }
    let kept = title.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    Some(kept.collect::<String>().to_lowercase())
}
