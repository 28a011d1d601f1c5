//! `cargo xtask tidy`: the rules of this workspace that no compiler knows.

mod code;
mod documents;
mod layers;
mod links;
mod readme;
mod source;
mod tree;

use anyhow::{Result, bail};
use std::fmt;
use std::path::{Path, PathBuf};
use tree::Tree;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// The file, relative to the workspace.
    file: PathBuf,
    /// The line, from 1, where the rule is about one.
    line: Option<usize>,
    /// What is expected and what was found.
    what: String,
}

impl Problem {
    fn new(file: impl Into<PathBuf>, line: Option<usize>, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Checks the workspace at `root`; all broken rules are printed.
pub(crate) fn run(root: &Path) -> Result<()> {
    let problems = problems(root)?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => bail!("1 rule is broken"),
        n => bail!("{n} rules are broken"),
    }
}

/// Every broken rule, by file and line.
fn problems(root: &Path) -> Result<Vec<Problem>> {
    let members = crate::manifest::members(root)?;
    let tree = Tree::read(root)?;
    let mut problems = layers::check(&members);
    problems.extend(code::check(&tree, &members));
    problems.extend(readme::check(&tree, &members));
    problems.extend(documents::check(&tree));
    problems.extend(links::check(&tree));
    problems.sort();
    Ok(problems)
}

#[cfg(test)]
mod tests;
