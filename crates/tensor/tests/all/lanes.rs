//! Vectors of numbers that are kept in fewer bits, on every kernel.

use inception_tensor::{Bf16, Kernel, LANES, LaneMap, Lanes, WithLanes};

/// Reads numbers as they are kept, doubles them, and keeps them again.
struct Double<'a> {
    from: &'a [Bf16],
    to: &'a mut [Bf16],
}

impl WithLanes<f32> for Double<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<f32>) {
        let numbers = Bf16::read(lanes, self.from);
        Bf16::write(lanes, lanes.add(numbers, numbers), self.to, false);
    }
}

/// Rounds numbers.
struct Round<'a> {
    from: &'a [f32; LANES],
    to: &'a mut [Bf16],
}

impl WithLanes<f32> for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<f32>) {
        Bf16::write(lanes, lanes.load(self.from), self.to, false);
    }
}

fn kernels() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|k| k.is_supported())
}

#[test]
fn every_kernel_rounds_as_one_number_is_rounded() {
    let smallest = f32::from_bits(1);
    let numbers = [
        0.0,
        -0.0,
        1.0 + 1.0 / 256.0,
        1.0 + 3.0 / 256.0,
        -1.0 - 1.01 / 256.0,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0x7f80_0001),
        f32::from_bits(0xffff_ffff),
        smallest,
        -smallest,
        f32::MIN_POSITIVE,
        0.1,
    ];
    let expected = numbers.map(Bf16::from_f32);
    for kernel in kernels() {
        let mut found = [Bf16::default(); LANES];
        kernel.with_lanes(Round {
            from: &numbers,
            to: &mut found,
        });
        assert_eq!(found, expected, "{kernel:?}");
    }
}

#[test]
fn parts_of_a_vector_are_read_and_written_alone() {
    for kernel in kernels() {
        for len in 0..=LANES {
            let from: Vec<Bf16> = (0..len).map(|i| Bf16::from_f32(i as f32)).collect();
            let mut to = vec![Bf16::default(); len];
            kernel.with_lanes(Double {
                from: &from,
                to: &mut to,
            });
            for (i, found) in to.iter().enumerate() {
                assert_eq!(found.to_f32(), 2.0 * i as f32, "{kernel:?}, {len} numbers");
            }
        }
    }
}
