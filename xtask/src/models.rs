//! `cargo xtask models`: the drawings of `docs/models.md`.

use crate::cargo;
use crate::step::exec;
use anyhow::Result;
use std::path::Path;

/// Lets the test that checks the drawings write them.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut command = cargo(root);
    command.args(["test", "--quiet", "--locked"]);
    command.args(["--package", "inception-nn", "--test", "drawings"]);
    exec(command.env("INCEPTION_UPDATE_DOCS", "1"))
}
