//! One file over HTTP, going on where an earlier try stopped.

use crate::{DataError, escape_path};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// How often a download is tried again without a byte of progress.
const TRIES: u32 = 3;

/// The longest time until a server answers, and until one connection has given everything.
const ANSWER: Duration = Duration::from_secs(30);
const BODY: Duration = Duration::from_secs(3600);

/// What a try came to.
enum Tried {
    Done,
    /// The connection broke off.
    Broken(String),
    /// What is on disk is no beginning of the file: it was emptied.
    StartAgain,
}

/// Why a download ended.
#[derive(Debug)]
pub enum DownloadError {
    /// The server answers with this status.
    Status(u16),
    /// No answer, or none that goes on; what was received is kept.
    Unreachable(String),
    /// The file cannot be written.
    File(DataError),
}

impl DownloadError {
    /// The same as an error of the set that lies in `dir`.
    pub(super) fn of_set(self, url: &str, dir: &Path) -> DataError {
        let message = match self {
            Self::File(error) => return error,
            Self::Status(status) => format!("the server answers with status {status}"),
            Self::Unreachable(why) => format!(
                "{why}; get the file in another way and put it into {}, or name another source \
                 with --from; what was received is kept",
                escape_path(dir)
            ),
        };
        DataError::Fetch {
            url: url.to_owned(),
            message,
        }
    }
}

/// Downloads `url` into `part`, which may hold its beginning, and makes it durable.
///
/// `tell` hears how many bytes are on disk, and how many there are in all where the server
/// says so. `bearer` is a token that is shown to the host of `url` alone, not to one that it
/// sends us on to.
///
/// # Errors
/// When the server refuses, three tries bring no byte, or the file cannot be written.
pub fn download(
    url: &str,
    bearer: Option<&str>,
    part: &Path,
    tell: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), DownloadError> {
    let io = |e| DownloadError::File(DataError::io(part, e));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(ANSWER))
        .timeout_recv_response(Some(ANSWER))
        .timeout_recv_body(Some(BODY))
        .build()
        .into();
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .append(true)
        .read(true)
        .open(part)
        .map_err(io)?;
    let mut idle = 0;
    loop {
        let before = file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut request = agent.get(url);
        if let Some(token) = bearer {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if before > 0 {
            request = request.header("Range", format!("bytes={before}-"));
        }
        match attempt(request, &mut file, part, before, tell)? {
            Tried::Done => return file.sync_all().map_err(io),
            Tried::StartAgain => idle += 1,
            Tried::Broken(_) if file.metadata().map_err(io)?.len() > before => idle = 0,
            Tried::Broken(why) => {
                idle += 1;
                if idle == TRIES {
                    return Err(DownloadError::Unreachable(why));
                }
            }
        }
        if idle == TRIES {
            let why = "it answers with other bytes each time";
            return Err(DownloadError::Unreachable(why.to_owned()));
        }
    }
}

/// Asks for the bytes from `at` on and appends them.
fn attempt(
    request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    file: &mut File,
    part: &Path,
    at: u64,
    tell: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Tried, DownloadError> {
    let io = |e| DownloadError::File(DataError::io(part, e));
    let response = match request.call() {
        Ok(response) => response,
        Err(error) => return Ok(Tried::Broken(error.to_string())),
    };
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let range = header("content-range").unwrap_or_default();
    let length: Option<u64> = header("content-length").and_then(|l| l.parse().ok());
    let start = match response.status().as_u16() {
        206 if range.starts_with(&format!("bytes {at}-")) => at,
        200 => {
            // The server gives the whole file.
            file.set_len(0).map_err(io)?;
            0
        }
        206 | 416 => {
            file.set_len(0).map_err(io)?;
            return Ok(Tried::StartAgain);
        }
        status => return Err(DownloadError::Status(status)),
    };
    let total = length.map(|n| start + n);
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = start;
    loop {
        match body.read(&mut buffer) {
            Ok(0) if total.is_some_and(|t| bytes < t) => {
                return Ok(Tried::Broken("the connection ended early".to_owned()));
            }
            Ok(0) => return Ok(Tried::Done),
            Ok(n) => {
                file.write_all(&buffer[..n]).map_err(io)?;
                bytes += n as u64;
                tell(bytes, total);
            }
            Err(error) => return Ok(Tried::Broken(error.to_string())),
        }
    }
}
