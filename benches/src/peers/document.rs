//! Where the comparison is shown: `docs/peers.md`, `docs/peers.json`, and a block of the README.

use super::{Report, Row};
use anyhow::{Context, Result};
use std::path::Path;

/// The line before the block of the README.
pub const README_BEGIN: &str = "<!-- peers: written by `cargo xtask bench --peers` -->";
/// The line after it.
pub const README_END: &str = "<!-- end of peers -->";

/// Writes the report into the workspace at `root`, in front of the last ones of other processors.
/// It takes the place of an earlier one of its processor, whose rows stay where the new one has
/// none if the sources and the day are the same, so that a part can be measured again alone.
///
/// # Errors
/// When a file cannot be read or written, or the README has no place for the block.
pub fn write(root: &Path, report: &Report) -> Result<Report> {
    let json = root.join("docs/peers.json");
    let mut report = report.clone();
    let mut others: Vec<Report> = Vec::new();
    if json.exists() {
        others = serde_json::from_str(&read(&json)?).with_context(|| json.display().to_string())?;
        let own = |other: &Report| other.machine.processor == report.machine.processor;
        if let Some(own) = others.iter().position(own) {
            let earlier = others.remove(own);
            if earlier.machine == report.machine {
                merge(&mut report.rows, earlier.rows);
            }
        }
    }
    others.insert(0, report.clone());
    save(&json, &(serde_json::to_string_pretty(&others)? + "\n"))?;
    show(root)?;
    Ok(report)
}

/// Writes the tables of `docs/peers.json` again: all of them into `docs/peers.md`, that of the
/// newest report with the most threads into the README.
///
/// # Errors
/// As [`write()`], or when there are no figures yet.
pub fn show(root: &Path) -> Result<()> {
    let json = root.join("docs/peers.json");
    let all: Vec<Report> =
        serde_json::from_str(&read(&json)?).with_context(|| json.display().to_string())?;
    let document = root.join("docs/peers.md");
    let sections = all
        .iter()
        .map(|report| format!("\n### {}\n{}", report.machine.processor, report.full()));
    let text = replace_block(&read(&document)?, &sections.collect::<String>())?;
    save(&document, &text)?;
    let readme = root.join("README.md");
    let mut newest = all.first().context("no figures")?.clone();
    let most = newest.rows.iter().map(|row| row.threads).max();
    newest.rows.retain(|row| Some(row.threads) == most);
    save(&readme, &replace_block(&read(&readme)?, &newest.summary())?)
}

/// Adds rows that `rows` lacks.
fn merge(rows: &mut Vec<Row>, earlier: Vec<Row>) {
    for row in earlier {
        let same = |other: &Row| (&other.work, other.threads) == (&row.work, row.threads);
        if !rows.iter().any(same) {
            rows.push(row);
        }
    }
    let place = |row: &Row| super::WORKS.iter().position(|work| work.name == row.work);
    rows.sort_by_key(|row| (std::cmp::Reverse(row.threads), place(row)));
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn save(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// `document` with `block` between its two marks.
///
/// # Errors
/// When a mark is absent.
pub fn replace_block(document: &str, block: &str) -> Result<String> {
    let missing = |mark: &str| format!("no line `{mark}`");
    let begin = document.find(README_BEGIN);
    let begin = begin.with_context(|| missing(README_BEGIN))? + README_BEGIN.len();
    let end = document[begin..].find(README_END);
    let end = begin + end.with_context(|| missing(README_END))?;
    let (before, after) = (&document[..begin], &document[end..]);
    Ok(format!("{before}\n{}\n{after}", block.trim_end()))
}
