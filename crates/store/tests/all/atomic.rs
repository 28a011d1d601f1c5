//! A write that is cut short at any point leaves the old file or the new one, whole.

use inception_store::sim::{CrashModel, Fault, SimFs};
use inception_store::{Fs, FsFile, Kind, StoreError, clean_temps, write_atomic};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

const OLD: &[u8] = b"the old checkpoint, quite long";
const NEW: &[u8] = b"the new checkpoint";

fn target() -> &'static Path {
    Path::new("run/best.safetensors")
}

fn content(fs: &SimFs) -> Option<Vec<u8>> {
    fs.read(target(), u64::MAX).ok()
}

/// A way to replace the target's content.
type Writer = fn(&SimFs) -> Result<(), StoreError>;

/// The disks that break the promise: neither file whole, or the old one though the writer
/// said that it was done.
fn broken_promises(write: Writer, before: Option<&[u8]>) -> Vec<String> {
    let mut broken = Vec::new();
    for fuel in 0.. {
        let fs = match before {
            Some(bytes) => SimFs::with_files(&[("run/best.safetensors", bytes)]),
            None => SimFs::default(),
        };
        fs.limit_writes(7);
        fs.crash_after(fuel);
        let done = write(&fs).is_ok();
        for model in CrashModel::ALL {
            for disk in fs.crash_states(model) {
                let found = content(&disk);
                let is_new = found.as_deref() == Some(NEW);
                let is_old = found.as_deref() == before;
                if !(is_new || is_old && !done) {
                    let found = found.map(|f| String::from_utf8_lossy(&f).into_owned());
                    broken.push(format!("after {fuel}, {model:?}, done {done}: {found:?}"));
                }
            }
        }
        if done && !fs.has_crashed() {
            assert!(fuel > NEW.len() as u64, "every byte is a point of its own");
            return broken;
        }
    }
    unreachable!("a writer ends")
}

fn atomic(fs: &SimFs) -> Result<(), StoreError> {
    write_atomic(fs, target(), NEW)
}

#[test]
fn a_crash_at_any_operation_or_byte_leaves_one_file_whole() {
    assert_eq!(broken_promises(atomic, Some(OLD)), [""; 0]);
    assert_eq!(broken_promises(atomic, None), [""; 0]);
}

/// A file system that claims to have synced.
struct Lying<'a> {
    fs: &'a SimFs,
    files: Sync,
    folders: Sync,
}

#[derive(Clone, Copy, PartialEq)]
enum Sync {
    Kept,
    Skipped,
}

struct LyingFile(Box<dyn FsFile>, Sync);

impl FsFile for LyingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.1 == Sync::Skipped {
            return Ok(());
        }
        self.0.sync()
    }
}

impl Fs for Lying<'_> {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.fs.kind(path)
    }

    fn create_excl(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let file = self.fs.create_excl(path)?;
        Ok(Box::new(LyingFile(file, self.files)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fs.rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.folders == Sync::Skipped {
            return Ok(());
        }
        self.fs.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.fs.remove(path)
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        self.fs.read(path, max)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.fs.list(dir)
    }
}

/// The negative control: what these find shows that the simulation would find it.
#[test]
fn a_writer_that_does_not_sync_is_caught() {
    let no_file: Writer = |fs| {
        let (files, folders) = (Sync::Skipped, Sync::Kept);
        write_atomic(&Lying { fs, files, folders }, target(), NEW)
    };
    let no_folder: Writer = |fs| {
        let (files, folders) = (Sync::Kept, Sync::Skipped);
        write_atomic(&Lying { fs, files, folders }, target(), NEW)
    };
    let torn = broken_promises(no_file, Some(OLD));
    for sign in [
        "Some(\"\")",
        "\\0",
        "Some(\"the new\")",
        "Zeroed",
        "Torn",
        "Reordered",
    ] {
        assert!(torn.iter().any(|b| b.contains(sign)), "{sign} in {torn:?}");
    }
    // Synced bytes under a name that is not: never torn, but the old file after success.
    let stale = broken_promises(no_folder, Some(OLD));
    assert!(!stale.is_empty());
    assert!(
        stale
            .iter()
            .all(|b| b.contains("done true") && b.contains("old checkpoint"))
    );
    assert!(!broken_promises(no_folder, None).is_empty());
}

#[test]
fn a_writer_in_place_is_caught() {
    let in_place: Writer = |fs| {
        let io = |source| StoreError::Io {
            action: "write",
            path: PathBuf::from("run"),
            needed: None,
            source,
        };
        let _ = fs.remove(target());
        let mut file = fs.create_excl(target()).map_err(io)?;
        let mut rest = NEW;
        while !rest.is_empty() {
            rest = &rest[file.write(rest).map_err(io)?..];
        }
        file.sync().map_err(io)?;
        fs.sync_dir(Path::new("run")).map_err(io)
    };
    assert!(
        broken_promises(in_place, Some(OLD))
            .iter()
            .any(|b| b.contains("done false: None"))
    );
}

#[test]
fn a_second_crash_while_cleaning_up_loses_nothing() {
    for fuel in 0..=NEW.len() as u64 + 12 {
        let fs = SimFs::with_files(&[("run/best.safetensors", OLD), ("run/.tmp-notes", b"mine")]);
        fs.crash_after(fuel);
        let done = atomic(&fs).is_ok();
        for disk in fs.crash_states(CrashModel::Reordered) {
            let kept = content(&disk);
            for second in 0..4 {
                disk.crash_after(second);
                let _ = clean_temps(&disk, Path::new("run"));
                for again in disk.crash_states(CrashModel::Reordered) {
                    assert_eq!(content(&again), kept, "after {fuel} and {second}");
                    clean_temps(&again, Path::new("run")).unwrap();
                    let mine = PathBuf::from("run/.tmp-notes");
                    assert_eq!(again.paths(), [mine, target().to_path_buf()]);
                    atomic(&again).unwrap();
                    assert_eq!(content(&again).as_deref(), Some(NEW));
                }
            }
            assert!(kept.as_deref() == Some(NEW) || !done);
        }
    }
}

/// How many calls an undisturbed write takes, in writes of seven bytes.
fn calls() -> u64 {
    let fs = SimFs::with_files(&[("run/best.safetensors", OLD)]);
    fs.limit_writes(7);
    atomic(&fs).unwrap();
    fs.calls()
}

/// Writes with one call failing.
fn with_fault(n: u64, fault: Fault) -> (SimFs, Result<(), StoreError>) {
    let fs = SimFs::with_files(&[("run/best.safetensors", OLD)]);
    fs.limit_writes(7);
    fs.fail_call(n, fault);
    let result = atomic(&fs);
    (fs, result)
}

#[test]
fn an_error_at_any_call_is_reported_and_leaves_no_temporary_file() {
    let last = calls() - 1;
    assert_eq!(
        last, 7,
        "kind, create, three writes, sync, rename, sync of the folder"
    );
    let errors = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::FileTooLarge,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::Other,
    ];
    for n in 0..=last {
        for kind in errors {
            let (fs, result) = with_fault(n, Fault::Error(kind));
            let error = result.expect_err("a failed call fails the write");
            assert_eq!(error.exit_code(), 5);
            let text = error.to_string();
            assert!(text.starts_with("run/best.safetensors: cannot "), "{text}");
            assert!(n == 0 || text.contains("(18 bytes needed)"), "{text}");
            let expected = if n == last { NEW } else { OLD };
            assert_eq!(content(&fs).as_deref(), Some(expected), "call {n}");
            assert_eq!(fs.paths(), [target()], "call {n}");
            for model in CrashModel::ALL {
                for disk in fs.crash_states(model) {
                    let found = content(&disk);
                    let whole = [Some(OLD), Some(NEW)].contains(&found.as_deref());
                    assert!(whole, "call {n}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn a_failed_sync_is_not_tried_again_on_the_same_file() {
    let (fs, result) = with_fault(5, Fault::Error(io::ErrorKind::Other));
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("make durable the temporary file")
    );
    assert_eq!(content(&fs).as_deref(), Some(OLD));
    // The next write goes to a new file and is good.
    atomic(&fs).unwrap();
    for disk in fs.crash_states(CrashModel::Reordered) {
        assert_eq!(content(&disk).as_deref(), Some(NEW));
    }
}

#[test]
fn interruptions_short_writes_and_retries_do_not_matter() {
    for n in 0..calls() {
        let mut faults = vec![
            Fault::Error(io::ErrorKind::Interrupted),
            Fault::Error(io::ErrorKind::WouldBlock),
            Fault::Short,
        ];
        if !(2..=4).contains(&n) {
            // A write reports what it did; all else may have happened when it is interrupted.
            faults.push(Fault::Late(io::ErrorKind::Interrupted));
        }
        for fault in faults {
            let (fs, result) = with_fault(n, fault);
            result.unwrap_or_else(|e| panic!("call {n}, {fault:?}: {e}"));
            for model in CrashModel::ALL {
                for disk in fs.crash_states(model) {
                    assert_eq!(content(&disk).as_deref(), Some(NEW), "call {n}, {fault:?}");
                }
            }
        }
    }
    let fs = SimFs::default();
    fs.limit_writes(1);
    for n in 0..40 {
        fs.fail_call(3 * n, Fault::Error(io::ErrorKind::Interrupted));
    }
    atomic(&fs).unwrap();
    assert_eq!(content(&fs).as_deref(), Some(NEW));
}

#[test]
fn a_write_that_takes_nothing_ends_with_an_error() {
    let fs = SimFs::default();
    fs.limit_writes(0);
    let error = atomic(&fs).unwrap_err();
    assert!(
        error.to_string().contains("write the temporary file"),
        "{error}"
    );
    assert!(fs.paths().is_empty());
}

#[test]
fn an_interruption_without_end_is_an_error_not_a_hang() {
    let fs = SimFs::default();
    for n in 1..1_100 {
        fs.fail_call(n, Fault::Error(io::ErrorKind::Interrupted));
    }
    assert_eq!(atomic(&fs).unwrap_err().exit_code(), 5);
}
