//! Programs of every registered model: they record, run, and train every parameter.

use crate::common;
use crate::common::{golden, small_models};
use inception_autograd::{Executor, Passes, Recompute, RunKey, Source};
use inception_nn::{
    EvalProgram, Mode, Model, ModelOptions, Parameters, Role, Summary, SummaryConfig, TrainConfig,
    TrainProgram,
};
use inception_tensor::Stream;
use std::sync::Arc;

fn train_config(batch_size: usize) -> TrainConfig {
    TrainConfig {
        batch_size,
        ..TrainConfig::default()
    }
}

/// Runs one training step on noise; returns the executor.
fn step(program: &TrainProgram, parameters: &Parameters<f32>) -> Executor<f32> {
    let mut executor = golden::executor::<f32>(Arc::new(program.compile::<f32>()));
    let mut stream = Stream::new(&[11]);
    for x in executor.input_mut(program.images) {
        *x = stream.range(-1.0, 1.0) as f32;
    }
    let classes = program.graph.shape(program.logits).c as u64;
    for label in executor.labels_mut(program.targets.labels().expect("labels are the default")) {
        *label = stream.below(classes) as u32;
    }
    executor.prepare(parameters);
    executor.run(parameters, RunKey { seed: 1, step: 2 });
    executor
}

/// Checks that a run took as much memory as the model's summary announces.
fn check_memory(model: &Model, mode: Mode, passes: Passes, mut executor: Executor<f32>) {
    let config = SummaryConfig {
        batch_size: 2,
        mode,
        passes,
    };
    let announced = Summary::of(model, &config).expect("it records").arena_bytes;
    let taken = executor.take_memory().bytes();
    assert_eq!(taken as u64, announced, "{} {mode:?}", model.name());
}

#[test]
fn every_registered_model_records_at_its_usual_input() {
    for info in inception_nn::registry() {
        let model = common::model(info.name);
        let train = TrainProgram::record(&model, &train_config(2)).expect("it trains");
        let trained = model.specs().iter().filter(|(_, s)| s.role.is_trainable());
        assert_eq!(train.grads.len(), trained.count(), "{}", info.name);
        let heads = match info.name {
            "inception-v3" => 1,
            _ if info.has_aux => 2,
            _ => 0,
        };
        assert_eq!(train.loss_aux.len(), heads, "{}", info.name);
        let eval = EvalProgram::record(&model, 1, Passes::INFERENCE).expect("it infers");
        assert_eq!(
            eval.graph.shape(eval.probs).array(),
            [1, 1, 1, info.classes]
        );
        assert!(eval.graph.updates().is_empty());
    }
}

#[test]
fn every_parameter_of_every_model_gets_a_finite_gradient_in_the_memory_announced() {
    for model in small_models() {
        let program = TrainProgram::record(&model, &train_config(2)).expect("it trains");
        let parameters = Parameters::<f32>::init(&model, 0);
        let executor = step(&program, &parameters);
        let loss = executor.output(program.loss_main).dense()[0];
        // Near an even guess among five classes, whose loss is ln 5 = 1.61.
        assert!((1.0..2.5).contains(&loss), "{}: loss {loss}", model.name());
        for grad in &program.grads {
            let spec = model.specs().get(grad.param);
            let values = executor.output(grad.grad);
            assert_eq!(values.shape(), spec.shape, "{}", spec.name);
            let values = values.dense();
            let finite = values.iter().all(|x| x.is_finite());
            let flows = values.iter().any(|&x| x != 0.0);
            assert!(finite && flows, "{} of {}", spec.name, model.name());
        }
        for update in program.graph.updates() {
            let spec = model.specs().get(update.param);
            assert!(!spec.role.is_trainable(), "{}", spec.name);
            let values = executor.output(update.value).dense();
            assert!(values.iter().all(|x| x.is_finite()), "{}", spec.name);
        }
        let running = model.specs().iter().filter(|(_, s)| !s.role.is_trainable());
        assert_eq!(program.graph.updates().len(), running.count());
        check_memory(&model, Mode::Train, Passes::TRAINING, executor);
    }
}

#[test]
fn maps_made_again_change_no_bit_of_a_step_and_need_less_memory() {
    for model in small_models() {
        let parameters = Parameters::<f32>::init(&model, 0);
        let left = |recompute| {
            let config = TrainConfig {
                recompute,
                ..train_config(2)
            };
            let program = TrainProgram::record(&model, &config).expect("it trains");
            let executor = step(&program, &parameters);
            let grads = program.grads.iter().map(|g| g.grad);
            let updates = program.graph.updates().iter().map(|u| u.value);
            let bits: Vec<u32> = grads
                .chain(updates)
                .flat_map(|var| executor.output(var).dense().to_vec())
                .map(f32::to_bits)
                .collect();
            (bits, executor.plan().arena_bytes())
        };
        let (kept, all) = left(Recompute::Nothing);
        let normed = model.specs().iter().any(|(_, s)| !s.role.is_trainable());
        for recompute in [Recompute::Cheap, Recompute::Stages] {
            let (again, bytes) = left(recompute);
            let name = model.name();
            assert!(kept == again, "{name} {recompute:?}");
            // At a small batch, a gradient's workspace may be what a plan is largest by.
            let fits = match recompute {
                Recompute::Cheap if normed => bytes < all,
                _ => bytes <= all,
            };
            assert!(fits, "{name} {recompute:?}: {bytes} of {all}");
        }
    }
}

#[test]
fn passes_do_not_change_what_a_model_computes_in_the_memory_announced() {
    for model in small_models() {
        let parameters = Parameters::<f32>::init(&model, 0);
        let logits = |passes| {
            let program = EvalProgram::record(&model, 2, passes).expect("it infers");
            let mut executor = golden::executor::<f32>(Arc::new(program.compile::<f32>()));
            executor.prepare(&parameters);
            let mut stream = Stream::new(&[5]);
            for x in executor.input_mut(program.images) {
                *x = stream.range(-1.0, 1.0) as f32;
            }
            executor.run(&parameters, RunKey::default());
            let logits = executor.output(program.logits).dense().to_vec();
            check_memory(&model, Mode::Eval, passes, executor);
            logits
        };
        let (plain, optimised) = (logits(Passes::NONE), logits(Passes::INFERENCE));
        let largest = plain.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        for (a, b) in plain.iter().zip(&optimised) {
            assert!((a - b).abs() <= 1e-4 * largest, "{}: {a} {b}", model.name());
        }
    }
}

#[test]
fn dropout_and_smoothing_are_recorded_in_training_alone() {
    let options = ModelOptions {
        dropout: Some(0.5),
        ..ModelOptions::default()
    };
    let model = Model::build("inception-small", &options).expect("a known model");
    let has = |graph: &inception_autograd::Graph, op| {
        graph.nodes().iter().any(|n| n.op.operator().name() == op)
    };
    let eval = EvalProgram::record(&model, 2, Passes::NONE).expect("it infers");
    assert!(!has(&eval.graph, "dropout") && !has(&eval.graph, "batch_norm"));
    let train = TrainProgram::record(&model, &train_config(2)).expect("it trains");
    assert!(has(&train.graph, "dropout") && has(&train.graph, "batch_norm"));

    let loss = |label_smoothing| {
        let config = TrainConfig {
            label_smoothing,
            ..train_config(4)
        };
        let program = TrainProgram::record(&model, &config).expect("it trains");
        let executor = step(&program, &Parameters::init(&model, 0));
        executor.output(program.loss).dense()[0]
    };
    assert_ne!(loss(0.0), loss(0.1));
}

#[test]
fn frozen_parameters_have_no_gradient_and_frozen_statistics_stay() {
    let model = common::model("inception-small");
    let config = TrainConfig {
        frozen: vec![
            "conv*".to_owned(),
            "inception3a".to_owned(),
            "*.branch1.conv".to_owned(),
        ],
        ..train_config(2)
    };
    let program = TrainProgram::record(&model, &config).expect("some are left");
    let frozen = |name: &str| {
        let above = name.starts_with("conv") || name.starts_with("inception3a");
        above || name.contains(".branch1.conv.")
    };
    for grad in &program.grads {
        let name = &model.specs().get(grad.param).name;
        assert!(!frozen(name), "{name}");
    }
    let trainable = |role: Role| role.is_trainable();
    let left = model
        .specs()
        .iter()
        .filter(|(_, s)| trainable(s.role) && !frozen(&s.name));
    assert_eq!(program.grads.len(), left.count());
    for update in program.graph.updates() {
        let name = &model.specs().get(update.param).name;
        assert!(!frozen(name), "{name}");
    }
    let executor = step(&program, &Parameters::init(&model, 0));
    assert!(executor.output(program.loss).dense()[0].is_finite());
}

#[test]
fn the_weight_of_auxiliary_losses_scales_them() {
    let options = ModelOptions {
        input: Some([3, 48, 48]),
        classes: Some(4),
        dropout: Some(0.0),
        aux_dropout: Some(0.0),
        ..ModelOptions::default()
    };
    let model = Model::build("googlenet-torchvision", &options).expect("48 pixels are enough");
    let config = TrainConfig {
        aux_weight: 0.7,
        ..train_config(2)
    };
    let program = TrainProgram::record(&model, &config).expect("it trains");
    let executor = step(&program, &Parameters::init(&model, 0));
    let scalar = |var| executor.output(var).dense()[0];
    let aux: f32 = program.loss_aux.iter().map(|aux| scalar(aux.loss)).sum();
    let expected = scalar(program.loss_main) + 0.7 * aux;
    assert!((scalar(program.loss) - expected).abs() < 1e-5 * expected);
    let names: Vec<_> = program.loss_aux.iter().map(|aux| aux.name).collect();
    assert_eq!(names, ["aux1", "aux2"]);
}

#[test]
fn parameters_enter_a_graph_once_and_in_their_shape() {
    for model in small_models() {
        let program = TrainProgram::record(&model, &train_config(2)).expect("it trains");
        for (id, var) in program.graph.params() {
            let value = program.graph.value_of(var);
            assert_eq!(value.source, Source::Param(id));
            assert_eq!(value.shape, model.specs().get(id).shape);
        }
        assert_eq!(program.graph.params().count(), model.specs().len());
    }
}

#[test]
fn googlenet_learns_one_batch_without_normalisation() {
    let options = ModelOptions {
        input: Some([3, 80, 80]),
        classes: Some(4),
        dropout: Some(0.0),
        aux_dropout: Some(0.0),
        ..ModelOptions::default()
    };
    let model = Model::build("googlenet", &options).expect("80 pixels are enough");
    let program = TrainProgram::record(&model, &train_config(4)).expect("it trains");
    let mut parameters = Parameters::<f32>::init(&model, 0);
    let mut run = golden::Trainer::<f32>::new(program);
    // Four images of noise, each brighter than the one before.
    let numbers = run.images.len() / 4;
    for (i, x) in run.images.iter_mut().enumerate() {
        *x = 0.3 * *x + (i / numbers) as f32 - 1.5;
    }
    run.labels = vec![0, 1, 2, 3];
    let sgd = golden::Sgd {
        lr: 0.002,
        momentum: 0.9,
    };
    let curve = run.curve(&mut parameters, sgd, 30);
    let even = 1.6 * 4.0f64.ln(); // main + 0.3·(aux1 + aux2), each near ln 4
    assert!((curve[0] / even - 1.0).abs() < 0.3, "{curve:?}");
    assert!(curve[29] < 0.5 * even, "{curve:?}");
}
