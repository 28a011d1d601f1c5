//! Folders of runs.

use crate::TrainError;
use inception_store::create_dir_durable;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Creates `base/NAME-NUMBER` with the smallest number above those that are there; two
/// processes never get the same one.
///
/// # Errors
/// When `name` is empty or holds a separator of paths, or the operating system refuses.
///
/// # Examples
/// ```
/// use inception_train::create_run_dir;
///
/// let base = tempfile::tempdir()?;
/// let first = create_run_dir(base.path(), "shapes")?;
/// let second = create_run_dir(base.path(), "shapes")?;
/// assert!(first.ends_with("shapes-1") && second.ends_with("shapes-2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_run_dir(base: &Path, name: &str) -> Result<PathBuf, TrainError> {
    let is_plain = !name.is_empty() && !name.contains(['/', '\\', '\0']) && !name.starts_with('.');
    if !is_plain {
        return Err(TrainError::Usage(format!(
            "a run's name is part of a file name, found {name:?}"
        )));
    }
    create_dir_durable(base)?;
    let io = |action, source| TrainError::Io {
        action,
        path: base.to_path_buf(),
        source,
    };
    let mut number = 0u64;
    for entry in fs::read_dir(base).map_err(|e| io("list", e))? {
        let entry = entry.map_err(|e| io("list", e))?.file_name();
        let found = entry
            .to_str()
            .and_then(|n| n.strip_prefix(name)?.strip_prefix('-'));
        let found = found.and_then(|n| n.parse().ok());
        number = number.max(found.unwrap_or(0));
    }
    loop {
        number = number.saturating_add(1);
        let path = base.join(format!("{name}-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number < u64::MAX => {}
            Err(source) => {
                let action = "create the folder";
                return Err(TrainError::Io {
                    action,
                    path,
                    source,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_the_highest_and_other_names_do_not_count() {
        let base = tempfile::tempdir().unwrap();
        for name in ["a-7", "a-x", "ab-90", "a", "a-3"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        fs::write(base.path().join("a-8"), "a file takes a number too").unwrap();
        let path = create_run_dir(base.path(), "a").unwrap();
        assert_eq!(path, base.path().join("a-9"));
    }

    #[test]
    fn runs_that_start_at_once_get_folders_of_their_own() {
        let base = tempfile::tempdir().unwrap();
        let create = || create_run_dir(&base.path().join("runs"), "r").unwrap();
        let paths: Vec<PathBuf> = std::thread::scope(|s| {
            let threads: Vec<_> = (0..8).map(|_| s.spawn(create)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let distinct: std::collections::BTreeSet<_> = paths.iter().collect();
        assert_eq!(distinct.len(), 8);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let base = tempfile::tempdir().unwrap();
        for name in ["", "..", "a/b", "/etc"] {
            let error = create_run_dir(base.path(), name).unwrap_err();
            assert_eq!(error.kind().exit_code(), 2, "{name}");
        }
    }
}
