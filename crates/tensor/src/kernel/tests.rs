//! That each kernel runs as the instructions it is named after.

use super::{Isa, Kernel, LANES, Vectorize, WithIsa, dispatch};
use crate::{Lanes, WithLanes};
use std::any::type_name;
use std::backtrace::Backtrace;

fn kernels() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|k| k.is_supported())
}

/// The last word of a type's path, in lower case: `avx2` of `Avx2`.
fn last_word<T>() -> String {
    let name = type_name::<T>();
    name.rsplit("::").next().unwrap_or(name).to_lowercase()
}

/// Which proof arrives where tiles or lanes are computed with.
struct Proof;

impl WithIsa for Proof {
    type Output = String;

    fn with(self, isa: impl Isa) -> String {
        fn name<I: Isa>(_: I) -> String {
            last_word::<I>()
        }
        name(isa)
    }

    fn portable(self) -> String {
        "portable".to_owned()
    }
}

impl<T> WithLanes<T> for Proof {
    type Output = (String, usize);

    fn run(self, lanes: impl Lanes<T>) -> (String, usize) {
        fn name<T, L: Lanes<T>>(_: L) -> (String, usize) {
            (last_word::<L>(), align_of::<L::V>())
        }
        name(lanes)
    }
}

#[test]
fn every_supported_kernel_multiplies_with_its_own_tiles() {
    for kernel in kernels() {
        assert_eq!(dispatch(kernel, Proof), kernel.vectors().name());
    }
}

#[test]
fn every_supported_kernel_has_vectors_of_its_own_width() {
    for kernel in kernels() {
        let (name, align) = match kernel {
            Kernel::Amx | Kernel::Avx512 => ("avx512", 64),
            Kernel::Avx2 => ("avx2", 32),
            Kernel::Neon => ("neon", 16),
            Kernel::Portable => ("plain", align_of::<f32>()),
        };
        assert_eq!(kernel.with_lanes::<f32, _>(Proof), (name.to_owned(), align));
        let double = kernel.with_lanes::<f64, _>(Proof);
        assert_eq!(double, ("plain".to_owned(), align_of::<f64>()));
    }
}

/// The functions that work is called from.
struct Callers;

impl Vectorize for Callers {
    type Output = String;

    #[inline(always)]
    fn run(self) -> String {
        Backtrace::force_capture().to_string()
    }
}

/// The function that compiles work for a kernel; none where all
/// code is compiled for its instructions.
fn compiled_for(kernel: Kernel) -> Option<&'static str> {
    match kernel.vectors() {
        Kernel::Avx512 if !cfg!(target_feature = "avx512f") => Some("run_avx512"),
        Kernel::Avx2 if !cfg!(target_feature = "avx2") => Some("run_avx2"),
        _ => None,
    }
}

#[test]
fn loops_outside_of_products_run_compiled_for_the_kernel_they_are_given() {
    for kernel in kernels() {
        let callers = kernel.vectorize(Callers);
        for other in Kernel::ALL {
            if let Some(function) = compiled_for(other) {
                let found = callers.contains(function);
                assert_eq!(
                    found,
                    other.vectors() == kernel.vectors(),
                    "{kernel:?}: {callers}"
                );
            }
        }
    }
}

/// `x·0.1 + 0.3`, which a fused multiply-add would round otherwise.
struct Line<'a>(&'a mut [f32]);

impl Vectorize for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.0.iter_mut().for_each(|x| *x = *x * 0.1 + 0.3);
    }
}

#[test]
fn loops_outside_of_products_have_the_same_bits_on_every_kernel() {
    let numbers: Vec<f32> = (0..10 * LANES + 3).map(|i| i as f32 * 0.37).collect();
    let expected: Vec<f32> = numbers.iter().map(|x| x * 0.1 + 0.3).collect();
    let fused = numbers.iter().map(|x| x.mul_add(0.1, 0.3));
    assert!(fused.zip(&expected).any(|(fused, &line)| fused != line));
    for kernel in kernels() {
        let mut found = numbers.clone();
        kernel.vectorize(Line(&mut found));
        assert_eq!(found, expected, "{kernel:?}");
    }
}
