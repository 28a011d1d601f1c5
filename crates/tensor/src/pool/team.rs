//! Worker threads that wait for work awake for a moment, and asleep after it.
//!
//! A *section* is one parallel loop: the thread that opens it is its first participant, and
//! every worker that sees it in time joins. A worker that sleeps holds nobody up: whoever is
//! there does its share.
//!
//! Tile `i` belongs to the same participant in every section of as many tiles, so that a core
//! finds in its cache what it wrote in the section before; who is done takes from the others.

use std::any::Any;
use std::cell::UnsafeCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a worker waits awake. Waking a sleeper takes tens of microseconds, a step of a
/// small plan as much; between steps lie a few.
const AWAKE: Duration = Duration::from_micros(200);

/// Looks at the section's state between looks at the clock.
const LOOKS: usize = 64;

/// A section is open in this bit of the state; below it stands how many workers are in it,
/// above it the section's number.
const OPEN: u64 = 1 << 32;
const NUMBER: u64 = OPEN << 1;

/// A number that shares its cache line with no other.
#[repr(align(128))]
struct Line<T>(T);

/// A function of a tile's number, for as long as its section lasts.
type Task = *const (dyn Fn(usize) + Sync);

/// One participant's tiles: the next one, and the end.
struct Share {
    next: AtomicUsize,
    end: AtomicUsize,
}

/// What the threads of a team share.
struct Shared {
    /// [`NUMBER`]s, [`OPEN`], and the workers inside.
    state: Line<AtomicU64>,
    /// Whether somebody has a section.
    taken: AtomicBool,
    /// Written by who has the section, before it opens.
    task: UnsafeCell<Task>,
    shares: Vec<Line<Share>>,
    asleep: Vec<Line<AtomicBool>>,
    /// How long a worker waits awake: not at all where there are more threads than cores.
    awake: Duration,
    stop: AtomicBool,
    /// The first panic of a section's workers.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: all is atomic or locked but `task`, which who has the section writes while no worker
// is inside (`Team::section` waits for the last), and workers read only from inside.
unsafe impl Sync for Shared {}
// SAFETY: `task` points to something `Sync`, and is followed during its section only.
unsafe impl Send for Shared {}

/// Threads that do sections together with the thread that opens them.
pub(super) struct Team {
    shared: Arc<Shared>,
    workers: Vec<Thread>,
}

impl Team {
    /// `workers` threads, for a machine of `cores` cores.
    pub(super) fn new(workers: usize, cores: usize) -> io::Result<Self> {
        let share = |_| {
            Line(Share {
                next: AtomicUsize::new(0),
                end: AtomicUsize::new(0),
            })
        };
        let shared = Arc::new(Shared {
            state: Line(AtomicU64::new(0)),
            taken: AtomicBool::new(false),
            task: UnsafeCell::new(&|_| {}),
            shares: (0..=workers).map(share).collect(),
            asleep: (0..workers).map(|_| Line(AtomicBool::new(false))).collect(),
            awake: if workers < cores {
                AWAKE
            } else {
                Duration::ZERO
            },
            stop: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut team = Self {
            shared,
            workers: Vec::with_capacity(workers),
        };
        for i in 0..workers {
            let shared = Arc::clone(&team.shared);
            let builder = std::thread::Builder::new().name(format!("kernel-{i}"));
            let worker = builder.spawn(move || shared.work(i))?;
            team.workers.push(worker.thread().clone());
        }
        Ok(team)
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Calls `f` for every tile. Inside a section, and while another thread has one, this
    /// thread does it alone.
    pub(super) fn for_each(&self, tiles: usize, f: impl Fn(usize) + Sync) {
        let taken = &self.shared.taken;
        if tiles < 2 || taken.swap(true, Ordering::Acquire) {
            return (0..tiles).for_each(f);
        }
        let panic = self.section(tiles, &f);
        taken.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Opens a section, takes part, and comes back when nobody is in it any more; the first
    /// panic inside, if there was one. The caller has taken the section.
    fn section(&self, tiles: usize, f: &(dyn Fn(usize) + Sync)) -> Option<Box<dyn Any + Send>> {
        let shared = &*self.shared;
        let participants = shared.shares.len();
        for (i, Line(share)) in shared.shares.iter().enumerate() {
            let [start, end] = [i, i + 1].map(|i| i * tiles / participants);
            share.next.store(start, Ordering::Relaxed);
            share.end.store(end, Ordering::Relaxed);
        }
        // SAFETY: no worker is inside: the last section waited for all that were, and nobody
        // joins one that is not open. The lifetime that is forgotten here lasts beyond the
        // section, which ends below.
        unsafe {
            *shared.task.get() = std::mem::transmute::<&(dyn Fn(usize) + Sync), Task>(f);
        }
        let state = &shared.state.0;
        // Sequentially consistent, as is a worker's falling asleep: either it sees the section
        // or it is seen asleep.
        state.fetch_add(NUMBER | OPEN, Ordering::SeqCst);
        self.wake(tiles - 1);
        let own = catch_unwind(AssertUnwindSafe(|| shared.take_part(0, f)));
        state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks = 0;
        while state.load(Ordering::Acquire) & (OPEN - 1) != 0 {
            wait(&mut looks);
        }
        let theirs = shared.panic.lock().expect("nothing panics under it").take();
        own.err().or(theirs)
    }

    /// Wakes up to `most` workers that sleep.
    fn wake(&self, most: usize) {
        for (worker, Line(asleep)) in self.workers.iter().zip(&self.shared.asleep).take(most) {
            if asleep.load(Ordering::SeqCst) && asleep.swap(false, Ordering::SeqCst) {
                worker.unpark();
            }
        }
    }
}

impl Drop for Team {
    /// Tells the workers to end, which what they share survives: nobody waits for them.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.workers.iter().for_each(Thread::unpark);
    }
}

impl Shared {
    /// What worker `i` does all its life.
    fn work(&self, i: usize) {
        let mut last = 0;
        while let Some(number) = self.enter(i, last) {
            last = number;
            // SAFETY: this worker is inside the section, so that who opened it waits, and
            // keeps the task alive.
            let task = unsafe { &**self.task.get() };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.take_part(i + 1, task))) {
                let mut first = self.panic.lock().expect("nothing panics under it");
                first.get_or_insert(panic);
            }
            self.state.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for an open section after number `last` and joins it; `None` when the team ends.
    fn enter(&self, i: usize, last: u64) -> Option<u64> {
        let mut since = Instant::now();
        loop {
            let mut looks = 0;
            while looks < LOOKS {
                let state = self.state.0.load(Ordering::Acquire);
                let number = state / NUMBER;
                if state & OPEN != 0 && number != last {
                    let joined = self.state.0.compare_exchange(
                        state,
                        state + 1,
                        Ordering::AcqRel,
                        Ordering::Relaxed,
                    );
                    if joined.is_ok() {
                        return Some(number);
                    }
                }
                looks += 1;
                std::hint::spin_loop();
            }
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            if since.elapsed() >= self.awake {
                self.sleep(i, last);
                since = Instant::now();
            }
        }
    }

    /// Sleeps until a section opens or the team ends.
    fn sleep(&self, i: usize, last: u64) {
        let Line(asleep) = &self.asleep[i];
        asleep.store(true, Ordering::SeqCst);
        loop {
            let state = self.state.0.load(Ordering::SeqCst);
            let open = state & OPEN != 0 && state / NUMBER != last;
            if open || self.stop.load(Ordering::SeqCst) || !asleep.load(Ordering::SeqCst) {
                break;
            }
            std::thread::park();
        }
        asleep.store(false, Ordering::SeqCst);
    }

    /// Does participant `i`'s tiles, then what is left of the others'.
    fn take_part(&self, i: usize, f: &(dyn Fn(usize) + Sync)) {
        let (before, from) = self.shares.split_at(i);
        for Line(share) in from.iter().chain(before) {
            let end = share.end.load(Ordering::Relaxed);
            while share.next.load(Ordering::Relaxed) < end {
                let tile = share.next.fetch_add(1, Ordering::Relaxed);
                if tile >= end {
                    break;
                }
                f(tile);
            }
        }
    }
}

/// Waits a little, longer and longer: a worker that has no core at the moment gets this one.
fn wait(looks: &mut usize) {
    *looks += 1;
    if (*looks).is_multiple_of(LOOKS) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_after_sleep_and_in_a_row_lose_no_tile() {
        let team = Team::new(3, 4).unwrap();
        let count = AtomicUsize::new(0);
        for round in 0..2_000 {
            if round % 500 == 0 {
                std::thread::sleep(4 * AWAKE);
            }
            team.for_each(round % 9, |i| {
                count.fetch_add(i + 1, Ordering::Relaxed);
            });
        }
        let expected: usize = (0..2_000).map(|r| (r % 9) * (r % 9 + 1) / 2).sum();
        assert_eq!(count.into_inner(), expected);
    }

    #[test]
    fn a_section_inside_a_section_or_beside_one_is_done_by_its_thread() {
        let team = Team::new(2, 1).unwrap();
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        team.for_each(4, |_| {
                            team.for_each(3, |_| {
                                count.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * 200 * 4 * 3);
    }

    #[test]
    fn a_panic_in_any_tile_reaches_the_caller_and_leaves_the_team_whole() {
        let team = Team::new(2, 4).unwrap();
        for bad in 0..8 {
            let section = || {
                team.for_each(8, |i| {
                    std::thread::sleep(Duration::from_micros(50));
                    assert!(i != bad, "tile {i}");
                });
            };
            let panic = catch_unwind(AssertUnwindSafe(section)).unwrap_err();
            let message = panic.downcast_ref::<String>().unwrap();
            assert_eq!(message, &format!("tile {bad}"));
        }
        let count = AtomicUsize::new(0);
        team.for_each(100, |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 100);
    }

    #[test]
    fn workers_end_with_their_team_awake_or_asleep() {
        for pause in [Duration::ZERO, 4 * AWAKE] {
            let team = Team::new(3, 4).unwrap();
            let shared = Arc::downgrade(&team.shared);
            team.for_each(9, |_| {});
            std::thread::sleep(pause);
            drop(team);
            let end = Instant::now() + Duration::from_secs(60);
            while shared.strong_count() > 0 {
                assert!(
                    Instant::now() < end,
                    "{} workers left",
                    shared.strong_count()
                );
                std::thread::yield_now();
            }
        }
    }
}
