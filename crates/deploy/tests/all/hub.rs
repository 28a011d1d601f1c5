//! Files of a hub that runs on this machine.

#[path = "common/hub.rs"]
mod server;

use inception_deploy::hub::{HubConfig, HubError, HubFetched, HubFile, fetch};
use server::{COMMIT, Hub, Manner, tag};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const LARGE: usize = 1000;

fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i * i % 251) as u8).collect()
}

/// A hub and an empty cache.
struct Place {
    hub: Hub,
    config: HubConfig,
    dir: TempDir,
}

impl Place {
    fn new(files: &[(&str, usize)]) -> Self {
        let files = files
            .iter()
            .map(|&(name, len)| (name.to_owned(), content(len)))
            .collect();
        let hub = Hub::start(Manner {
            files,
            large: LARGE,
            ..Manner::default()
        });
        let dir = tempfile::tempdir().unwrap();
        let config = HubConfig {
            endpoint: hub.endpoint.clone(),
            cache: dir.path().join("hub"),
            token: None,
            offline: false,
        };
        Self { hub, config, dir }
    }

    fn fetch(&self, name: &str) -> Result<HubFetched, HubError> {
        let file = HubFile::parse(Path::new(name)).unwrap().unwrap();
        fetch(&file, &self.config, &mut |_| {})
    }

    fn repository(&self) -> PathBuf {
        self.dir.path().join("hub/models--o--n")
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.repository().join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn files_come_into_the_cache_as_other_tools_lay_it_out() {
    let place = Place::new(&[("model.safetensors", 5000), ("sub/config.json", 20)]);
    let large = place.fetch("hf:o/n").unwrap();
    assert_eq!(large.warning, None);
    let snapshot = place.repository().join("snapshots").join(COMMIT);
    assert_eq!(large.path, snapshot.join("model.safetensors"));
    assert_eq!(std::fs::read(&large.path).unwrap(), content(5000));
    let small = place.fetch("hf:o/n:sub/config.json").unwrap();
    assert_eq!(std::fs::read(&small.path).unwrap(), content(20));
    let mut digests = vec![tag(&content(5000), LARGE), tag(&content(20), LARGE)];
    digests.sort();
    assert_eq!(place.names("blobs"), digests);
    let reference = place.repository().join("refs/main");
    assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    // The cache may move, since links lead within it.
    let moved = place.dir.path().join("elsewhere");
    std::fs::rename(place.repository(), &moved).unwrap();
    let file = moved.join("snapshots").join(COMMIT).join("sub/config.json");
    assert_eq!(std::fs::read(file).unwrap(), content(20));
}

#[test]
fn what_the_cache_has_is_not_fetched_again() {
    let place = Place::new(&[("model.safetensors", 5000)]);
    let first = place.fetch("hf:o/n").unwrap();
    place.hub.asked();
    // A branch may have moved on: it is asked what it is.
    assert_eq!(place.fetch("hf:o/n").unwrap(), first);
    let asked = place.hub.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("HEAD "), "{asked:?}");
    // A commit cannot.
    assert_eq!(place.fetch(&format!("hf:o/n@{COMMIT}")).unwrap(), first);
    assert!(place.hub.asked().is_empty());
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let place = Place::new(&[("model.safetensors", 5000)]);
    place.hub.change(|m| m.breaks_after = Some(2000));
    let found = place.fetch("hf:o/n").unwrap();
    assert_eq!(std::fs::read(found.path).unwrap(), content(5000));
    let asked = place.hub.asked().join("\n");
    assert!(asked.contains("/store/model.safetensors 2000- "), "{asked}");
    assert!(asked.contains("/store/model.safetensors 4000- "), "{asked}");

    // What a process left that was killed is gone on with too.
    let place = Place::new(&[("model.safetensors", 5000)]);
    let blobs = place.repository().join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.incomplete", tag(&content(5000), LARGE)));
    std::fs::write(&part, &content(5000)[..3000]).unwrap();
    place.fetch("hf:o/n").unwrap();
    let asked = place.hub.asked().join("\n");
    assert!(asked.contains("/store/model.safetensors 3000- "), "{asked}");
    assert!(!part.exists());
}

#[test]
fn a_content_of_another_digest_is_refused_and_not_kept() {
    let place = Place::new(&[("model.safetensors", 5000)]);
    place.hub.change(|m| m.lies = true);
    let error = place.fetch("hf:o/n").unwrap_err();
    assert!(matches!(error, HubError::Digest { .. }), "{error}");
    assert_eq!(error.exit_code(), 4);
    assert!(place.names("blobs").is_empty());
    assert!(!place.repository().join("snapshots").exists());
    place.hub.change(|m| (m.lies, m.silent) = (false, true));
    let error = place.fetch("hf:o/n").unwrap_err();
    assert!(error.to_string().contains("X-Linked-Etag"), "{error}");
}

#[test]
fn a_damaged_cache_is_mended_online_and_refused_offline() {
    let mut place = Place::new(&[("model.safetensors", 5000)]);
    let found = place.fetch("hf:o/n").unwrap();
    let damage = || std::fs::write(&found.path, b"x").unwrap();
    damage();
    place.fetch("hf:o/n").unwrap();
    assert_eq!(std::fs::read(&found.path).unwrap(), content(5000));
    damage();
    place.fetch(&format!("hf:o/n@{COMMIT}")).unwrap();
    assert_eq!(std::fs::read(&found.path).unwrap(), content(5000));
    damage();
    place.config.offline = true;
    let error = place.fetch("hf:o/n").unwrap_err();
    assert!(matches!(error, HubError::Digest { .. }), "{error}");
}

#[test]
fn without_a_network_the_cache_serves() {
    let mut place = Place::new(&[("model.safetensors", 5000)]);
    let online = place.fetch("hf:o/n").unwrap();
    // Down, and then not there at all.
    place.hub.change(|m| m.down = Some(503));
    let found = place.fetch("hf:o/n").unwrap();
    assert_eq!(found.path, online.path);
    assert!(found.warning.unwrap().contains("status 503"));
    place.config.endpoint = "http://127.0.0.1:1".to_owned();
    let found = place.fetch("hf:o/n").unwrap();
    assert_eq!(found.path, online.path);
    assert!(found.warning.is_some());
    let error = place.fetch("hf:o/n:other.bin").unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error}");
    // Offline there is nothing to warn of, and nobody is asked.
    place.config.endpoint = place.hub.endpoint.clone();
    place.config.offline = true;
    place.hub.asked();
    assert_eq!(place.fetch("hf:o/n").unwrap(), online);
    let error = place.fetch("hf:o/n:other.bin").unwrap_err();
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    assert_eq!(error.exit_code(), 5);
    assert!(place.hub.asked().is_empty());
}

#[test]
fn a_token_is_shown_to_the_hub_and_to_nobody_else() {
    let mut place = Place::new(&[("model.safetensors", 5000)]);
    place.hub.change(|m| m.token = Some("secret".to_owned()));
    let error = place.fetch("hf:o/n").unwrap_err().to_string();
    assert!(error.contains("HF_TOKEN"), "{error}");
    assert!(error.contains("Access is restricted."), "{error}");
    place.config.token = Some("secret".to_owned());
    place.hub.asked();
    place.fetch("hf:o/n").unwrap();
    for line in place.hub.asked() {
        assert_eq!(line.contains("/store/"), !line.contains("secret"), "{line}");
    }
}

#[test]
fn the_usual_files_are_looked_for_in_order() {
    let place = Place::new(&[("pytorch_model.bin", 5000)]);
    let found = place.fetch("hf:o/n").unwrap();
    assert!(found.path.ends_with("pytorch_model.bin"));
    let error = place.fetch("hf:o/n:other.bin").unwrap_err();
    assert!(matches!(error, HubError::Missing { .. }), "{error}");
    let error = place.fetch("hf:o/n@v9").unwrap_err();
    assert!(
        matches!(error, HubError::Refused { status: 404, .. }),
        "{error}"
    );
}

#[test]
fn several_at_once_fetch_once() {
    let place = Place::new(&[("model.safetensors", 50_000)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let found = place.fetch("hf:o/n").unwrap();
                assert_eq!(std::fs::read(found.path).unwrap(), content(50_000));
            });
        }
    });
    let asked = place.hub.asked();
    let gets = asked.iter().filter(|line| line.contains("/store/"));
    assert_eq!(gets.count(), 1, "{asked:?}");
}
