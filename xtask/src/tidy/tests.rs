//! Each rule on a small made-up workspace that breaks it.

use super::problems;
use std::path::Path;
use tempfile::TempDir;

/// A workspace of two crates that breaks no rule.
const SOUND: [(&str, &str); 9] = [
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"crates/*\", \"tool\"]\n",
    ),
    ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n"),
    (
        "crates/tensor/Cargo.toml",
        "[package]\nname = \"low\"\n[package.metadata]\nlayer = 0\n[lints]\nworkspace = true\n",
    ),
    (
        "crates/tensor/src/lib.rs",
        "#[cfg(doctest)]\n#[doc = include_str!(\"../README.md\")]\nstruct Readme;\n\
         pub unsafe fn f() {}\n",
    ),
    (
        "crates/tensor/README.md",
        "# low\n```rust\nlow::f();\n```\n",
    ),
    (
        "tool/Cargo.toml",
        "[package]\nname = \"high\"\n[package.metadata]\nlayer = 1\n[dependencies]\n\
         low = { path = \"../crates/tensor\" }\n[lints]\nworkspace = true\n",
    ),
    (
        "tool/src/main.rs",
        "#![forbid(unsafe_code)]\nfn main() {}\n",
    ),
    ("tool/README.md", "# high\n```sh\nhigh\n```\n"),
    (
        "docs/adr/0001-a.md",
        "Context Decision Consequence Rejected option\n",
    ),
];

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The sound workspace with some files replaced or added.
fn workspace(changes: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in SOUND.iter().chain(changes) {
        write(root.path(), file, text);
    }
    root
}

fn broken(changes: &[(&str, &str)]) -> Vec<String> {
    let root = workspace(changes);
    let found = problems(root.path()).unwrap();
    found.iter().map(ToString::to_string).collect()
}

/// The one rule that is broken.
fn only(changes: &[(&str, &str)]) -> String {
    let mut found = broken(changes);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn a_sound_workspace_breaks_no_rule() {
    assert_eq!(broken(&[]), [""; 0]);
}

#[test]
fn this_workspace_has_members_with_layers() {
    let members = crate::manifest::members(&crate::root()).unwrap();
    assert!(members.len() >= 12, "{}", members.len());
    assert_eq!(members[0].name, "inception-tensor");
    let sorted = members.is_sorted_by_key(|member| member.layer);
    assert!(sorted && members.iter().all(|member| member.layer.is_some()));
}

#[test]
fn a_crate_may_not_use_one_of_its_own_or_a_higher_layer() {
    let manifest = "[package]\nname = \"high\"\n[package.metadata]\nlayer = 0\n\
         [target.'cfg(unix)'.dependencies]\nrenamed = { package = \"low\" }\n\
         [lints]\nworkspace = true\n";
    let found = only(&[("tool/Cargo.toml", manifest)]);
    assert_eq!(
        found,
        "tool/Cargo.toml: high is in layer 0 and uses low of layer 0; expected a lower one"
    );
}

#[test]
fn tests_may_use_the_testkit_and_nothing_else_above() {
    let low = |dev: &str| {
        format!(
            "[package]\nname = \"low\"\n[package.metadata]\nlayer = 0\n\
             [dev-dependencies]\n{dev} = \"1\"\n[lints]\nworkspace = true\n"
        )
    };
    let kit = "[package]\nname = \"inception-testkit\"\n[package.metadata]\nlayer = 1\n\
         [lints]\nworkspace = true\n";
    let with = |dev: &str| {
        broken(&[
            ("crates/tensor/Cargo.toml", &low(dev)),
            ("crates/kit/Cargo.toml", kit),
            ("crates/kit/README.md", "```sh\nx\n```\n"),
        ])
    };
    assert_eq!(with("inception-testkit"), [""; 0]);
    assert_eq!(with("high").len(), 1);
}

#[test]
fn a_crate_without_a_layer_or_without_the_lints_is_named() {
    let found = only(&[(
        "tool/Cargo.toml",
        "[package]\nname = \"high\"\n[lints]\nworkspace = true\n",
    )]);
    assert!(found.contains("expected a number `layer`"), "{found}");
    let manifest = "[package]\nname = \"high\"\n[package.metadata]\nlayer = 1\n";
    let found = only(&[("tool/Cargo.toml", manifest)]);
    assert!(found.contains("under [lints]"), "{found}");
}

#[test]
fn unsafe_code_outside_of_tensor_is_found_in_code_alone() {
    let source = "#![forbid(unsafe_code)]\n// unsafe\n/* unsafe /* unsafe */ unsafe */\n\
         const A: &str = \"unsafe \\\" unsafe\";\nconst B: &str = r#\"unsafe \" unsafe\"#;\n\
         const C: char = '\"';\nfn f<'a>(x: &'a str) -> &'a str { unsafe { g(x) } }\n";
    let found = only(&[("tool/src/main.rs", source)]);
    assert_eq!(
        found,
        "tool/src/main.rs:7: unsafe code; expected in crates/tensor alone"
    );
}

#[test]
fn a_crate_that_does_not_forbid_unsafe_code_is_named() {
    let found = only(&[(
        "tool/src/main.rs",
        "// #![forbid(unsafe_code)]\nfn main() {}\n",
    )]);
    assert_eq!(
        found,
        "tool/src/main.rs: expected `#![forbid(unsafe_code)]`"
    );
    let found = only(&[("tool/src/bin/other.rs", "fn main() {}\n")]);
    assert!(found.starts_with("tool/src/bin/other.rs: "), "{found}");
}

#[test]
fn a_source_file_has_500_lines_at_most() {
    let lines = |n: usize| "//\n".repeat(n);
    assert_eq!(broken(&[("tool/src/a.rs", &lines(500))]), [""; 0]);
    let found = only(&[("tool/src/a.rs", &lines(501))]);
    assert_eq!(found, "tool/src/a.rs: 501 lines; expected 500 at most");
}

#[test]
fn nothing_is_left_behind_in_any_text() {
    let word = concat!("TO", "DO");
    let found = only(&[("docs/a.md", &format!("one\n{word}: two\n"))]);
    assert_eq!(
        found,
        format!("docs/a.md:2: {word}; expected nothing left behind")
    );
    let found = only(&[(
        "tool/src/a.rs",
        &format!("fn f() {{ {}!() }}\n", word.to_lowercase()),
    )]);
    assert!(found.starts_with("tool/src/a.rs:1: "), "{found}");
}

#[test]
fn a_readme_has_an_example_and_that_of_a_library_is_tested() {
    let found = only(&[("tool/README.md", "# high\n")]);
    assert_eq!(
        found,
        "tool/README.md: expected an example between lines of ```"
    );
    let found = only(&[("crates/tensor/src/lib.rs", "\n")]);
    assert!(found.starts_with("crates/tensor/src/lib.rs: "), "{found}");
    // Commands of a shell are no example that a library could test.
    let library = ("tool/src/lib.rs", "#![forbid(unsafe_code)]\n");
    assert_eq!(broken(&[library]), [""; 0]);
    let root = workspace(&[]);
    std::fs::remove_file(root.path().join("tool/README.md")).unwrap();
    let found = problems(root.path()).unwrap();
    assert_eq!(
        found[0].to_string(),
        "tool/README.md: expected a README.md of high"
    );
}

#[test]
fn a_changelog_has_a_part_for_what_is_not_released() {
    let found = only(&[("CHANGELOG.md", "# Changelog\n\n## 0.1.0\n")]);
    assert_eq!(found, "CHANGELOG.md: expected a heading `## Unreleased`");
}

#[test]
fn a_decision_is_short_and_names_what_it_rejects() {
    let long = "Context Decision Consequence Rejected\n".repeat(41);
    let found = only(&[("docs/adr/0002-b.md", &long)]);
    assert_eq!(found, "docs/adr/0002-b.md: 41 lines; expected 40 at most");
    let found = only(&[("docs/adr/0002-b.md", "Context, decision, consequence.\n")]);
    assert_eq!(found, "docs/adr/0002-b.md: expected a part about: Rejected");
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let fine = "# One two\n[a](../CHANGELOG.md) [b](#one-two) [c](https://x.y/z)\n\
         ```\n[d](nowhere)\n```\n`[e](nowhere)` [f](../CHANGELOG.md#unreleased \"title\")\n\
         [g]: ../tool\n";
    assert_eq!(broken(&[("docs/a.md", fine)]), [""; 0]);
    let found = only(&[("docs/a.md", "\n![x](images/x.png)\n")]);
    assert_eq!(
        found,
        "docs/a.md:2: link to images/x.png: expected a file docs/images/x.png"
    );
    let found = only(&[("docs/a.md", "[x](../CHANGELOG.md#released)\n")]);
    assert!(found.contains("no such heading in CHANGELOG.md"), "{found}");
}
