use super::files::{LAST, NEXT, PREVIOUS, ROLLBACKS, STEP, VERSION, load, number, save};
use crate::TrainError;
use inception_store::sim::{CrashModel, Fault, SimFs};
use inception_store::{ArchiveBuilder, Fs};
use std::io::ErrorKind;
use std::path::Path;

const DIR: &str = "/run";
/// Which call of a save writes the bytes.
const WRITE: u64 = 4;

fn checkpoint(step: u64) -> Vec<u8> {
    with_version(step, "1")
}

fn with_version(step: u64, version: &str) -> Vec<u8> {
    let mut builder = ArchiveBuilder::new();
    builder.metadata(STEP, step.to_string()).unwrap();
    builder.metadata(ROLLBACKS, "0").unwrap();
    builder.metadata(VERSION, version).unwrap();
    builder.f32("w", &[1], vec![step as f32]).unwrap();
    builder.seal().unwrap()
}

/// The step of the checkpoint that would be resumed from.
fn newest(fs: &dyn Fs) -> Result<u64, TrainError> {
    let found = load(fs, Path::new(DIR))?;
    let step = number(&found.archive, STEP)?;
    assert_eq!(found.archive.to_f32("w")?, [step as f32]);
    Ok(step)
}

fn disk(files: &[(&str, u64)]) -> SimFs {
    let files: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|(name, step)| (format!("{DIR}/{name}"), checkpoint(*step)))
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    SimFs::with_files(&files)
}

/// Checkpoints of a disk: file and step.
type Files = Vec<(&'static str, u64)>;

/// Disks that a run may have come to, and the step that each resumes from.
fn beginnings() -> Vec<(Files, Option<u64>)> {
    vec![
        (vec![], None),
        (vec![(LAST, 1)], Some(1)),
        (vec![(PREVIOUS, 1), (LAST, 2)], Some(2)),
        (vec![(PREVIOUS, 1), (LAST, 2), (NEXT, 3)], Some(3)),
        (vec![(PREVIOUS, 2), (NEXT, 3)], Some(3)),
    ]
}

#[test]
fn whenever_the_machine_stops_the_old_or_the_new_checkpoint_is_whole() {
    let (folder, bytes) = (Path::new(DIR), checkpoint(9));
    for (files, before) in beginnings() {
        let mut states = 0;
        for fuel in 0.. {
            // Every operation, and a sample of the bytes of the one long write.
            if fuel > 8 && fuel < bytes.len() as u64 && fuel % 29 != 0 {
                continue;
            }
            let fs = disk(&files);
            fs.crash_after(fuel);
            let reported = save(&fs, folder, &bytes.as_slice(), 2).is_ok();
            for model in [CrashModel::Ordered, CrashModel::Reordered, CrashModel::Torn] {
                for disk in fs.crash_states(model) {
                    states += 1;
                    let step = newest(&disk).ok();
                    assert!(
                        step == before || step == Some(9),
                        "{files:?} {fuel} {step:?}"
                    );
                    assert!(!reported || step == Some(9), "{files:?} {fuel}: lost");
                }
            }
            if reported {
                break;
            }
        }
        assert!(states > 500, "{states}");
    }
}

#[test]
fn a_crash_while_a_crash_is_cleaned_up_loses_nothing() {
    let folder = Path::new(DIR);
    let first = disk(&[(PREVIOUS, 1), (LAST, 2)]);
    let calls = |from: &SimFs| {
        let fs = from.clone();
        save(&fs, folder, &checkpoint(9).as_slice(), 2).unwrap();
    };
    calls(&first);
    let len = checkpoint(9).len() as u64;
    for fuel in (len..len + 14).chain([3, 5]) {
        let fs = disk(&[(PREVIOUS, 1), (LAST, 2)]);
        fs.crash_after(fuel);
        let _ = save(&fs, folder, &checkpoint(9).as_slice(), 2);
        for again in fs.crash_states(CrashModel::Reordered) {
            let before = newest(&again).unwrap();
            for fuel in [0, 2, 4, len, len + 4, len + 6, len + 7, len + 8, len + 9] {
                let third = again.crash_states(CrashModel::Ordered).remove(0);
                third.crash_after(fuel);
                let _ = save(&third, folder, &checkpoint(10).as_slice(), 2);
                for disk in third.crash_states(CrashModel::Reordered) {
                    let step = newest(&disk).unwrap();
                    assert!(step == before || step == 10, "{before} {step}");
                }
            }
        }
    }
}

#[test]
fn a_writer_that_replaces_the_file_in_place_is_caught() {
    // What `torch.save` does: the negative control of the tests above.
    let in_place = |fs: &SimFs| -> std::io::Result<()> {
        fs.remove(Path::new("/run/last.ckpt"))?;
        let mut file = fs.create_excl(Path::new("/run/last.ckpt"))?;
        file.write(&checkpoint(9))?;
        file.sync()
    };
    let fs = disk(&[(LAST, 2)]);
    fs.crash_after(3);
    let _ = in_place(&fs);
    let lost = fs.crash_states(CrashModel::Ordered);
    assert!(lost.iter().any(|disk| newest(disk).is_err()));
}

#[test]
fn a_disk_that_is_full_or_fails_leaves_a_whole_checkpoint() {
    let folder = Path::new(DIR);
    for kind in [
        ErrorKind::StorageFull,
        ErrorKind::Other,
        ErrorKind::Interrupted,
    ] {
        for late in [false, true] {
            for call in 0..16 {
                // No system interrupts a write after it has written everything.
                if late && kind == ErrorKind::Interrupted && call == WRITE {
                    continue;
                }
                let fs = disk(&[(PREVIOUS, 1), (LAST, 2)]);
                let fault = if late {
                    Fault::Late(kind)
                } else {
                    Fault::Error(kind)
                };
                fs.fail_call(call, fault);
                let result = save(&fs, folder, &checkpoint(9).as_slice(), 2);
                let step = newest(&fs.crash_states(CrashModel::Ordered).remove(0)).unwrap();
                assert!(step == 2 || step == 9, "{kind:?} {call}: {step}");
                if result.is_ok() {
                    assert_eq!(step, 9, "{kind:?} {call}");
                }
                if kind == ErrorKind::Interrupted && !late {
                    result.unwrap();
                }
            }
        }
    }
}

#[test]
fn the_newest_is_damaged_and_the_one_before_is_found() {
    let fs = disk(&[(PREVIOUS, 1)]);
    let mut bytes = checkpoint(2);
    *bytes.last_mut().unwrap() ^= 1;
    let fs = {
        let good = fs.read(&Path::new(DIR).join(PREVIOUS), 1 << 20).unwrap();
        SimFs::with_files(&[("/run/previous.ckpt", &good), ("/run/last.ckpt", &bytes)])
    };
    let found = load(&fs, Path::new(DIR)).unwrap();
    assert_eq!(number(&found.archive, STEP).unwrap(), 1);
    assert_eq!(found.rejected.len(), 1);
    assert!(
        found.rejected[0].contains("/run/last.ckpt"),
        "{:?}",
        found.rejected
    );
    assert!(
        found.rejected[0].contains("tensor \"w\""),
        "{:?}",
        found.rejected
    );
    // The next checkpoint takes the damaged one's place without harm to the good one.
    save(&fs, Path::new(DIR), &checkpoint(3).as_slice(), 2).unwrap();
    assert_eq!(newest(&fs).unwrap(), 3);
}

#[test]
fn every_flipped_bit_and_every_truncation_is_noticed() {
    let good = checkpoint(2);
    let step = |bytes: &[u8]| {
        let fs = SimFs::with_files(&[("/run/last.ckpt", bytes)]);
        newest(&fs)
    };
    assert_eq!(step(&good).unwrap(), 2);
    for i in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[i / 8] ^= 1 << (i % 8);
        assert!(step(&bytes).is_err(), "bit {i}");
    }
    for len in 0..good.len() {
        assert!(step(&good[..len]).is_err(), "length {len}");
    }
}

#[test]
fn all_are_damaged_and_each_reason_is_listed() {
    let newer = with_version(5, "7");
    let fs = SimFs::with_files(&[("/run/last.ckpt", &newer), ("/run/previous.ckpt", b"x")]);
    let error = load(&fs, Path::new(DIR)).unwrap_err();
    assert_eq!(error.kind().exit_code(), 4);
    let text = error.to_string();
    assert!(
        text.contains("written by version 7 of the format, this reads up to 1"),
        "{text}"
    );
    assert!(text.contains("/run/previous.ckpt"), "{text}");
}

/// The checkpoints of a disk, the newest first.
fn steps_kept(fs: &SimFs) -> Vec<u64> {
    let names = [LAST, PREVIOUS, "previous-2.ckpt", "previous-3.ckpt"];
    let step = |name: &&str| {
        let bytes = fs.read(&Path::new(DIR).join(name), 1 << 20).ok()?;
        let alone = SimFs::with_files(&[("/run/last.ckpt", &bytes)]);
        newest(&alone).ok()
    };
    names.iter().filter_map(step).collect()
}

#[test]
fn so_many_checkpoints_are_kept_and_fewer_when_fewer_are_asked_for() {
    let fs = SimFs::default();
    let save = |step, keep| save(&fs, Path::new(DIR), &checkpoint(step).as_slice(), keep).unwrap();
    (1..=6).for_each(|step| save(step, 4));
    assert_eq!(steps_kept(&fs), [6, 5, 4, 3]);
    save(7, 2);
    assert_eq!(steps_kept(&fs), [7, 6]);
    save(8, 1);
    assert_eq!(steps_kept(&fs), [8]);
    assert_eq!(fs.paths(), [Path::new("/run/last.ckpt")]);
}

#[test]
fn killed_while_old_checkpoints_make_room_the_newest_stay() {
    for keep in [1, 2, 4] {
        for call in 0.. {
            let fs = disk(&[
                (LAST, 4),
                (PREVIOUS, 3),
                ("previous-2.ckpt", 2),
                ("previous-3.ckpt", 1),
            ]);
            fs.crash_at_call(call);
            let done = save(&fs, Path::new(DIR), &checkpoint(9).as_slice(), keep).is_ok();
            for model in [CrashModel::Ordered, CrashModel::Reordered] {
                for disk in fs.crash_states(model) {
                    let step = newest(&disk).unwrap();
                    assert!(
                        step == 9 || step == 4 && !done,
                        "keep {keep}, {call}: {step}"
                    );
                }
            }
            if done && !fs.has_crashed() {
                break;
            }
        }
    }
}

#[test]
fn when_the_three_newest_are_damaged_an_older_one_is_found() {
    let good = checkpoint(1);
    let fs = SimFs::with_files(&[
        ("/run/last.ckpt", b"x"),
        ("/run/previous.ckpt", b"y"),
        ("/run/previous-3.ckpt", &good),
    ]);
    assert_eq!(newest(&fs).unwrap(), 1);
}
