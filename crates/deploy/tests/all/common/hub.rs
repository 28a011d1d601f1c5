//! A hub on this machine: what the real one answers, by its names of headers.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The commit that `main` is.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the hub behaves.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// Files of `o/n` by name.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// From which length on a file is large and lies on another host.
    pub(crate) large: usize,
    /// Every connection to that host gives so many bytes at most.
    pub(crate) breaks_after: Option<usize>,
    /// The bytes are others than promised.
    pub(crate) lies: bool,
    /// Without this token the hub refuses.
    pub(crate) token: Option<String>,
    /// It answers with this status always.
    pub(crate) down: Option<u16>,
    /// It leaves the digest away.
    pub(crate) silent: bool,
}

/// A hub that runs until the test ends.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
    pub(crate) manner: Arc<Mutex<Manner>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    pub(crate) fn start(manner: Manner) -> Self {
        let [front, store] =
            ["127.0.0.1:0", "127.0.0.2:0"].map(|at| TcpListener::bind(at).unwrap());
        let endpoint = format!("http://{}", front.local_addr().unwrap());
        let behind = format!("http://{}", store.local_addr().unwrap());
        let (manner, asked) = (Arc::new(Mutex::new(manner)), Arc::default());
        for listener in [front, store] {
            let (manner, asked) = (Arc::clone(&manner), Arc::clone(&asked));
            let behind = behind.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let manner = manner.lock().unwrap().clone();
                    // A client that went away is no concern of the server.
                    let _ = answer(stream.unwrap(), &manner, &behind, &asked);
                }
            });
        }
        Self {
            endpoint,
            manner,
            asked,
        }
    }

    /// `METHOD PATH RANGE TOKEN` of every request since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap());
    }
}

/// The digest of a content, as the hub gives it.
pub(crate) fn tag(content: &[u8], large: usize) -> String {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    match content.len() >= large {
        true => hex(&Sha256::digest(content)),
        false => {
            let mut sum = Sha1::new();
            sum.update(format!("blob {}\0", content.len()));
            sum.update(content);
            hex(&sum.finalize())
        }
    }
}

fn answer(
    mut stream: TcpStream,
    manner: &Manner,
    behind: &str,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut first, mut range, mut token) = (String::new(), String::new(), String::new());
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let lower = line.to_lowercase();
        if first.is_empty() {
            first = line.trim_end_matches(" HTTP/1.1").to_owned();
        } else if let Some(value) = lower.strip_prefix("range: bytes=") {
            range = value.to_owned();
        } else if lower.starts_with("authorization: bearer ") {
            token = line[22..].to_owned();
        } else if line.is_empty() {
            break;
        }
    }
    asked
        .lock()
        .unwrap()
        .push(format!("{first} {range} {token}"));
    let (method, path) = first.split_once(' ').unwrap_or_default();
    let mut say = |status: &str, headers: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        if method == "HEAD" {
            return Ok(());
        }
        let sent = manner.breaks_after.unwrap_or(length).min(length);
        stream.write_all(&body[..sent])
    };
    if let Some(status) = manner.down {
        return say(&format!("{status} Down"), "", b"");
    }
    let commit = format!("X-Repo-Commit: {COMMIT}\r\n");
    if let Some(name) = path.strip_prefix("/store/") {
        let mut body = manner.files[name].clone();
        if manner.lies {
            body[0] ^= 1;
        }
        let start: usize = range.trim_end_matches('-').parse().unwrap_or(0);
        if start == 0 {
            return say("200 OK", "ETag: \"0\"\r\n", &body);
        }
        let total = body.len();
        let part = format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
        return say("206 Part", &part, &body[start..]);
    }
    if let Some(name) = path.strip_prefix("/small/") {
        let body = &manner.files[name];
        let tag = tag(body, manner.large);
        return say("200 OK", &format!("{commit}ETag: \"{tag}\"\r\n"), body);
    }
    if manner.token.as_ref().is_some_and(|t| *t != token) {
        let why = "X-Error-Message: Access is restricted.\r\n";
        return say("401 Unauthorized", why, b"");
    }
    let file = ["main", COMMIT]
        .iter()
        .find_map(|revision| path.strip_prefix(&format!("/o/n/resolve/{revision}/")));
    let Some(name) = file else {
        return say("404 Not Found", "X-Error-Code: RevisionNotFound\r\n", b"");
    };
    match manner.files.get(name) {
        None => say("404 Not Found", "X-Error-Code: EntryNotFound\r\n", b""),
        Some(body) if body.len() < manner.large => say(
            "307 Moved",
            &format!("{commit}Location: /small/{name}\r\n"),
            b"",
        ),
        Some(body) => {
            let tag = match manner.silent {
                true => String::new(),
                false => format!("X-Linked-Etag: \"{}\"\r\n", tag(body, manner.large)),
            };
            let size = body.len();
            let headers = format!(
                "{commit}{tag}X-Linked-Size: {size}\r\nLocation: {behind}/store/{name}\r\n"
            );
            say("302 Found", &headers, b"")
        }
    }
}
