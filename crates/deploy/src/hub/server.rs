//! Asking a hub.

use super::digest::Digest;
use super::name::is_commit;
use super::{HubConfig, HubError, HubFile};
use inception_data::DownloadError;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// The longest time until a server answers.
const ANSWER: Duration = Duration::from_secs(30);
/// Most times that a server sends us on within itself.
const HOPS: usize = 5;

/// What a server says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The commit that the revision stands for.
    pub(super) commit: String,
    /// The content.
    pub(super) digest: Digest,
    /// Its length, where the server says it.
    pub(super) bytes: Option<u64>,
}

/// Whether there is a file.
pub(super) enum Asked {
    Found(Head),
    Nothing,
}

/// A hub.
pub(super) struct Server<'a> {
    config: &'a HubConfig,
    agent: ureq::Agent,
}

impl<'a> Server<'a> {
    pub(super) fn new(config: &'a HubConfig) -> Self {
        // The first answer has the digest; one that sends us on to another host has none.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(ANSWER))
            .build();
        Self {
            config,
            agent: agent.into(),
        }
    }

    fn url(&self, file: &HubFile, revision: &str, name: &str) -> String {
        let HubFile {
            owner, name: repo, ..
        } = file;
        let (endpoint, revision) = (&self.config.endpoint, encoded(revision, ""));
        format!(
            "{endpoint}/{owner}/{repo}/resolve/{revision}/{}",
            encoded(name, "/")
        )
    }

    /// Asks what the file `name` of a repository is.
    pub(super) fn ask(&self, file: &HubFile, name: &str) -> Result<Asked, HubError> {
        let mut url = self.url(file, &file.revision, name);
        let (mut commit, mut linked, mut bytes) = (None, None, None);
        for _ in 0..=HOPS {
            let mut request = self.agent.head(&url);
            if let Some(token) = &self.config.token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let answer = request.call().map_err(|e| HubError::Unreachable {
                url: url.clone(),
                why: e.to_string(),
            })?;
            let header = |name: &str| {
                let value = answer.headers().get(name)?;
                value.to_str().ok().map(str::to_owned)
            };
            commit = commit.or_else(|| header("x-repo-commit"));
            linked = linked.or_else(|| header("x-linked-etag"));
            let length: Option<u64> = header("x-linked-size").and_then(|n| n.parse().ok());
            bytes = bytes.or(length);
            let status = answer.status().as_u16();
            let said = || header("x-error-message").unwrap_or_default();
            match (status, header("location")) {
                (300..400, Some(location)) if location.starts_with('/') && linked.is_none() => {
                    url = format!("{}{location}", origin(&self.config.endpoint));
                    continue;
                }
                (200..400, _) => {}
                (404, _) if header("x-error-code").as_deref() == Some("EntryNotFound") => {
                    return Ok(Asked::Nothing);
                }
                (429 | 500.., _) => {
                    return Err(HubError::Unreachable {
                        why: format!("the server answers with status {status}"),
                        url,
                    });
                }
                _ => {
                    return Err(HubError::Refused {
                        status,
                        said: said(),
                        url,
                    });
                }
            }
            let answer = |expected, found: Option<String>| HubError::Answer {
                url: url.clone(),
                expected,
                found: found.unwrap_or_default(),
            };
            let tag = linked.or_else(|| header("etag").filter(|_| status < 300));
            let Some(digest) = tag.as_deref().and_then(Digest::parse) else {
                return Err(answer("a digest as ETag or X-Linked-Etag", tag));
            };
            let Some(commit) = commit.clone().filter(|c| is_commit(c)) else {
                return Err(answer("a commit as X-Repo-Commit", commit));
            };
            return Ok(Asked::Found(Head {
                commit,
                digest,
                bytes,
            }));
        }
        Err(HubError::Unreachable {
            url,
            why: format!("the server sends on more than {HOPS} times"),
        })
    }

    /// Downloads what `head` says.
    pub(super) fn download(
        &self,
        file: &HubFile,
        name: &str,
        head: &Head,
        part: &Path,
        tell: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), HubError> {
        // Of the commit, so that a branch that moves on meanwhile changes nothing.
        let url = self.url(file, &head.commit, name);
        let token = self.config.token.as_deref();
        inception_data::download(&url, token, part, tell).map_err(|error| match error {
            DownloadError::File(error) => error.into(),
            DownloadError::Unreachable(why) => HubError::Unreachable { url, why },
            DownloadError::Status(status @ (429 | 500..)) => HubError::Unreachable {
                url,
                why: format!("the server answers with status {status}"),
            },
            DownloadError::Status(status) => HubError::Refused {
                url,
                status,
                said: String::new(),
            },
        })
    }
}

/// Scheme and host of an address.
fn origin(endpoint: &str) -> &str {
    let host = endpoint.find("://").map_or(0, |at| at + 3);
    let end = endpoint[host..].find('/').map(|at| host + at);
    &endpoint[..end.unwrap_or(endpoint.len())]
}

/// Bytes other than letters, digits, `-`, `_`, `.`, `~` and those of `kept` as `%XX`.
fn encoded(text: &str, kept: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let c = char::from(byte);
        let plain = c.is_ascii_alphanumeric() || "-_.~".contains(c) || kept.contains(c);
        match plain {
            true => out.push(c),
            false => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded() {
        assert_eq!(encoded("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encoded("a/b c+é", "/"), "a/b%20c%2B%C3%A9");
        assert_eq!(origin("http://h:1/a/b"), "http://h:1");
        assert_eq!(origin("https://h"), "https://h");
    }
}
