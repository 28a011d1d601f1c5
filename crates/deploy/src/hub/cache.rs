//! Files of a hub on this machine.

use super::digest::Digest;
use super::name::is_commit;
use super::server::Head;
use super::{HubError, HubFile};
use inception_store::{Fs, RealFs, create_dir_durable, write_atomic};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Most bytes of a file that says which commit a name stands for.
const REFERENCE: u64 = 64;

/// One repository in the cache.
pub(super) struct Cache {
    /// Its folder.
    repository: PathBuf,
    /// The folder of locks, the same that other tools take.
    locks: PathBuf,
}

impl Cache {
    pub(super) fn of(root: &Path, file: &HubFile) -> Self {
        let folder = format!("models--{}--{}", file.owner, file.name);
        Self {
            repository: root.join(&folder),
            locks: root.join(".locks").join(folder),
        }
    }

    /// The file `name` of `revision`, where the cache has it. Its content is checked.
    pub(super) fn find(&self, revision: &str, name: &str) -> Result<Option<PathBuf>, HubError> {
        let Some(commit) = self.commit(revision) else {
            return Ok(None);
        };
        let path = self.snapshot(&commit, name);
        if !path.is_file() {
            return Ok(None);
        }
        // Other tools copy instead of linking where a file system has no links; a copy does
        // not say what it should be.
        let target = std::fs::read_link(&path).ok();
        let digest = target.as_deref().and_then(Path::file_name);
        if let Some(digest) = digest.and_then(|name| Digest::parse(name.to_str()?)) {
            check(&path, &digest)?;
        }
        Ok(Some(path))
    }

    /// The commit that a revision stands for.
    fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let path = self.repository.join("refs").join(revision);
        let text = String::from_utf8(RealFs.read(&path, REFERENCE).ok()?).ok()?;
        let commit = text.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    fn snapshot(&self, commit: &str, name: &str) -> PathBuf {
        self.repository.join("snapshots").join(commit).join(name)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.repository.join("blobs").join(digest.text())
    }

    /// Sees to it that the content of `digest` is there. `fill` writes a file, which may hold
    /// the beginning of the content already.
    pub(super) fn hold(
        &self,
        digest: &Digest,
        fill: &mut dyn FnMut(&Path) -> Result<(), HubError>,
    ) -> Result<(), HubError> {
        let blobs = self.repository.join("blobs");
        for folder in [&blobs, &self.locks] {
            create_dir_durable(folder)?;
        }
        let lock = self.locks.join(format!("{digest}.lock"));
        let held = File::create(&lock).map_err(|e| fail(&lock, e))?;
        // Another process may fetch the same; it is waited for.
        held.lock().map_err(|e| fail(&lock, e))?;
        let blob = self.blob(digest);
        if blob.is_file() && check(&blob, digest).is_ok() {
            return Ok(());
        }
        let part = blobs.join(format!("{digest}.incomplete"));
        fill(&part)?;
        if let Err(error) = check(&part, digest) {
            // Going on from wrong bytes would never end well.
            std::fs::remove_file(&part).map_err(|e| fail(&part, e))?;
            return Err(error);
        }
        RealFs.rename(&part, &blob).map_err(|e| fail(&blob, e))?;
        RealFs.sync_dir(&blobs).map_err(|e| fail(&blobs, e))
    }

    /// Enters a content that is there as the file `name` of `revision`.
    pub(super) fn enter(
        &self,
        revision: &str,
        head: &Head,
        name: &str,
    ) -> Result<PathBuf, HubError> {
        let path = self.snapshot(&head.commit, name);
        let folder = path.parent().unwrap_or(&path);
        create_dir_durable(folder)?;
        if std::fs::canonicalize(&path).ok() != std::fs::canonicalize(self.blob(&head.digest)).ok()
        {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(&path, e)),
                _ => {}
            }
            self.link(&head.digest, name, &path)
                .map_err(|e| fail(&path, e))?;
            RealFs.sync_dir(folder).map_err(|e| fail(folder, e))?;
        }
        if !is_commit(revision) {
            let reference = self.repository.join("refs").join(revision);
            create_dir_durable(reference.parent().unwrap_or(&reference))?;
            write_atomic(&RealFs, &reference, head.commit.as_bytes())?;
        }
        Ok(path)
    }

    /// A link from a snapshot to a content, so that the cache may move.
    #[cfg(unix)]
    fn link(&self, digest: &Digest, name: &str, path: &Path) -> io::Result<()> {
        let mut target = PathBuf::from("../..");
        for part in Path::new(name).components().skip(1) {
            if let Component::Normal(_) = part {
                target.push("..");
            }
        }
        std::os::unix::fs::symlink(target.join("blobs").join(digest.text()), path)
    }

    /// A second name of a content.
    #[cfg(not(unix))]
    fn link(&self, digest: &Digest, _name: &str, path: &Path) -> io::Result<()> {
        std::fs::hard_link(self.blob(digest), path)
    }
}

/// Compares a content with its digest.
fn check(path: &Path, expected: &Digest) -> Result<(), HubError> {
    let found = expected.of_file(path).map_err(|e| fail(path, e))?;
    if found == expected.text() {
        return Ok(());
    }
    Err(HubError::Digest {
        path: path.to_owned(),
        expected: expected.to_string(),
        found,
    })
}

fn fail(path: &Path, source: io::Error) -> HubError {
    HubError::Io {
        path: path.to_owned(),
        source,
    }
}
