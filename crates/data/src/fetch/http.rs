//! One file over HTTP, going on where an earlier try stopped.

use super::FetchEvent;
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

/// Downloads `url` into `part`, which may hold its beginning.
pub(super) fn download(
    url: &str,
    part: &Path,
    dir: &Path,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), DataError> {
    let io = |e| DataError::io(part, e);
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
        match attempt(&agent, url, &mut file, part, before, tell)? {
            Tried::Done => return file.sync_all().map_err(io),
            Tried::StartAgain => idle += 1,
            Tried::Broken(_) if file.metadata().map_err(io)?.len() > before => idle = 0,
            Tried::Broken(why) => {
                idle += 1;
                if idle == TRIES {
                    return Err(unreachable(url, dir, &why));
                }
            }
        }
        if idle == TRIES {
            return Err(unreachable(
                url,
                dir,
                "it answers with other bytes each time",
            ));
        }
    }
}

fn unreachable(url: &str, dir: &Path, why: &str) -> DataError {
    DataError::Fetch {
        url: url.to_owned(),
        message: format!(
            "{why}; get the file in another way and put it into {}, or name another source \
             with --from; what was received is kept",
            escape_path(dir)
        ),
    }
}

/// Asks for the bytes from `at` on and appends them.
fn attempt(
    agent: &ureq::Agent,
    url: &str,
    file: &mut File,
    part: &Path,
    at: u64,
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<Tried, DataError> {
    let io = |e| DataError::io(part, e);
    let mut request = agent.get(url);
    if at > 0 {
        request = request.header("Range", format!("bytes={at}-"));
    }
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
        status => {
            return Err(DataError::Fetch {
                url: url.to_owned(),
                message: format!("the server answers with status {status}"),
            });
        }
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
                tell(FetchEvent::Progress { url, bytes, total });
            }
            Err(error) => return Ok(Tried::Broken(error.to_string())),
        }
    }
}
