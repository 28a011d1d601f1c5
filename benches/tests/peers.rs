//! The comparison with other engines: choice, command lines, tables, documents.

use inception_benches::machine::Machine;
use inception_benches::peers::{
    Entry, Peer, PeersConfig, Programs, README_BEGIN, README_END, Report, Row, Scope, WORKS, Work,
    measure, replace_block, write,
};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn entry(name: &str, medians_ms: &[f64]) -> Entry {
    Entry {
        name: name.to_owned(),
        medians_ms: medians_ms.to_vec(),
        peak_rss_bytes: Some(900_000_000),
        import_rss_bytes: Some(400_000_000),
        absent: None,
    }
}

fn absent(reason: &str) -> Entry {
    Entry {
        absent: Some(reason.to_owned()),
        ..Entry::default()
    }
}

fn row(work: &str, threads: usize, ours: Entry, peers: Vec<(Peer, Entry)>) -> Row {
    Row {
        work: work.to_owned(),
        title: format!("what {work} is"),
        threads,
        target: 1.6,
        ours,
        peers: BTreeMap::from_iter(peers),
    }
}

fn report(rows: Vec<Row>) -> Report {
    Report {
        machine: Machine {
            processor: "a processor".to_owned(),
            cores: 2,
            kernel: "avx2".to_owned(),
            commit: "abc".to_owned(),
            date: "2026-01-02".to_owned(),
        },
        command: "cargo xtask bench --peers".to_owned(),
        rows,
    }
}

#[test]
fn the_ratio_is_against_the_fastest_peer_that_was_measured() {
    let peers = vec![
        (Peer::TorchEager, entry("torch", &[40.0])),
        (Peer::OnnxRuntime, entry("ort", &[15.0, 30.0, 18.0])),
        (Peer::Tract, absent("missing: tract")),
    ];
    let row = row(
        "infer-f32-b1",
        2,
        entry("inception", &[9.0, 8.0, 10.0]),
        peers,
    );
    assert_eq!(row.best(), Some((Peer::OnnxRuntime, 18.0)));
    assert_eq!(row.ratio(), Some(2.0));
}

#[test]
fn what_has_no_figure_is_listed_with_its_reason_and_never_counted() {
    let missing = "missing: No module named 'onnxruntime'";
    let peers = vec![(Peer::OnnxRuntime, absent(missing))];
    let rows = vec![
        row("infer-f32-b1", 2, entry("inception", &[9.0]), peers.clone()),
        row("infer-f32-b16", 2, absent("precision: no"), peers),
    ];
    let text = report(rows).full();
    let install = "python3 -m pip install -r benches/peers/requirements.txt";
    let line = format!(
        "- ONNX Runtime, infer-f32-b1, infer-f32-b16: {missing}; install it with `{install}`\n"
    );
    assert!(text.contains(&line), "{text}");
    assert!(
        text.contains("- inception, infer-f32-b16: precision: no\n"),
        "{text}"
    );
    let shown = text
        .lines()
        .find(|line| line.starts_with("| what infer-f32-b1 "));
    let cells: Vec<&str> = shown.unwrap().split('|').map(str::trim).collect();
    assert_eq!(cells[2..6], ["2", "9.00", "–", "–"]);
}

#[test]
fn memory_is_shown_without_the_libraries() {
    let peers = vec![(Peer::TorchEager, entry("torch", &[40.0]))];
    let text = report(vec![row("w", 1, entry("inception", &[9.0]), peers)]).full();
    let memory = text.split("The most memory").nth(1).unwrap();
    let line = memory
        .lines()
        .find(|line| line.starts_with("| w "))
        .unwrap();
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    assert_eq!(cells[1..5], ["w", "1", "500", "500"]);
}

#[test]
fn a_block_is_replaced_between_its_marks_alone() {
    let document = format!("a\n{README_BEGIN}\nold\n{README_END}\nb\n");
    let once = replace_block(&document, "new\n").unwrap();
    assert_eq!(once, format!("a\n{README_BEGIN}\nnew\n{README_END}\nb\n"));
    assert_eq!(replace_block(&once, "new").unwrap(), once);
    let error = replace_block("a\n", "new").unwrap_err().to_string();
    assert!(error.contains(README_BEGIN), "{error}");
}

#[test]
fn rows_of_an_earlier_run_of_the_same_sources_stay_where_no_new_one_is() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("docs")).unwrap();
    for file in ["README.md", "docs/peers.md"] {
        let text = format!("{README_BEGIN}\n{README_END}\n");
        std::fs::write(root.path().join(file), text).unwrap();
    }
    let of = |work, ms| row(work, 2, entry("inception", &[ms]), Vec::new());
    write(
        root.path(),
        &report(vec![of("simple-b64", 1.0), of("infer-f32-b1", 2.0)]),
    )
    .unwrap();
    let merged = write(root.path(), &report(vec![of("simple-b64", 3.0)])).unwrap();
    let found: Vec<_> = merged
        .rows
        .iter()
        .map(|r| (r.work.as_str(), r.ours.ms()))
        .collect();
    assert_eq!(
        found,
        [("infer-f32-b1", Some(2.0)), ("simple-b64", Some(3.0))]
    );
    let mut other = report(vec![of("simple-b64", 4.0)]);
    other.machine.commit = "def".to_owned();
    assert_eq!(write(root.path(), &other).unwrap().rows.len(), 1);
    // Of another processor: beside it in the document, and what the README shows.
    other.machine.processor = "abacus".to_owned();
    other.rows = vec![of("simple-b64", 777.0)];
    write(root.path(), &other).unwrap();
    let read = |file: &str| std::fs::read_to_string(root.path().join(file)).unwrap();
    let (document, readme) = (read("docs/peers.md"), read("README.md"));
    assert!(document.contains("### abacus") && document.contains("777"));
    assert!(document.contains(" 4.00 |") && !document.contains(" 3.00 |"));
    assert!(readme.contains("777") && !readme.contains(" 4.00 |"));
}

#[test]
fn names_of_works_are_unique_and_every_work_is_measured() {
    let names: HashSet<&str> = WORKS.iter().map(|work| work.name).collect();
    assert_eq!(names.len(), WORKS.len());
    for work in &WORKS {
        assert!(work.reps > 0 && !work.peers.is_empty(), "{}", work.name);
        assert!(work.peers.iter().any(|peer| peer.leads()), "{}", work.name);
    }
}

#[test]
fn a_machine_without_any_program_gets_reasons_instead_of_figures() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = |name: &str| -> PathBuf { root.path().join(name) };
    let programs = Programs {
        root: root.path().to_path_buf(),
        binaries: nowhere("bin"),
        python: Path::new("/no/such/python").to_path_buf(),
        exports: nowhere("exports"),
    };
    let config = PeersConfig {
        only: vec!["infer-f32-b1".to_owned()],
        threads: vec![1],
        rounds: 1,
        reps: None,
        scope: Scope::Everybody,
        limit: Duration::from_secs(5),
    };
    let rows = measure(&programs, &config, |_| ()).unwrap();
    let named = |work: &&Work| work.name.contains("infer-f32-b1");
    assert_eq!(rows.len(), WORKS.iter().filter(named).count());
    assert!(rows.len() > 1);
    for row in &rows {
        assert!(row.ours.absent.as_ref().unwrap().ends_with("is not built"));
        assert!(
            row.peers
                .values()
                .all(|peer| peer.ms().is_none() && peer.absent.is_some())
        );
        assert_eq!(row.ratio(), None);
    }
    let unknown = PeersConfig {
        only: vec!["dream".to_owned()],
        ..config
    };
    let error = measure(&programs, &unknown, |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("dream") && error.contains("simple-b64"),
        "{error}"
    );
}
