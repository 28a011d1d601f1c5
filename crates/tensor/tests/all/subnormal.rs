//! Numbers below the smallest normal one are kept, on every thread.

use inception_tensor::Pool;
use std::hint::black_box;

#[test]
fn no_thread_flushes_small_numbers_to_zero() {
    let pool = Pool::new(4).unwrap();
    let mut halves = vec![0.0f32; 64];
    pool.for_each_chunk(&mut halves, 1, |_, half| {
        half[0] = black_box(f32::MIN_POSITIVE) * black_box(0.5);
    });
    assert!(
        halves.iter().all(|x| *x > 0.0 && x.is_subnormal()),
        "{halves:?}"
    );
}
