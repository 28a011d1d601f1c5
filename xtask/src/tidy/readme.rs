//! Every crate says what it is and shows one example, which is tested where it can be.

use super::Problem;
use super::tree::Tree;
use crate::manifest::Manifest;

pub(super) fn check(tree: &Tree, members: &[Manifest]) -> Vec<Problem> {
    let problems = members.iter().filter_map(|member| check_one(tree, member));
    problems.collect()
}

fn check_one(tree: &Tree, member: &Manifest) -> Option<Problem> {
    let path = member.folder.join("README.md");
    let Some(text) = tree.text(&path) else {
        let what = format!("expected a README.md of {}", member.name);
        return Some(Problem::new(path, None, what));
    };
    // Every second fence opens a block.
    let fences = text.lines().filter(|line| line.starts_with("```"));
    let opening: Vec<&str> = fences.step_by(2).collect();
    if opening.is_empty() {
        let what = "expected an example between lines of ```";
        return Some(Problem::new(path, None, what));
    }
    let rust = opening
        .iter()
        .any(|fence| ["```", "```rust"].contains(fence));
    let library = member.folder.join("src/lib.rs");
    let source = tree.text(&library)?;
    let tested = source.contains("include_str!(\"../README.md\")");
    (rust && !tested).then(|| {
        let what = "expected `include_str!(\"../README.md\")`, which tests its example";
        Problem::new(library, None, what)
    })
}
