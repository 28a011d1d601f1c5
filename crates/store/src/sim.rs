//! A file system in memory that crashes, loses and tears writes, and fails at a chosen
//! call: test support for everything that writes through [`Fs`].
//!
//! Folders always exist. Written bytes and changed names are pending until a sync makes
//! them durable; [`SimFs::crash_states`] lists the disks that a loss of power may leave.

use crate::fs::folder_of;
use crate::{Fs, FsFile, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a loss of power may do to pending operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashModel {
    /// The first few of them happened.
    Ordered,
    /// Any of them happened.
    Reordered,
    /// Any of them happened, and one write only up to some byte.
    Torn,
    /// As torn, but the file has its whole length, with zeros.
    Zeroed,
}

impl CrashModel {
    /// Every model.
    pub const ALL: [Self; 4] = [Self::Ordered, Self::Reordered, Self::Torn, Self::Zeroed];
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and returns this error; what a failed sync should have made durable
    /// never will be, though it can still be read.
    Error(io::ErrorKind),
    /// It does its work and returns this error nevertheless.
    Late(io::ErrorKind),
    /// It writes one byte where it should write more.
    Short,
}

#[derive(Clone, Debug)]
enum Op {
    Write {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Names {
        folder: PathBuf,
        changes: Vec<(PathBuf, Option<usize>)>,
    },
}

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
}

impl Disk {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { file, at, bytes } => self.write(*file, *at, bytes),
            Op::Names { changes, .. } => {
                for (path, file) in changes {
                    match file {
                        Some(file) => self.names.insert(path.clone(), *file),
                        None => self.names.remove(path),
                    };
                }
            }
        }
    }

    fn write(&mut self, file: usize, at: usize, bytes: &[u8]) {
        let data = &mut self.files[file];
        data.resize(data.len().max(at + bytes.len()), 0);
        data[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

#[derive(Debug, Default)]
struct State {
    durable: Disk,
    live: Disk,
    pending: Vec<Op>,
    calls: u64,
    fuel: Option<u64>,
    last_call: Option<u64>,
    max_write: Option<usize>,
    faults: BTreeMap<u64, Fault>,
}

impl State {
    fn push(&mut self, op: Op) {
        self.live.apply(&op);
        self.pending.push(op);
    }

    /// Counts a call; the fault that it has to meet, if any.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        if self.last_call == Some(self.calls) {
            self.fuel = Some(0);
        }
        match &mut self.fuel {
            Some(0) => return Err(crashed()),
            Some(fuel) => *fuel -= 1,
            None => {}
        }
        let fault = self.faults.get(&self.calls).copied();
        self.calls += 1;
        match fault {
            Some(Fault::Error(kind)) => Err(kind.into()),
            other => Ok(other),
        }
    }

    /// Makes durable, in order, the pending operations that `which` chooses.
    fn settle(&mut self, which: impl Fn(&Op) -> bool) {
        let (chosen, rest) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(which);
        self.pending = rest;
        let chosen: Vec<Op> = chosen;
        for op in &chosen {
            self.durable.apply(op);
        }
    }
}

fn crashed() -> io::Error {
    io::Error::other("the simulated machine has crashed")
}

fn end(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        Some(Fault::Late(kind)) => Err(kind.into()),
        _ => Ok(()),
    }
}

/// The simulated file system; a clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct SimFs {
    state: Arc<Mutex<State>>,
}

impl SimFs {
    /// A disk with these files, all durable.
    pub fn with_files(files: &[(&str, &[u8])]) -> Self {
        let mut disk = Disk::default();
        for (file, (path, bytes)) in files.iter().enumerate() {
            disk.files.push(bytes.to_vec());
            disk.names.insert(PathBuf::from(path), file);
        }
        Self::mount(disk)
    }

    /// The disk that a killed process leaves: everything it did is there.
    pub fn after_kill(&self) -> Self {
        Self::mount(self.lock().live.clone())
    }

    /// The disk that a loss of power leaves at worst: nothing pending is there.
    pub fn after_power_loss(&self) -> Self {
        Self::mount(self.lock().durable.clone())
    }

    fn mount(mut disk: Disk) -> Self {
        let named: BTreeSet<usize> = disk.names.values().copied().collect();
        for (file, bytes) in disk.files.iter_mut().enumerate() {
            if !named.contains(&file) {
                *bytes = Vec::new();
            }
        }
        let state = State {
            live: disk.clone(),
            durable: disk,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the machine crash after `fuel` more operations; each byte written counts as one
    /// more.
    pub fn crash_after(&self, fuel: u64) {
        self.lock().fuel = Some(fuel);
    }

    /// Lets the machine crash at call number `n`, counted from 0, which does nothing.
    pub fn crash_at_call(&self, n: u64) {
        self.lock().last_call = Some(n);
    }

    /// Whether the machine has come to its crash.
    pub fn has_crashed(&self) -> bool {
        self.lock().fuel == Some(0)
    }

    /// Lets call number `n`, counted from 0, fail.
    pub fn fail_call(&self, n: u64, fault: Fault) {
        self.lock().faults.insert(n, fault);
    }

    /// Lets each write take at most `max` bytes.
    pub fn limit_writes(&self, max: usize) {
        self.lock().max_write = Some(max);
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// The paths of all files, as a running process sees them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().live.names.keys().cloned().collect()
    }

    /// The disks that a loss of power at this moment may leave under `model`.
    ///
    /// # Panics
    /// With more than 12 pending operations: their subsets would be too many.
    pub fn crash_states(&self, model: CrashModel) -> Vec<Self> {
        let state = self.lock();
        let n = state.pending.len();
        assert!(n <= 12, "{n} pending operations");
        let subsets: Vec<u32> = match model {
            CrashModel::Ordered => (0..=n).map(|k| (1 << k) - 1).collect(),
            _ => (0..1 << n).collect(),
        };
        let mut disks = Vec::new();
        for subset in subsets {
            let ops = state.pending.iter().enumerate();
            let chosen: Vec<&Op> = ops
                .filter(|(i, _)| subset >> i & 1 == 1)
                .map(|p| p.1)
                .collect();
            match model {
                CrashModel::Ordered | CrashModel::Reordered => {
                    let mut disk = state.durable.clone();
                    chosen.iter().for_each(|op| disk.apply(op));
                    disks.push(disk);
                }
                CrashModel::Torn => tear(&state.durable, &chosen, None, &mut disks),
                CrashModel::Zeroed => tear(&state.durable, &chosen, Some(0), &mut disks),
            }
        }
        disks.into_iter().map(Self::mount).collect()
    }
}

/// Adds the disks where one of the `ops`, a write, is cut at a byte; the rest of it is
/// missing, or is `fill`.
fn tear(durable: &Disk, ops: &[&Op], fill: Option<u8>, disks: &mut Vec<Disk>) {
    for (torn, op) in ops.iter().enumerate() {
        let Op::Write { file, at, bytes } = op else {
            continue;
        };
        for cut in 0..bytes.len() {
            let mut head = bytes[..cut].to_vec();
            if let Some(fill) = fill {
                head.resize(bytes.len(), fill);
            }
            let mut disk = durable.clone();
            for (i, op) in ops.iter().enumerate() {
                if i == torn {
                    disk.write(*file, *at, &head);
                } else {
                    disk.apply(op);
                }
            }
            disks.push(disk);
        }
    }
}

impl Fs for SimFs {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let mut state = self.lock();
        let fault = state.begin()?;
        let found = state.live.names.contains_key(path).then_some(Kind::File);
        end(fault).map(|()| found)
    }

    fn create_excl(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let mut state = self.lock();
        let fault = state.begin()?;
        if state.live.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.live.files.len();
        state.live.files.push(Vec::new());
        state.durable.files.push(Vec::new());
        state.push(Op::Names {
            folder: folder_of(path),
            changes: vec![(path.to_path_buf(), Some(file))],
        });
        end(fault)?;
        let fs = self.clone();
        Ok(Box::new(SimFile { fs, file, at: 0 }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let fault = state.begin()?;
        if folder_of(from) != folder_of(to) {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let Some(&file) = state.live.names.get(from) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        state.push(Op::Names {
            folder: folder_of(to),
            changes: vec![(from.to_path_buf(), None), (to.to_path_buf(), Some(file))],
        });
        end(fault)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let fault = state.begin()?;
        state.settle(|op| matches!(op, Op::Names { folder, .. } if folder == dir));
        end(fault)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let fault = state.begin()?;
        if !state.live.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.push(Op::Names {
            folder: folder_of(path),
            changes: vec![(path.to_path_buf(), None)],
        });
        end(fault)
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        let mut state = self.lock();
        let fault = state.begin()?;
        let Some(&file) = state.live.names.get(path) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let bytes = state.live.files[file].clone();
        if bytes.len() as u64 > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        end(fault).map(|()| bytes)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.lock();
        let fault = state.begin()?;
        let inside = state
            .live
            .names
            .keys()
            .filter(|path| folder_of(path) == dir);
        let names: BTreeSet<OsString> = inside
            .filter_map(|path| path.file_name().map(OsString::from))
            .collect();
        end(fault).map(|()| names.into_iter().collect())
    }
}

struct SimFile {
    fs: SimFs,
    file: usize,
    at: usize,
}

impl FsFile for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.fs.lock();
        let fault = state.begin()?;
        let mut n = bytes.len().min(state.max_write.unwrap_or(usize::MAX));
        if fault == Some(Fault::Short) {
            n = n.min(1);
        }
        let wanted = n;
        if let Some(fuel) = &mut state.fuel {
            n = n.min(usize::try_from(*fuel).unwrap_or(usize::MAX));
            *fuel -= n as u64;
        }
        if n > 0 {
            state.push(Op::Write {
                file: self.file,
                at: self.at,
                bytes: bytes[..n].to_vec(),
            });
            self.at += n;
        }
        if n < wanted {
            return Err(crashed());
        }
        end(fault).map(|()| n)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.fs.lock();
        let ours = |op: &Op| matches!(op, Op::Write { file, .. } if *file == self.file);
        match state.begin() {
            Ok(fault) => {
                state.settle(ours);
                end(fault)
            }
            // An interrupted sync has lost nothing; any other failure forgets the writes.
            Err(error) => {
                let spared = [io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock];
                if state.fuel != Some(0) && !spared.contains(&error.kind()) {
                    state.pending.retain(|op| !ours(op));
                }
                Err(error)
            }
        }
    }
}
