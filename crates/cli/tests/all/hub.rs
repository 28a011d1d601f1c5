//! `--weights hf:OWNER/NAME`, from a hub that runs on this machine.

#[path = "../../../deploy/tests/all/common/hub.rs"]
mod server;

use crate::common::Place;
use assert_cmd::Command;
use server::{Hub, Manner};

fn start(place: &Place) -> Hub {
    let bytes = std::fs::read(place.weights()).unwrap();
    Hub::start(Manner {
        files: [("model.safetensors".to_owned(), bytes)].into(),
        large: 1000,
        ..Manner::default()
    })
}

fn ask(place: &Place, hub: &Hub, words: &str) -> Command {
    let mut command = place.command(words);
    command
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HOME", place.path("home"))
        .env_remove("HF_TOKEN")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE");
    command
}

#[test]
fn weights_of_a_hub_are_weights_like_others() {
    let place = Place::new();
    let hub = start(&place);
    let first = ask(&place, &hub, "summary --weights hf:o/n --json").output();
    let first = first.unwrap();
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success(), "{said}");
    assert!(
        said.contains("fetching hf:o/n@main (model.safetensors, "),
        "{said}"
    );
    assert!(place.path("home/hub/models--o--n/refs/main").is_file());
    // Offline, and to begin a run with.
    hub.asked();
    let again = ask(&place, &hub, "summary --weights hf:o/n --json")
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert_eq!(again.stdout, first.stdout);
    assert!(again.stderr.is_empty());
    let train = "train --quiet --steps 1 --batch-size 2 --model inception-small --init hf:o/n \
                 --init-mode head --out run";
    let trained = ask(&place, &hub, train).env("HF_HUB_OFFLINE", "1").output();
    let trained = trained.unwrap();
    let said = String::from_utf8_lossy(&trained.stderr);
    assert!(trained.status.success(), "{said}");
    assert!(hub.asked().is_empty());
}

#[test]
fn what_a_hub_refuses_is_told_with_an_id() {
    let place = Place::new();
    let hub = start(&place);
    for (words, code, id) in [
        ("summary --weights hf:n", 2, "U-110"),
        ("summary --weights hf:o/n:../x", 2, "U-110"),
        ("summary --weights hf:o/n:x.pth", 5, "S-105"),
        ("summary --weights hf:o/m", 5, "S-105"),
    ] {
        let output = ask(&place, &hub, words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words}: {said}");
        assert!(
            said.starts_with(&format!("error[{id}]: ")),
            "{words}: {said}"
        );
    }
    hub.change(|m| m.lies = true);
    let output = ask(&place, &hub, "summary --weights hf:o/n").output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("error[W-129]: "), "{said}");
}
