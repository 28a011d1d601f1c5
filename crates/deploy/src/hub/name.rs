//! Names of files in hubs.

use super::HubError;
use std::fmt;
use std::path::Path;

/// What a path begins with that is none.
const SCHEME: &str = "hf:";

/// A file of a repository: `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION:FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFile {
    /// Whose repository it is.
    pub owner: String,
    /// The repository.
    pub name: String,
    /// A branch, tag or commit; `main` where none is named.
    pub revision: String,
    /// The file, where one is named.
    pub file: Option<String>,
}

impl fmt::Display for HubFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (owner, name) = (&self.owner, &self.name);
        write!(f, "{SCHEME}{owner}/{name}@{}", self.revision)?;
        match &self.file {
            Some(file) => write!(f, ":{file}"),
            None => Ok(()),
        }
    }
}

impl HubFile {
    /// The file that `path` names, where it begins with `hf:`; a file of this machine that is
    /// called so is `./hf:…`.
    ///
    /// # Errors
    /// When the rest has another form, or a part that could lead out of the cache.
    ///
    /// # Examples
    /// ```
    /// use inception_deploy::hub::HubFile;
    /// use std::path::Path;
    ///
    /// let file = HubFile::parse(Path::new("hf:timm/inception_v4.tf_in1k@v1"))?.unwrap();
    /// assert_eq!((file.owner.as_str(), file.revision.as_str()), ("timm", "v1"));
    /// assert!(HubFile::parse(Path::new("a/b.pth"))?.is_none());
    /// # Ok::<(), inception_deploy::hub::HubError>(())
    /// ```
    pub fn parse(path: &Path) -> Result<Option<Self>, HubError> {
        let Some(rest) = path.to_str().and_then(|text| text.strip_prefix(SCHEME)) else {
            return Ok(None);
        };
        let fail = |why| HubError::Name {
            found: rest.chars().take(200).collect(),
            why,
        };
        let (repository, file) = match rest.split_once(':') {
            Some((repository, file)) => (repository, Some(file)),
            None => (rest, None),
        };
        let (repository, revision) = repository.split_once('@').unwrap_or((repository, "main"));
        let Some((owner, name)) = repository.split_once('/') else {
            return Err(fail("no / between owner and name"));
        };
        for part in [owner, name] {
            if !is_plain(part) || part.contains("--") {
                return Err(fail("owner and name are of letters, digits, -, _ and ."));
            }
        }
        if revision.len() > 200 || !revision.split('/').all(is_plain) {
            return Err(fail("a revision is of letters, digits, -, _, . and /"));
        }
        let sound = |file: &str| {
            let part =
                |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
            file.len() <= 500 && file.split('/').all(part) && !file.contains(char::is_control)
        };
        if file.is_some_and(|file| !sound(file)) {
            return Err(fail("a file is a relative path without . and .."));
        }
        Ok(Some(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            revision: revision.to_owned(),
            file: file.map(str::to_owned),
        }))
    }

    /// Whether the revision is a commit, which never changes.
    pub(super) fn is_commit(&self) -> bool {
        is_commit(&self.revision)
    }
}

/// Whether this is a commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Whether this is of digits and small letters up to f alone.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Letters, digits, `-`, `_` and `.`, and no `.` in front or twice in a row.
fn is_plain(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=96).contains(&part.len())
        && part.bytes().all(plain)
        && !part.starts_with('.')
        && !part.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<HubFile>, HubError> {
        HubFile::parse(Path::new(text))
    }

    #[test]
    fn names_have_an_owner_and_may_have_a_revision_and_a_file() {
        let file = parse("hf:o/n@refs/pr/1:a/b c.bin").unwrap().unwrap();
        assert_eq!(file.to_string(), "hf:o/n@refs/pr/1:a/b c.bin");
        let file = parse("hf:o/n.m-1").unwrap().unwrap();
        assert_eq!(
            (file.revision.as_str(), file.file.as_deref()),
            ("main", None)
        );
        assert_eq!(file.to_string(), "hf:o/n.m-1@main");
        assert!(!file.is_commit());
        let commit = format!("hf:o/n@{}", "0a".repeat(20));
        assert!(parse(&commit).unwrap().unwrap().is_commit());
        assert_eq!(parse("./hf:o/n").unwrap(), None);
        assert_eq!(parse("x.pth").unwrap(), None);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "hf:",
            "hf:n",
            "hf:/n",
            "hf:o/",
            "hf:o/n/m",
            "hf:../n",
            "hf:o/..",
            "hf:o/a--b",
            "hf:o/n@",
            "hf:o/n@../x",
            "hf:o/n@a//b",
            "hf:o/n:",
            "hf:o/n:/etc/passwd",
            "hf:o/n:a/../../b",
            "hf:o/n:a\\b",
            "hf:o/n:a\x1b[0m",
            "hf:o/n:a:b",
            "hf:o/n?x=1",
        ] {
            let error = parse(name).expect_err(name);
            assert_eq!(error.exit_code(), 2, "{name}");
            assert!(!error.to_string().contains('\x1b'), "{name}");
        }
    }
}
