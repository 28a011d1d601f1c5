//! `docs/errors.md`, made from the ids.

use super::Id;
use std::collections::BTreeSet;

/// Where the document lies.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
/// Set to anything, this writes the document anew.
const WRITE: &str = "INCEPTION_WRITE_DOCS";

const HEAD: &str = "\
# Errors

A command that fails writes one line to standard error, `error[ID]: …`, and ends with the status
of the table. With `--log-format json` that line is a JSON object with `level`, `id`, `exit` and
`message` and, where they apply, `file`, `offset` (a byte of it), `item` (a tensor, an image, a
step), `expected`, `found`, `limit` (the limit that was reached) and `kept` (what is safe on the
disk). Remarks and warnings are objects with `level` and `message` then. Ids stay; messages may
change.

This file is written by `INCEPTION_WRITE_DOCS=1 cargo test -p inception-cli errors`, and a test
compares it with the program.

| id | status | meaning |
|---|---|---|
";

fn document() -> String {
    let row = |id: &Id| {
        format!(
            "| {} | {} | {} |\n",
            id.text(),
            id.exit_code(),
            id.meaning()
        )
    };
    let rows: String = Id::ALL.iter().map(row).collect();
    format!("{HEAD}{rows}")
}

#[test]
fn the_document_lists_every_id_as_it_is() {
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(DOCUMENT, document()).unwrap();
    }
    let found = std::fs::read_to_string(DOCUMENT).unwrap();
    assert!(
        found == document(),
        "{DOCUMENT} is out of date: {WRITE}=1 writes it"
    );
}

#[test]
fn no_two_failures_have_the_same_id() {
    let texts: BTreeSet<&str> = Id::ALL.iter().map(|id| id.text()).collect();
    assert_eq!(texts.len(), Id::ALL.len());
}

#[test]
fn every_rule_of_archives_has_an_id_of_its_own() {
    let rules = inception_store::Rule::ALL;
    let ids: BTreeSet<Id> = rules.iter().map(|rule| Id::of_rule(*rule)).collect();
    assert_eq!(ids.len(), rules.len());
    assert!(!ids.contains(&Id::Weights));
}
