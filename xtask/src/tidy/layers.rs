//! A crate uses crates of a lower layer only.

use super::Problem;
use crate::manifest::Manifest;

/// What the tests of any crate may use, whatever its layer.
const TEST_HELPERS: &str = "inception-testkit";

pub(super) fn check(members: &[Manifest]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members {
        let mut problem = |what: String| {
            problems.push(Problem::new(member.folder.join("Cargo.toml"), None, what));
        };
        if !member.inherits_lints {
            problem("expected `workspace = true` under [lints]".to_owned());
        }
        let Some(layer) = member.layer else {
            problem("expected a number `layer` under [package.metadata]".to_owned());
            continue;
        };
        let for_tests = member.dev_dependencies.iter();
        let for_tests = for_tests.filter(|name| *name != TEST_HELPERS);
        for name in member.dependencies.iter().chain(for_tests) {
            let used = members.iter().find(|other| other.name == *name);
            let Some(of) = used.and_then(|other| other.layer) else {
                continue;
            };
            if of >= layer {
                problem(format!(
                    "{} is in layer {layer} and uses {name} of layer {of}; expected a lower one",
                    member.name
                ));
            }
        }
    }
    problems
}
