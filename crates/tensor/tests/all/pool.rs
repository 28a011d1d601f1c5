//! The thread pool under load: several callers, loops inside loops, panics, more threads than
//! cores.

use inception_tensor::{Pool, Shape, Stream, ViewMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// `data[i] = i + add`, in chunks of `len`.
fn count_up(pool: &Pool, data: &mut [usize], len: usize, add: usize) {
    pool.for_each_chunk(data, len, |i, chunk| {
        for (j, x) in chunk.iter_mut().enumerate() {
            *x = i * len + j + add;
        }
    });
}

fn assert_counted(data: &[usize], add: usize) {
    for (i, &x) in data.iter().enumerate() {
        assert_eq!(x, i + add, "number {i}");
    }
}

#[test]
fn callers_that_share_a_pool_do_not_meet() {
    for threads in 1..=8 {
        let pool = Pool::new(threads).unwrap();
        std::thread::scope(|scope| {
            for caller in 0..4 {
                let pool = pool.clone();
                scope.spawn(move || {
                    let mut data = vec![0; 97 + caller];
                    for round in 0..50 {
                        count_up(&pool, &mut data, 1 + round % 13, caller * 1000 + round);
                        assert_counted(&data, caller * 1000 + round);
                    }
                });
            }
        });
    }
}

#[test]
fn loops_inside_loops_and_pools_inside_pools_do_all_their_work() {
    let (outer, inner) = (Pool::new(3).unwrap(), Pool::new(2).unwrap());
    for pool in [&outer, &inner] {
        let mut map = vec![0; 144];
        let view = ViewMut::new(&mut map, Shape::new(6, 4, 3, 2));
        outer.for_each_rows(view, 12, |first, block| {
            pool.for_each_rows(block, 5, |second, mut rows| {
                for r in 0..rows.shape().n {
                    rows.row_mut(r).fill(first + second + r);
                }
            });
        });
        for (i, &x) in map.iter().enumerate() {
            assert_eq!(x, i / 2);
        }
    }
}

#[test]
fn a_panic_reaches_its_own_caller_alone() {
    let pool = Pool::new(3).unwrap();
    std::thread::scope(|scope| {
        for caller in 0..3 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..60 {
                    let mut data = vec![0; 40];
                    let bad = round % 10;
                    let outcome = catch_unwind(AssertUnwindSafe(|| {
                        pool.for_each_chunk(&mut data, 4, |i, chunk| {
                            assert!(caller == 0 || i != bad, "{caller}: part {i}");
                            chunk.fill(caller + 1);
                        });
                    }));
                    let Err(panic) = outcome else {
                        assert_eq!((caller, data), (0, vec![1; 40]));
                        continue;
                    };
                    let message = panic.downcast_ref::<String>().unwrap();
                    assert_eq!(message, &format!("{caller}: part {bad}"));
                    assert_eq!(data[4 * bad..][..4], [0; 4]);
                }
            });
        }
    });
    let mut data = vec![0; 500];
    count_up(&pool, &mut data, 7, 0);
    assert_counted(&data, 0);
}

#[test]
fn when_every_part_panics_the_caller_sees_one_of_them() {
    let pool = Pool::new(4).unwrap();
    for _ in 0..50 {
        let all = || pool.for_each(16, |i| panic!("part {i}"));
        let panic = catch_unwind(AssertUnwindSafe(all)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with("part "), "{message}");
    }
}

#[test]
fn a_panic_inside_a_nested_loop_ends_both() {
    let pool = Pool::new(2).unwrap();
    let nested = || pool.for_each(4, |i| pool.for_each(4, |j| assert!(i + j != 6, "{i} {j}")));
    let panic = catch_unwind(AssertUnwindSafe(nested)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "3 3");
    let count = AtomicUsize::new(0);
    pool.for_each(9, |_| _ = count.fetch_add(1, Ordering::Relaxed));
    assert_eq!(count.into_inner(), 9);
}

/// A pool that is dropped while another thread has just used its clone, over and over: a
/// worker that missed the end would be left, one that ended too early would lose tiles.
#[test]
fn pools_come_and_go() {
    for round in 0..200 {
        let pool = Pool::new(2 + round % 3).unwrap();
        let other = pool.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut data = vec![0; 64];
                count_up(&other, &mut data, 3, round);
                assert_counted(&data, round);
            });
            drop(pool);
        });
    }
}

/// Loops of random sizes with random pauses, from two callers, on up to eight threads: about
/// a second.
#[test]
fn nothing_is_lost_under_stress() {
    let end = Instant::now() + Duration::from_secs(1);
    let pools: Vec<Pool> = [2, 3, 8].map(|n| Pool::new(n).unwrap()).into();
    std::thread::scope(|scope| {
        for caller in 0..2_u64 {
            let pools = &pools;
            scope.spawn(move || {
                let mut stream = Stream::new(&[caller, 0x706f_6f6c]);
                let mut data = vec![0; 300];
                let mut add = 0;
                while Instant::now() < end {
                    let pool = &pools[stream.below(3) as usize];
                    let (size, len) = (stream.below(300) as usize, 1 + stream.below(40) as usize);
                    add += 1;
                    count_up(pool, &mut data[..size], len, add);
                    assert_counted(&data[..size], add);
                    // Around the moment at which workers fall asleep.
                    if stream.below(8) == 0 {
                        std::thread::sleep(Duration::from_micros(stream.below(400)));
                    }
                }
                assert!(add > 100, "only {add} loops");
            });
        }
    });
}
