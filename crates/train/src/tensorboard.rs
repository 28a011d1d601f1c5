//! Event files, which TensorBoard draws curves from.
//!
//! A file is a row of records: length, checksum of the length, bytes, checksum of the bytes.
//! The bytes are a protocol buffer `Event`. Each start of a run begins a file, whose second
//! event says so: TensorBoard then forgets what other files tell of later steps.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the names of event files begin with.
const NAME: &str = "events.out.tfevents";
/// Files that one process may begin in the same second.
const MOST: u32 = 10_000;

/// An event file, open for appending.
#[derive(Debug)]
pub(crate) struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// Begins a file in `folder` of a run that goes on after `step`.
    ///
    /// # Errors
    /// In words, when the operating system refuses.
    pub(crate) fn create(folder: &Path, step: u64) -> Result<Self, String> {
        let seconds = now() as u64;
        let process = std::process::id();
        let mut number = 0;
        let (path, file) = loop {
            let path = folder.join(format!("{NAME}.{seconds:010}.{process}.{number}"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number < MOST => number += 1,
                Err(e) => return Err(failed(&path, "create", &e)),
            }
        };
        let mut events = Self { file, path };
        let mut bytes = record(&event(now(), 0, |e| e.text(3, "brain.Event:2")));
        bytes.extend(record(&event(now(), step + 1, |e| {
            e.message(7, |log| log.number(1, SESSION_START));
        })));
        events.append(&bytes)?;
        Ok(events)
    }

    /// Appends named numbers of a step.
    ///
    /// # Errors
    /// In words, when they cannot be written.
    pub(crate) fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> Result<(), String> {
        let event = event(now(), step, |e| {
            e.message(5, |summary| {
                for (tag, value) in values {
                    summary.message(1, |v| {
                        v.text(1, tag);
                        v.float(2, *value as f32);
                    });
                }
            });
        });
        self.append(&record(&event))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        let written = self.file.write_all(bytes);
        written.map_err(|e| failed(&self.path, "append to", &e))
    }
}

/// `SessionLog.START`.
const SESSION_START: u64 = 1;

fn failed(path: &Path, action: &str, error: &io::Error) -> String {
    let path = inception_data::escape_path(path);
    format!("{path}: cannot {action} the event file: {error}")
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |t| t.as_secs_f64())
}

fn event(time: f64, step: u64, what: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, time);
    event.number(2, step);
    what(&mut event);
    event.0
}

/// A protocol buffer in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, what: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        what(&mut inner);
        self.bytes(field, &inner.0);
    }
}

/// # Sources
/// `tensorflow/core/lib/io/record_writer.cc`.
fn record(bytes: &[u8]) -> Vec<u8> {
    let len = (bytes.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend(len);
    out.extend(masked(crc32c(&len)).to_le_bytes());
    out.extend(bytes);
    out.extend(masked(crc32c(bytes)).to_le_bytes());
    out
}

/// A checksum as records keep it: one of data that hold checksums would be weak.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The remainder of each byte by Castagnoli's polynomial, bits reversed.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let up: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&up), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn an_event_is_the_bytes_that_tensorboard_writes() {
        // `Event(wall_time=1.5, step=300, summary=…(tag="loss", simple_value=0.25))`
        // .SerializeToString(), by the package tensorboard.
        let bytes = event(1.5, 300, |e| {
            e.message(5, |s| {
                s.message(1, |v| {
                    v.text(1, "loss");
                    v.float(2, 0.25);
                });
            });
        });
        let expected =
            b"\x09\0\0\0\0\0\0\xf8\x3f\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\x80\x3e";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn each_start_begins_a_file_of_its_own_with_whole_records() {
        let dir = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(dir.path(), 4).unwrap();
        let second = EventFile::create(dir.path(), 4).unwrap();
        assert_ne!(events.path, second.path);
        events
            .scalars(5, &[("loss/train".into(), f64::NAN)])
            .unwrap();
        let bytes = std::fs::read(&events.path).unwrap();
        let (mut at, mut records) = (0, 0);
        while at < bytes.len() {
            let len = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            assert_eq!(
                record(&bytes[at + 12..at + 12 + len]),
                bytes[at..at + 16 + len]
            );
            (at, records) = (at + 16 + len, records + 1);
        }
        assert_eq!(records, 3);
    }
}
