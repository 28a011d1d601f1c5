//! Networks whose maps are kept in fewer bits, against themselves in `f32`.

mod common;

use common::small_models;
use inception_autograd::{Executor, Passes, Range, Ranges, RunKey, Storage};
use inception_nn::{EvalProgram, Model, ObserveProgram, Parameters};
use inception_tensor::{Kernel, Pool, Stream};
use std::sync::Arc;

fn images(model: &Model, n: usize) -> Vec<f32> {
    let [c, h, w] = model.options().input;
    let mut stream = Stream::new(&[5]);
    (0..n * c * h * w)
        .map(|_| stream.range(-1.0, 1.0) as f32)
        .collect()
}

/// The logits of a batch.
fn logits(model: &Model, images: &[f32], n: usize, storage: &Storage, pool: &Pool) -> Vec<f32> {
    let parameters = Parameters::<f32>::init(model, 3);
    let program = EvalProgram::record_stored(model, n, Passes::INFERENCE, storage).unwrap();
    let mut executor = Executor::new(Arc::new(program.compile::<f32>()), pool).unwrap();
    executor.prepare(&parameters);
    executor.input_mut(program.images).copy_from_slice(images);
    executor.run(&parameters, RunKey::default());
    executor.output(program.logits).dense().to_vec()
}

/// Ranges of a network's values over some images.
fn ranges(model: &Model, images: &[f32], n: usize) -> Storage {
    let parameters = Parameters::<f32>::init(model, 3);
    let program = ObserveProgram::record(model, n).unwrap();
    let plan = Arc::new(program.compile::<f32>());
    let mut executor = Executor::new(plan, &Pool::serial()).unwrap();
    executor.prepare(&parameters);
    executor.input_mut(program.images).copy_from_slice(images);
    executor.run(&parameters, RunKey::default());
    let mut ranges = Ranges::default();
    for (name, var) in &program.values {
        for &x in executor.output(*var).dense() {
            ranges.observe(name, Range { low: x, high: x });
        }
    }
    Storage::Int8(Arc::new(ranges))
}

/// The largest difference, relative to the spread of what is expected.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    let least = expected.iter().copied().fold(f32::INFINITY, f32::min);
    let most = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / (most - least)
}

#[test]
fn every_model_in_fewer_bits_stays_near_itself() {
    for model in small_models() {
        let (n, pool) = (2, Pool::serial());
        let images = images(&model, n);
        let expected = logits(&model, &images, n, &Storage::Real, &pool);
        let int8 = ranges(&model, &images, n);
        for (storage, bound) in [(Storage::Bf16, 0.04), (int8, 0.25)] {
            let found = logits(&model, &images, n, &storage, &pool);
            let distance = distance(&found, &expected);
            assert!(distance < bound, "{}: {distance} {storage:.0?}", model.name());
            assert!(distance > 0.0, "{}: nothing was rounded", model.name());
        }
    }
}

#[test]
fn threads_and_the_rest_of_the_batch_change_no_bit() {
    for model in small_models() {
        let images = images(&model, 3);
        let one = images.len() / 3;
        let (serial, threads) = (Pool::serial(), Pool::new(3).unwrap());
        for storage in [Storage::Bf16, ranges(&model, &images, 3)] {
            let all = logits(&model, &images, 3, &storage, &serial);
            assert_eq!(all, logits(&model, &images, 3, &storage, &threads));
            let last = &images[2 * one..];
            let alone = logits(&model, last, 1, &storage, &threads);
            assert_eq!(all[2 * alone.len()..], alone, "{}", model.name());
        }
    }
}

#[test]
fn every_kernel_gives_nearly_the_same() {
    let models = small_models();
    let model = models.iter().find(|m| m.name() == "googlenet-torchvision");
    let model = model.unwrap();
    let images = images(model, 1);
    for storage in [Storage::Bf16, ranges(model, &images, 1)] {
        let of = |kernel| {
            let pool = Pool::serial().with_kernel(kernel).unwrap();
            logits(model, &images, 1, &storage, &pool)
        };
        let expected = of(Kernel::Portable);
        for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
            let distance = distance(&of(kernel), &expected);
            assert!(distance < 0.05, "{kernel:?}: {distance}");
        }
    }
}

#[test]
fn stored_maps_take_half_or_a_quarter_of_the_memory() {
    let model = common::model("googlenet-torchvision");
    let arena = |storage: &Storage| {
        let program = EvalProgram::record_stored(&model, 8, Passes::INFERENCE, storage).unwrap();
        // Packed weights lie in the arena, too; with more images they count less.
        program.compile::<f32>().arena_bytes() as f64
    };
    let share = arena(&Storage::Bf16) / arena(&Storage::Real);
    assert!(share < 0.6, "{share}");
}

#[test]
fn a_missing_range_is_an_error_that_names_the_layer() {
    let model = common::model("inception-small");
    let storage = Storage::Int8(Arc::new(Ranges::default()));
    let error = EvalProgram::record_stored(&model, 1, Passes::INFERENCE, &storage).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("no range was observed"), "{message}");
}
