//! `cargo xtask check`: the cheapest step first, and none after one that fails.

use crate::step::{exec, seconds, step};
use crate::{cargo, test, tidy};
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// Runs all steps on the workspace at `root`.
pub(crate) fn run(root: &Path) -> Result<()> {
    let done = [
        step("format", || {
            exec(cargo(root).args(["fmt", "--all", "--check"]))
        })?,
        step("tidy", || tidy::run(root))?,
        step("lock file of fuzz", || {
            // A workspace of its own, which uses these crates, and which no other step builds.
            let tree = ["tree", "--locked", "--depth", "0", "--manifest-path"];
            exec(cargo(root).args(tree).arg(root.join("fuzz/Cargo.toml")))
        })?,
        step("clippy", || {
            let clippy = ["clippy", "--workspace", "--all-targets"];
            let strict = ["--all-features", "--locked", "--", "-D", "warnings"];
            exec(cargo(root).args(clippy).args(strict))
        })?,
        step("docs", || {
            let doc = [
                "doc",
                "--workspace",
                "--no-deps",
                "--all-features",
                "--locked",
            ];
            exec(cargo(root).args(doc).env("RUSTDOCFLAGS", "-D warnings"))
        })?,
        step("test", || test::run(root, &test::Args::default()))?,
    ];
    eprintln!();
    for step in &done {
        eprintln!("{:>10}  {}", seconds(step.time), step.name);
    }
    let total: Duration = done.iter().map(|step| step.time).sum();
    eprintln!("{:>10}  all steps passed", seconds(total));
    Ok(())
}
