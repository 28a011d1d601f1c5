//! The machine's own file system: links, long names, locks.

use inception_store::{
    Fs, Kind, RealFs, RunLock, StoreError, clean_temps, create_dir_durable, write_atomic,
};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn names(dir: &Path) -> Vec<String> {
    let names = RealFs.list(dir).unwrap();
    names
        .into_iter()
        .map(|n| n.into_string().unwrap())
        .collect()
}

#[test]
fn a_file_is_created_and_replaced_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let name = "n".repeat(255);
    let path = dir.path().join(&name);
    let large = vec![7_u8; 3 << 20];
    for bytes in [&b""[..], b"first", &large, b"last"] {
        write_atomic(&RealFs, &path, bytes).unwrap();
        assert_eq!(RealFs.read(&path, large.len() as u64).unwrap(), bytes);
    }
    assert_eq!(names(dir.path()), [name]);
    let error = RealFs.read(&path, 3).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
}

#[test]
fn a_missing_folder_is_an_error_that_names_the_file_and_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("absent/x");
    let text = write_atomic(&RealFs, &path, b"12345")
        .unwrap_err()
        .to_string();
    assert!(text.contains("absent/x: cannot create"), "{text}");
    assert!(text.contains("(5 bytes needed)"), "{text}");
    let deep = dir.path().join("a/b/c");
    create_dir_durable(&deep).unwrap();
    create_dir_durable(&deep).unwrap();
    assert_eq!(RealFs.kind(&deep).unwrap(), Some(Kind::Dir));
    write_atomic(&RealFs, &deep.join("x"), b"").unwrap();
    assert_eq!(
        create_dir_durable(&deep.join("x/y"))
            .unwrap_err()
            .exit_code(),
        5
    );
}

#[test]
fn only_temporary_files_of_this_library_are_cleaned() {
    let dir = tempfile::tempdir().unwrap();
    let keep = [
        ".tmp-1-1",
        ".tmp-a-1.inception",
        "model",
        "tmp-1-1.inception",
    ];
    for name in keep
        .into_iter()
        .chain([".tmp-12-0.inception", ".tmp-12-345.inception"])
    {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    assert_eq!(clean_temps(&RealFs, dir.path()).unwrap(), 2);
    assert_eq!(names(dir.path()), keep);
    let absent = clean_temps(&RealFs, &dir.path().join("absent")).unwrap_err();
    assert_eq!(absent.exit_code(), 5);
}

#[test]
fn a_folder_in_the_way_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path(), Path::new("/"), Path::new("..")] {
        let error = write_atomic(&RealFs, path, b"x").unwrap_err();
        assert!(matches!(error, StoreError::Target { .. }), "{error}");
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_symbolic_link_in_the_way_is_refused_and_its_target_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let (foreign, link) = (dir.path().join("foreign"), dir.path().join("link"));
        fs::write(&foreign, "precious").unwrap();
        symlink(&foreign, &link).unwrap();
        let error = write_atomic(&RealFs, &link, b"x").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("refusing to replace a symbolic link"),
            "{error}"
        );
        fs::remove_file(&link).unwrap();
        symlink(dir.path().join("dangling"), &link).unwrap();
        assert_eq!(
            write_atomic(&RealFs, &link, b"x").unwrap_err().exit_code(),
            2
        );
        assert!(RealFs.create_excl(&link).is_err());
        assert_eq!(fs::read_to_string(&foreign).unwrap(), "precious");
        assert_eq!(names(dir.path()), ["foreign", "link"]);
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_refused_and_its_target_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = dir.path().join("foreign");
        fs::write(&foreign, "precious").unwrap();
        symlink(&foreign, dir.path().join(".inception.lock")).unwrap();
        let error = RunLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Target { .. }), "{error}");
        assert_eq!(fs::read_to_string(&foreign).unwrap(), "precious");
    }

    #[test]
    fn a_fifo_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(RealFs.kind(&fifo).unwrap(), Some(Kind::Special));
        assert!(RealFs.read(&fifo, 10).is_err());
        assert_eq!(
            write_atomic(&RealFs, &fifo, b"x").unwrap_err().exit_code(),
            2
        );
    }
}

#[cfg(unix)]
mod processes {
    use super::*;
    use std::time::Duration;

    /// The file that a copy of this test program has to write, where it is such a copy.
    const WRITE: &str = "INCEPTION_STORE_TEST_WRITE";

    fn block(value: u8) -> Vec<u8> {
        vec![value; 1 << 20]
    }

    /// No test of its own: a copy of the program runs it until it fails or is killed.
    #[test]
    fn writer() {
        let Some(path) = std::env::var_os(WRITE) else {
            return;
        };
        println!("\nwriting");
        for value in (0..=255).cycle() {
            if let Err(error) = write_atomic(&RealFs, Path::new(&path), &block(value)) {
                println!("\nfailed: {error}");
                std::process::exit(error.exit_code().into());
            }
        }
    }

    fn copy_of_writer(command: &mut Command, path: &Path) -> std::process::Child {
        let args = ["--exact", "processes::writer", "--nocapture"];
        let command = command.args(args).env(WRITE, path).stdout(Stdio::piped());
        command.spawn().unwrap()
    }

    #[test]
    fn a_writer_killed_at_any_time_leaves_a_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        write_atomic(&RealFs, &path, &block(0)).unwrap();
        for round in 0..12 {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let mut child = copy_of_writer(&mut command, &path);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap() == "writing"));
            std::thread::sleep(Duration::from_micros(700 * round));
            child.kill().unwrap();
            child.wait().unwrap();
            let bytes = fs::read(&path).unwrap();
            assert!(bytes == block(bytes[0]), "round {round}");
            clean_temps(&RealFs, dir.path()).unwrap();
            assert_eq!(names(dir.path()), ["model"]);
        }
    }

    /// The kernel writes up to the limit, then refuses: a short write, then an error.
    #[test]
    fn a_file_over_the_systems_limit_is_an_error_and_the_old_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        write_atomic(&RealFs, &path, b"old").unwrap();
        let mut shell = Command::new("sh");
        let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
        shell
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap());
        let output = copy_of_writer(&mut shell, &path)
            .wait_with_output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(5), "{text}");
        assert!(
            text.contains("cannot write the temporary file beside it"),
            "{text}"
        );
        assert!(text.contains("(1048576 bytes needed)"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["model"]);
    }
}

/// The folder that a copy of this test program has to lock, where it is such a copy.
const HOLD: &str = "INCEPTION_STORE_TEST_HOLD";

/// No test of its own: a copy of the program runs it to hold a lock until it is killed.
#[test]
fn holder() {
    let Some(dir) = std::env::var_os(HOLD) else {
        return;
    };
    let _lock = RunLock::acquire(Path::new(&dir)).unwrap();
    println!("\nheld");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_lock_names_its_holder_and_ends_with_the_process_however_that_ends() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "holder", "--nocapture"])
            .env(HOLD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap() == "held"),
            "the other process has the lock"
        );

        let error = RunLock::acquire(dir.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        let says = format!("locked by pid {} since 20", child.id());
        assert!(text.contains(&says) && text.ends_with(" UTC"), "{text}");

        child.kill().unwrap();
        child.wait().unwrap();
        let lock = RunLock::acquire(dir.path()).expect("a dead process holds nothing");
        assert_eq!(lock.folder(), dir.path());
        drop(lock);
    }
    assert_eq!(names(dir.path()), [".inception.lock"]);
}

#[test]
fn a_lock_of_an_absent_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = RunLock::acquire(&dir.path().join("absent")).unwrap_err();
    assert_eq!(error.exit_code(), 5, "{error}");
}
