//! `docs/paper-claims.md` and `docs/paper-claims.json`.

mod sections;

use crate::claims::Claims;
use crate::timing::Times;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Counts, and times where they were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Counted on graphs: the same on every machine.
    pub counts: Claims,
    /// Measured.
    pub times: Option<Times>,
}

impl Report {
    /// The times that were written last, if there are any.
    ///
    /// # Errors
    /// When the file is there and is no report.
    pub fn written_times(root: &Path) -> Result<Option<Times>> {
        #[derive(Deserialize)]
        struct Written {
            times: Option<Times>,
        }
        let path = json(root);
        if !path.exists() {
            return Ok(None);
        }
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(shown)?;
        let written: Written = serde_json::from_str(&text).with_context(shown)?;
        Ok(written.times)
    }

    /// Writes both files into the `docs` of the workspace at `root`.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        for (path, text) in [(json(root), text), (markdown(root), self.to_string())] {
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

fn json(root: &Path) -> PathBuf {
    root.join("docs/paper-claims.json")
}

fn markdown(root: &Path) -> PathBuf {
    root.join("docs/paper-claims.md")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        sections::introduction(f)?;
        sections::modules(f, counts)?;
        sections::stacked(f, counts)?;
        sections::head(f, &counts.head)?;
        sections::nets(f, &counts.nets)?;
        sections::table1(f, &counts.table1)?;
        sections::taught(f, &counts.taught)?;
        sections::times(f, self.times.as_ref())
    }
}
