//! Networks whose maps are kept in fewer bits, against themselves in `f32`.

use crate::common;
use inception_autograd::{Executor, Passes, Plan, PlanOptions, Range, Ranges, RunKey, Storage};
use inception_nn::{
    EvalProgram, Model, ModelOptions, ObserveProgram, ParamGrad, Parameters, TrainConfig,
    TrainProgram,
};
use inception_tensor::{Bf16, Kernel, Pool, Stream};
use std::sync::Arc;

/// A network, and numbers that are drawn once.
struct Net {
    model: Model,
    parameters: Parameters<f32>,
}

/// Small versions of networks that have every kind of operator between them: batch norm,
/// local response normalisation, residual sums, average pools, bare linear layers.
fn nets() -> Vec<Net> {
    let net = |(name, side): (&str, usize)| {
        let options = ModelOptions {
            input: Some([3, side, side]),
            classes: Some(5),
            ..ModelOptions::default()
        };
        let model = Model::build(name, &options).unwrap();
        let parameters = Parameters::init(&model, 3);
        Net { model, parameters }
    };
    let all = [
        ("simple-inception", 8),
        ("inception-small", 12),
        ("googlenet-torchvision", 33),
        ("googlenet", 80),
    ];
    all.into_iter().map(net).collect()
}

fn images(model: &Model, n: usize) -> Vec<f32> {
    let [c, h, w] = model.options().input;
    let mut stream = Stream::new(&[5]);
    (0..n * c * h * w)
        .map(|_| stream.range(-1.0, 1.0) as f32)
        .collect()
}

/// The logits of a batch.
fn logits(net: &Net, images: &[f32], n: usize, storage: &Storage, pool: &Pool) -> Vec<f32> {
    let options = PlanOptions::default();
    planned_logits(net, images, n, storage, pool, &options).0
}

/// The same by a plan of these options, and how many steps it has.
fn planned_logits(
    net: &Net,
    images: &[f32],
    n: usize,
    storage: &Storage,
    pool: &Pool,
    options: &PlanOptions,
) -> (Vec<f32>, usize) {
    let Net { model, parameters } = net;
    let program = EvalProgram::record_stored(model, n, options.passes, storage).unwrap();
    let plan = Plan::compile(&program.graph, &[program.logits], options);
    let steps = plan.len();
    let mut executor = Executor::new(Arc::new(plan), pool).unwrap();
    executor.prepare(parameters);
    executor.input_mut(program.images).copy_from_slice(images);
    executor.run(parameters, RunKey::default());
    (executor.output(program.logits).dense().to_vec(), steps)
}

/// Ranges of a network's values over some images.
fn ranges(net: &Net, images: &[f32], n: usize) -> Storage {
    let Net { model, parameters } = net;
    let program = ObserveProgram::record(model, n).unwrap();
    let plan = Arc::new(program.compile::<f32>());
    let mut executor = Executor::new(plan, &Pool::serial()).unwrap();
    executor.prepare(parameters);
    executor.input_mut(program.images).copy_from_slice(images);
    executor.run(parameters, RunKey::default());
    let mut ranges = Ranges::default();
    for (name, var) in &program.values {
        let view = executor.output(*var);
        for &x in (0..view.shape().rows()).flat_map(|p| view.row(p)) {
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
    for net in nets() {
        let (n, pool, model) = (2, Pool::serial(), &net.model);
        let images = images(model, n);
        let expected = logits(&net, &images, n, &Storage::Real, &pool);
        let int8 = ranges(&net, &images, n);
        // Twice what was measured over these networks: 0.0053 and 0.013.
        for (storage, bound) in [(Storage::Bf16, 0.011), (int8, 0.026)] {
            let found = logits(&net, &images, n, &storage, &pool);
            let distance = distance(&found, &expected);
            assert!(distance < bound, "{}: {distance} of {bound}", model.name());
            assert!(distance > 0.0, "{}: nothing was rounded", model.name());
        }
    }
}

#[test]
fn threads_and_the_rest_of_the_batch_change_no_bit() {
    for net in nets() {
        let (model, images) = (&net.model, images(&net.model, 3));
        let one = images.len() / 3;
        let (serial, threads) = (Pool::serial(), Pool::new(3).unwrap());
        for storage in [Storage::Bf16, ranges(&net, &images, 3)] {
            let all = logits(&net, &images, 3, &storage, &serial);
            assert_eq!(all, logits(&net, &images, 3, &storage, &threads));
            let last = &images[2 * one..];
            let alone = logits(&net, last, 1, &storage, &threads);
            assert_eq!(all[2 * alone.len()..], alone, "{}", model.name());
        }
    }
}

#[test]
fn slices_of_a_batch_change_no_bit() {
    for net in nets() {
        let (name, n, pool) = (net.model.name(), 3, Pool::serial());
        let images = images(&net.model, n);
        for storage in [Storage::Real, Storage::Bf16, ranges(&net, &images, n)] {
            let of = |cache_bytes| {
                let options = PlanOptions {
                    cache_bytes,
                    ..PlanOptions::default()
                };
                planned_logits(&net, &images, n, &storage, &pool, &options)
            };
            let (whole, steps) = of(usize::MAX);
            let (found, steps_of_slices) = of(1 << 10);
            assert_eq!(found, whole, "{name}");
            assert!(steps_of_slices > steps, "{name}: {steps_of_slices} {steps}");
        }
    }
}

#[test]
fn every_kernel_gives_nearly_the_same() {
    let net = &nets()[1];
    let images = images(&net.model, 1);
    for storage in [Storage::Bf16, ranges(net, &images, 1)] {
        let of = |kernel| {
            let pool = Pool::serial().with_kernel(kernel).unwrap();
            logits(net, &images, 1, &storage, &pool)
        };
        let expected = of(Kernel::Portable);
        for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
            // Sums in another order may fall on the other side of a tie, which costs less than
            // the rounding itself does.
            let distance = distance(&of(kernel), &expected);
            assert!(distance < 0.003, "{kernel:?}: {distance}");
        }
    }
}

#[test]
fn bf16_maps_take_half_the_memory() {
    let model = common::model("googlenet-torchvision");
    // Folded and packed weights lie in the arena as well; what images add is maps.
    let images = |storage: &Storage| {
        let arena = |n| {
            // Slices would leave little of it.
            let passes = Passes {
                slices: false,
                ..Passes::INFERENCE
            };
            let program = EvalProgram::record_stored(&model, n, passes, storage).unwrap();
            program.compile::<f32>().arena_bytes() as f64
        };
        arena(24) - arena(16)
    };
    let share = images(&Storage::Bf16) / images(&Storage::Real);
    assert!(share < 0.65, "{share}");
}

/// The gradients of a training step on noise.
fn gradients(net: &Net, images: &[f32], storage: &Storage, pool: &Pool) -> Vec<Vec<f32>> {
    let Net { model, parameters } = net;
    let n = images.len() / model.options().input.iter().product::<usize>();
    let config = TrainConfig {
        batch_size: n,
        storage: storage.clone(),
        ..TrainConfig::default()
    };
    let program = TrainProgram::record(model, &config).unwrap();
    let mut executor = Executor::new(Arc::new(program.compile::<f32>()), pool).unwrap();
    executor.prepare(parameters);
    executor.input_mut(program.images).copy_from_slice(images);
    let labels = executor.labels_mut(program.targets.labels().unwrap());
    for (i, label) in labels.iter_mut().enumerate() {
        *label = i as u32;
    }
    executor.run(parameters, RunKey { seed: 3, step: 1 });
    let numbers = |grad: &ParamGrad| executor.output(grad.grad).dense().to_vec();
    program.grads.iter().map(numbers).collect()
}

/// `|a − b|/|b|`, over all numbers.
fn relative(found: &[Vec<f32>], expected: &[Vec<f32>]) -> f64 {
    let (mut off, mut all) = (0.0, 0.0);
    for (a, b) in found.iter().flatten().zip(expected.iter().flatten()) {
        off += f64::from(a - b).powi(2);
        all += f64::from(*b).powi(2);
    }
    (off / all).sqrt()
}

#[test]
fn gradients_of_a_forward_pass_in_bf16_stay_near_those_in_f32_for_any_number_of_threads() {
    for mut net in nets() {
        let images = images(&net.model, 4);
        let (serial, threads) = (Pool::serial(), Pool::new(3).unwrap());
        let found = gradients(&net, &images, &Storage::Bf16, &serial);
        let again = gradients(&net, &images, &Storage::Bf16, &threads);
        let name = net.model.name();
        assert_eq!(found, again, "{name}");
        let expected = gradients(&net, &images, &Storage::Real, &serial);
        let distance = relative(&found, &expected);
        assert!(distance > 0.0, "{name}: nothing was rounded");
        // Statistics of so few numbers pass on any rounding enlarged: what it costs to round
        // the weights alone shows by how much.
        for (_, numbers) in net.parameters.iter_mut() {
            let nearest = |x: f32| Bf16::from_f32(x).to_f32();
            numbers.iter_mut().for_each(|x| *x = nearest(*x));
        }
        let unit = relative(
            &gradients(&net, &images, &Storage::Real, &serial),
            &expected,
        );
        // At most 1.6 times that was measured over these networks.
        assert!(distance < 2.5 * unit, "{name}: {distance} of {unit}");
    }
}

#[test]
fn maps_that_wait_for_the_backward_pass_take_half_the_memory() {
    let model = common::model("googlenet-torchvision");
    let arena = |n, storage: &Storage| {
        let config = TrainConfig {
            batch_size: n,
            storage: storage.clone(),
            ..TrainConfig::default()
        };
        let program = TrainProgram::record(&model, &config).unwrap();
        program.compile::<f32>().arena_bytes() as f64
    };
    let images = |storage: &Storage| arena(24, storage) - arena(16, storage);
    let share = images(&Storage::Bf16) / images(&Storage::Real);
    assert!(share < 0.65, "{share}");
}

#[test]
fn bytes_are_refused_for_training() {
    let config = TrainConfig {
        storage: Storage::Int8(Arc::new(Ranges::default())),
        ..TrainConfig::default()
    };
    let error = TrainProgram::record(&common::model("inception-small"), &config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "maps are kept as bytes for inference alone"
    );
}

#[test]
fn a_missing_range_is_an_error_that_names_the_layer() {
    let model = common::model("inception-small");
    let storage = Storage::Int8(Arc::new(Ranges::default()));
    let error = EvalProgram::record_stored(&model, 1, Passes::INFERENCE, &storage).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("no range was observed"), "{message}");
}
