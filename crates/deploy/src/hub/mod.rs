//! Weights from Hugging Face's hub, or from a server that speaks as it does.
//!
//! The cache is the one that `huggingface_hub` keeps, so what either has downloaded the other
//! finds: `models--OWNER--NAME/blobs/DIGEST` are contents, `refs/REVISION` says which commit a
//! name stands for, `snapshots/COMMIT/FILE` are links to contents.
//!
//! # Sources
//! `huggingface_hub` 0.34: `file_download.py`, `constants.py`.

mod cache;
mod digest;
mod error;
mod name;
mod server;

pub use error::HubError;
pub use name::HubFile;

use cache::Cache;
use server::{Asked, Server};
use std::ffi::OsString;
use std::path::PathBuf;

/// The files that are looked for where none is named, the first that there is.
const USUAL: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// Where a hub is, and where its files are kept.
#[derive(Clone)]
pub struct HubConfig {
    /// The server.
    pub endpoint: String,
    /// The folder of the cache.
    pub cache: PathBuf,
    /// What is shown to the server, for repositories that not everybody may read.
    pub token: Option<String>,
    /// Whether to do with what the cache has.
    pub offline: bool,
}

impl std::fmt::Debug for HubConfig {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubConfig")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl HubConfig {
    /// What the environment says, by the names that `huggingface_hub` reads: `HF_ENDPOINT`,
    /// `HF_TOKEN`, `HF_HUB_OFFLINE`, and for the cache the first of `HF_HUB_CACHE`,
    /// `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub`, `HOME/.cache/huggingface/hub`.
    ///
    /// # Errors
    /// When no folder for the cache follows.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, HubError> {
        let set = |name| get(name).filter(|value| !value.is_empty());
        let text = |name| set(name)?.into_string().ok();
        let below = |name, rest: &str| Some(PathBuf::from(set(name)?).join(rest));
        let cache = below("HF_HUB_CACHE", "")
            .or_else(|| below("HF_HOME", "hub"))
            .or_else(|| below("XDG_CACHE_HOME", "huggingface/hub"))
            .or_else(|| below("HOME", ".cache/huggingface/hub"))
            .ok_or(HubError::NoCache)?;
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let offline = text("HF_HUB_OFFLINE").map(|text| text.to_ascii_uppercase());
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache,
            token: text("HF_TOKEN").map(|token| token.trim().to_owned()),
            offline: matches!(offline.as_deref(), Some("1" | "ON" | "YES" | "TRUE")),
        })
    }
}

/// A file of a hub on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Why the server was not asked, where it should have been.
    pub warning: Option<String>,
}

/// What [`fetch`] tells while it downloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubProgress<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes on disk, those of an earlier try included.
    pub bytes: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// Gets a file: from the cache where it is the one that the server has, else from the
/// server. Its content is compared with its digest in either case.
///
/// A download that broke off goes on where it stopped. A name of a branch or tag is looked up
/// at the server each time; when that cannot be reached, what the cache has is taken, with a
/// warning. A commit never changes, so that its files need no server once they are here.
///
/// # Errors
/// When there is no such file, the server refuses it, it cannot be reached and the cache
/// lacks the file, a digest is not the one that was promised, or the disk is full.
pub fn fetch(
    file: &HubFile,
    config: &HubConfig,
    tell: &mut dyn FnMut(HubProgress<'_>),
) -> Result<HubFetched, HubError> {
    let cache = Cache::of(&config.cache, file);
    let names: Vec<&str> = match &file.file {
        Some(name) => vec![name],
        None => USUAL.to_vec(),
    };
    let kept = || -> Result<Option<PathBuf>, HubError> {
        for name in &names {
            if let Some(path) = cache.find(&file.revision, name)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    };
    if config.offline || file.is_commit() {
        match kept() {
            Ok(Some(path)) => {
                return Ok(HubFetched {
                    path,
                    warning: None,
                });
            }
            // What is damaged is fetched again.
            Err(HubError::Digest { .. }) if !config.offline => {}
            other => {
                other?;
            }
        }
    }
    if config.offline {
        return Err(HubError::Offline {
            file: file.to_string(),
        });
    }
    let server = Server::new(config);
    match from_server(&server, &cache, file, &names, tell) {
        Ok(path) => Ok(HubFetched {
            path,
            warning: None,
        }),
        Err(HubError::Unreachable { url, why }) => match kept()? {
            Some(path) => Ok(HubFetched {
                path,
                warning: Some(format!("{url}: {why}; the file of the cache is used")),
            }),
            None => Err(HubError::Unreachable { url, why }),
        },
        Err(error) => Err(error),
    }
}

/// The file as the server has it.
fn from_server(
    server: &Server,
    cache: &Cache,
    file: &HubFile,
    names: &[&str],
    tell: &mut dyn FnMut(HubProgress<'_>),
) -> Result<PathBuf, HubError> {
    for name in names {
        match server.ask(file, name)? {
            Asked::Found(head) => {
                let mut told = |bytes, total: Option<u64>| {
                    tell(HubProgress {
                        file: name,
                        bytes,
                        total: total.or(head.bytes),
                    });
                };
                cache.hold(&head.digest, &mut |part| {
                    server.download(file, name, &head, part, &mut told)
                })?;
                return cache.enter(&file.revision, &head, name);
            }
            Asked::Nothing => {}
        }
    }
    Err(HubError::Missing {
        file: file.to_string(),
        names: names.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_environment_is_read_as_other_tools_read_it() {
        let config = |pairs: &[(&str, &str)]| {
            let all: HashMap<String, OsString> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
                .collect();
            HubConfig::from_env(|name| all.get(name).cloned())
        };
        assert!(matches!(config(&[]), Err(HubError::NoCache)));
        let home = ("HOME", "/h");
        let found = config(&[home]).unwrap();
        assert_eq!(found.endpoint, "https://huggingface.co");
        assert_eq!(found.cache, PathBuf::from("/h/.cache/huggingface/hub"));
        assert!(!found.offline && found.token.is_none());
        let caches = [
            (vec![home, ("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (
                vec![home, ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/f")],
                "/f/hub",
            ),
            (vec![("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")], "/c"),
            (vec![home, ("HF_HOME", "")], "/h/.cache/huggingface/hub"),
        ];
        for (pairs, cache) in caches {
            assert_eq!(config(&pairs).unwrap().cache, PathBuf::from(cache));
        }
        let found = config(&[
            home,
            ("HF_ENDPOINT", "http://a/"),
            ("HF_TOKEN", "secret\n"),
            ("HF_HUB_OFFLINE", "yes"),
        ]);
        let found = found.unwrap();
        assert_eq!((found.endpoint.as_str(), found.offline), ("http://a", true));
        assert_eq!(found.token.as_deref(), Some("secret"));
        assert!(!format!("{found:?}").contains("secret"));
        assert!(!config(&[home, ("HF_HUB_OFFLINE", "0")]).unwrap().offline);
    }
}
