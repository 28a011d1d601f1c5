//! Whole networks against PyTorch: logits, losses, gradients, running statistics, and the
//! losses of ten steps of SGD.
//!
//! Gradients of the deep networks are compared in `f64`: in `f32` two correct programs differ
//! by percents where a unit lies within rounding of ReLU's zero (`inception-testkit`).

use crate::common::golden::{self, Sgd, Trainer};
use inception_autograd::{Passes, RunKey};
use inception_nn::{Aux, EvalProgram, LoadMode, Model, ModelOptions, TrainConfig, TrainProgram};
use inception_tensor::Element;
use inception_testkit::formula::{GAIN_LINEAR, GAIN_RELU};
use inception_testkit::{Golden, Tolerance, assert_close};
use std::sync::Arc;

fn build(name: &str, side: usize, classes: usize) -> Model {
    let options = ModelOptions {
        input: Some([3, side, side]),
        classes: Some(classes),
        dropout: Some(0.0),
        aux_dropout: Some(0.0),
        aux: Aux::Keep,
    };
    Model::build(name, &options).expect("the fixture's network builds")
}

fn trainer<T: Element>(model: &Model, batch_size: usize) -> Trainer<T> {
    let config = TrainConfig {
        batch_size,
        ..TrainConfig::default()
    };
    Trainer::new(TrainProgram::record(model, &config).expect("the network trains"))
}

/// Compares the logits and losses of a network with two auxiliary classifiers.
fn check_outputs<T: Element>(run: &Trainer<T>, golden: &Golden, prefix: &str, to: Tolerance) {
    let program = &run.program;
    let name = |last: &str| format!("{prefix}{last}");
    let output = |var| run.executor.output(var);
    golden::check_logits(golden, &name("logits"), output(program.logits), to);
    golden::check_scalar(golden, &name("loss_main"), output(program.loss_main), to);
    golden::check_scalar(golden, &name("loss_total"), output(program.loss), to);
    assert_eq!(program.loss_aux.len(), 2);
    for aux in &program.loss_aux {
        golden::check_logits(golden, &name(aux.name), output(aux.logits), to);
        let loss = name(&format!("loss_{}", aux.name));
        golden::check_scalar(golden, &loss, output(aux.loss), to);
    }
}

fn check_curve<T: Element>(
    run: &mut Trainer<T>,
    golden: &Golden,
    name: &str,
    gain: f64,
    specs: &Arc<inception_nn::Specs>,
) {
    let mut parameters = golden::parameters::<T>(specs, gain);
    let curve = run.curve(&mut parameters, Sgd::of(golden), 10);
    let expected = &golden.tensor(name).expect("the fixture has a curve").data;
    assert!(expected[9] < expected[0], "the fixture's loss falls");
    assert_close(name, curve, expected, Tolerance::relative(1e-3));
}

#[test]
fn simple_inception_is_pytorchs() {
    let golden = golden::load("simple_inception");
    let model = build("simple-inception", 32, 10);
    let mut run = trainer::<f32>(&model, 4);
    run.run(&golden::parameters(model.specs(), GAIN_LINEAR));
    let to = Tolerance::relative(1e-4);
    golden::check_logits(
        &golden,
        "logits",
        run.executor.output(run.program.logits),
        to,
    );
    golden::check_scalar(&golden, "loss", run.executor.output(run.program.loss), to);
    run.check_gradients(&golden, "", model.specs(), to);
    check_curve(&mut run, &golden, "curve", GAIN_LINEAR, model.specs());
}

#[test]
fn googlenet_of_torchvision_infers_as_pytorch_does() {
    let golden = golden::load("googlenet_torchvision");
    let model = build("googlenet-torchvision", 224, 1000);
    let whole = golden::parameters::<f32>(model.specs(), GAIN_RELU);
    let options = ModelOptions {
        aux: Aux::Drop,
        ..ModelOptions::default()
    };
    let bare = Model::build("googlenet-torchvision", &options).expect("a known model");
    let mut parameters = inception_nn::Parameters::<f32>::init(&bare, 0);
    let report = parameters
        .load_state_dict(whole.state_dict(), LoadMode::Strict)
        .expect("auxiliary heads are ignored");
    assert_eq!(report.ignored.len(), 18, "{report:?}");
    let program = EvalProgram::record(&bare, 2, Passes::INFERENCE).expect("it infers");
    let mut executor = golden::executor::<f32>(Arc::new(program.compile::<f32>()));
    executor.prepare(&parameters);
    executor
        .input_mut(program.images)
        .copy_from_slice(&golden::images(bare.batch(2)));
    executor.run(&parameters, RunKey::default());
    let logits = executor.output(program.logits);
    golden::check_logits(&golden, "eval/logits", logits, Tolerance::relative(1e-4));
    let probs = executor.output(program.probs).dense();
    for image in probs.chunks(1000) {
        assert!((image.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn googlenet_of_torchvision_trains_as_pytorch_does() {
    let golden = golden::load("googlenet_torchvision");
    let model = build("googlenet-torchvision", 96, 1000);
    let specs = model.specs();
    let mut exact = trainer::<f64>(&model, 4);
    exact.run(&golden::parameters(specs, GAIN_RELU));
    check_outputs(&exact, &golden, "train/", Tolerance::relative(1e-8));
    exact.check_gradients(&golden, "train/", specs, Tolerance::relative(1e-6));

    let mut run = trainer::<f32>(&model, 4);
    run.run(&golden::parameters(specs, GAIN_RELU));
    check_outputs(&run, &golden, "train/", Tolerance::relative(1e-4));
    check_curve(&mut run, &golden, "train/curve", GAIN_RELU, specs);
}

#[test]
fn googlenet_of_the_paper_is_pytorchs() {
    let golden = golden::load("googlenet_paper");
    let model = build("googlenet", 224, 100);
    let specs = model.specs();
    let mut exact = trainer::<f64>(&model, 2);
    exact.run(&golden::parameters(specs, GAIN_RELU));
    check_outputs(&exact, &golden, "", Tolerance::relative(1e-8));
    exact.check_gradients(&golden, "", specs, Tolerance::relative(1e-6));

    let mut run = trainer::<f32>(&model, 2);
    run.run(&golden::parameters(specs, GAIN_RELU));
    check_outputs(&run, &golden, "", Tolerance::relative(1e-4));
}
