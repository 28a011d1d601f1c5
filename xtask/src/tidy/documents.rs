//! Rules about documents that grow: the changelog and the decisions.

use super::Problem;
use super::tree::Tree;
use std::path::Path;

const CHANGELOG: &str = "CHANGELOG.md";
const DECISIONS: &str = "docs/adr";
/// The longest decision.
const LINES: usize = 40;
/// What a decision says, in this order.
const SECTIONS: [&str; 4] = ["Context", "Decision", "Consequence", "Rejected"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let text = tree.text(Path::new(CHANGELOG)).unwrap_or_default();
    let unreleased = ["## Unreleased", "## [Unreleased]"];
    if !text.lines().any(|line| unreleased.contains(&line)) {
        let what = "expected a heading `## Unreleased`";
        problems.push(Problem::new(CHANGELOG, None, what));
    }
    let decisions = tree
        .ending("md")
        .filter(|(path, _)| path.starts_with(DECISIONS));
    for (path, text) in decisions {
        problems.extend(decision(path, text));
    }
    problems
}

fn decision(path: &Path, text: &str) -> Option<Problem> {
    let lines = text.lines().count();
    if lines > LINES {
        let what = format!("{lines} lines; expected {LINES} at most");
        return Some(Problem::new(path, None, what));
    }
    let has = |section: &&str| text.to_lowercase().contains(&section.to_lowercase());
    let missing = SECTIONS.iter().find(|section| !has(section))?;
    let what = format!("expected a part about: {missing}");
    Some(Problem::new(path, None, what))
}
