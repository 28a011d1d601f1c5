//! Downloading from a server on this machine.

use inception_data::{DataError, ErrorKind, FetchEvent, Fetchable, RemoteFile, fetch_files};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// How the server answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// With the part that is asked for.
    Parts,
    /// With the whole file, whatever is asked for.
    Whole,
    /// It breaks off after 1000 bytes of every answer.
    Breaks,
    /// With status 404.
    Missing,
}

/// Serves `content` under every name; the ranges that were asked for are noted.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(content: Vec<u8>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/sets/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that went away is no concern of the server.
                let _ = answer(stream.unwrap(), &content, manner, &notes);
            }
        });
        Self { base, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    manner: Manner,
    notes: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_lowercase();
        if let Some(value) = line.strip_prefix("range: bytes=") {
            range = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    notes.lock().unwrap().push(range.clone());
    if manner == Manner::Missing {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    let start: usize = range.trim_end_matches('-').parse().unwrap_or(0);
    let start = if manner == Manner::Whole { 0 } else { start };
    if start > 0 && start >= content.len() {
        return stream.write_all(b"HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n");
    }
    let body = &content[start..];
    let status = if start > 0 {
        let total = content.len();
        format!(
            "206 Partial\r\nContent-Range: bytes {start}-{}/{total}",
            total - 1
        )
    } else {
        "200 OK".to_owned()
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let sent = if manner == Manner::Breaks {
        body.len().min(1000)
    } else {
        body.len()
    };
    stream.write_all(&body[..sent])
}

fn content() -> Vec<u8> {
    (0..3_500_u32).map(|i| (i * i % 251) as u8).collect()
}

/// The MD5 sum of [`content`], by Python's hashlib.
const MD5: &str = "b9241559184e167df7afee207849d95b";

fn files() -> Vec<RemoteFile> {
    vec![RemoteFile {
        name: "a.bin".to_owned(),
        md5: MD5.to_owned(),
    }]
}

fn fetch(server: &Server, dir: &Path) -> Result<Vec<String>, DataError> {
    let mut events = Vec::new();
    let mut tell = |event: FetchEvent<'_>| match event {
        FetchEvent::Present(_) => events.push("present".to_owned()),
        FetchEvent::Fetched(_) => events.push("fetched".to_owned()),
        FetchEvent::Progress { .. } => {}
    };
    fetch_files(&server.base, dir, &files(), &mut tell)?;
    Ok(events)
}

#[test]
fn a_file_is_fetched_once_and_verified_without_a_server_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(content(), Manner::Parts);
    assert_eq!(fetch(&server, dir.path()).unwrap(), ["fetched"]);
    assert_eq!(std::fs::read(dir.path().join("a.bin")).unwrap(), content());
    assert_eq!(fetch(&server, dir.path()).unwrap(), ["present"]);
    assert_eq!(server.asked(), [""]);
    std::fs::write(dir.path().join("a.bin"), b"damaged").unwrap();
    let error = fetch(&server, dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(
        error
            .to_string()
            .contains(&format!("expected MD5 {MD5}, found ")),
        "{error}"
    );
}

#[test]
fn a_download_that_broke_off_goes_on_where_it_stopped() {
    for (manner, expected) in [
        (Manner::Parts, &["1200-"][..]),
        (Manner::Whole, &["1200-"]),
        (Manner::Breaks, &["1200-", "2200-", "3200-"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.bin.part"), &content()[..1200]).unwrap();
        let server = Server::start(content(), manner);
        fetch(&server, dir.path()).unwrap();
        assert_eq!(server.asked(), expected);
        assert_eq!(std::fs::read(dir.path().join("a.bin")).unwrap(), content());
        assert!(!dir.path().join("a.bin.part").exists());
    }
}

#[test]
fn a_part_that_is_too_long_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.bin.part"), vec![1; 9_000]).unwrap();
    let server = Server::start(content(), Manner::Parts);
    fetch(&server, dir.path()).unwrap();
    assert_eq!(server.asked(), ["9000-", ""]);
}

#[test]
fn wrong_bytes_and_refusals_are_errors_and_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = content();
    wrong[7] ^= 1;
    let error = fetch(&Server::start(wrong, Manner::Parts), dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(
        error
            .to_string()
            .ends_with("the server sent something else; it was removed")
    );
    let server = Server::start(content(), Manner::Missing);
    let error = fetch(&server, dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        error
            .to_string()
            .ends_with("a.bin: the server answers with status 404"),
        "{error}"
    );
    assert!(!dir.path().join("a.bin").exists());
}

#[test]
fn every_set_that_can_be_fetched_has_a_name_and_sums() {
    for set in Fetchable::ALL {
        assert_eq!(Fetchable::from_name(set.name()).unwrap(), set);
        for file in set.files() {
            assert_eq!(file.md5.len(), 32);
            assert!(file.md5.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
