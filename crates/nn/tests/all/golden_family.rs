//! The published networks of the family against torchvision and timm: logits of three images
//! at two sizes, and one training step of Inception v3.

use crate::common::golden::{self, Trainer};
use inception_autograd::{Passes, RunKey};
use inception_nn::{Aux, EvalProgram, LoadMode, Model, ModelOptions, Parameters};
use inception_nn::{TrainConfig, TrainProgram};
use inception_testkit::Tolerance;
use inception_testkit::formula::GAIN_RELU;
use std::sync::Arc;

/// Images of the fixture `family`.
const IMAGES: usize = 3;
const CLASSES: usize = 100;
/// Mean and deviation that torchvision normalises images by, and what its networks make of
/// them under `transform_input`.
const TRANSFORM: [[f32; 2]; 3] = [[0.485, 0.229], [0.456, 0.224], [0.406, 0.225]];

fn build(name: &str, side: usize, aux: Aux) -> Model {
    let options = ModelOptions {
        input: Some([3, side, side]),
        classes: Some(CLASSES),
        dropout: Some(0.0),
        aux_dropout: Some(0.0),
        aux,
    };
    Model::build(name, &options).expect("the fixture's network builds")
}

/// What a network makes of three images.
fn logits(model: &Model, parameters: &Parameters<f32>, images: &[f32]) -> Vec<f64> {
    let program = EvalProgram::record(model, IMAGES, Passes::INFERENCE).expect("it infers");
    let mut executor = golden::executor::<f32>(Arc::new(program.compile::<f32>()));
    executor.prepare(parameters);
    executor.input_mut(program.images).copy_from_slice(images);
    executor.run(parameters, RunKey::default());
    let logits = executor.output(program.logits).dense();
    logits.iter().map(|&x| f64::from(x)).collect()
}

/// Compares a network, built without auxiliary heads, at two sizes; the state dict has them
/// where the network does.
fn check(fixture: &str, name: &str, sides: [usize; 2]) {
    let golden = golden::load("family");
    // A head may refuse small images; its parameters are those of the large ones.
    let whole = build(name, sides[0], Aux::Keep);
    let dict = golden::parameters::<f32>(whole.specs(), GAIN_RELU);
    let heads = whole
        .specs()
        .iter()
        .filter(|(_, s)| whole.specs().is_aux(&s.name));
    let heads = heads.count();
    for side in sides {
        let model = build(name, side, Aux::Drop);
        let mut parameters = Parameters::<f32>::from_specs(Arc::clone(model.specs()), 0);
        let report = parameters
            .load_state_dict(dict.state_dict(), LoadMode::Strict)
            .expect("auxiliary heads are ignored");
        assert_eq!(report.ignored.len(), heads, "{name}");
        let images = golden::images::<f32>(model.batch(IMAGES));
        let compare = |case: String, images: &[f32]| {
            let found = logits(&model, &parameters, images);
            let shape = [IMAGES, CLASSES];
            golden
                .check(&case, &shape, &found, Tolerance::relative(1e-4))
                .unwrap_or_else(|error| panic!("{error}"));
        };
        compare(format!("{fixture}/{side}/logits"), &images);
        let transformed = format!("{fixture}/{side}/transform_input/logits");
        if golden.shape(&transformed).is_ok() {
            // The network behind `transform_input` is ours on images around 0.5.
            let images = images.chunks(3).flat_map(|pixel| {
                let channels = pixel.iter().zip(TRANSFORM);
                channels.map(|(x, [mean, std])| (x * std + mean - 0.5) / 0.5)
            });
            compare(transformed, &images.collect::<Vec<f32>>());
        }
    }
}

#[test]
fn googlenet_of_torchvision_gives_its_logits() {
    check("googlenet", "googlenet-torchvision", [224, 128]);
}

#[test]
fn inception_v3_of_torchvision_gives_its_logits() {
    check("inception_v3", "inception-v3", [299, 139]);
}

#[test]
fn inception_v4_of_timm_gives_its_logits() {
    check("inception_v4", "inception-v4", [299, 139]);
}

#[test]
fn inception_resnet_v2_of_timm_gives_its_logits() {
    check("inception_resnet_v2", "inception-resnet-v2", [299, 139]);
}

/// In `f64`, as two `f32` programs take different sides of ReLU and pools (docs/numerics.md).
#[test]
fn inception_v3_of_torchvision_trains_as_pytorch_does() {
    let golden = golden::load("inception_v3");
    let model = build("inception-v3", 299, Aux::Keep);
    let config = TrainConfig {
        batch_size: 2,
        aux_weight: 0.4,
        ..TrainConfig::default()
    };
    let program = TrainProgram::record(&model, &config).expect("the network trains");
    assert_eq!(program.grads.len(), 292, "all parameters of v3");
    let mut run = Trainer::<f64>::new(program);
    run.run(&golden::parameters(model.specs(), GAIN_RELU));
    let to = Tolerance::relative(1e-7);
    let program = &run.program;
    let output = |var| run.executor.output(var);
    golden::check_logits(&golden, "logits", output(program.logits), to);
    golden::check_logits(&golden, "aux1", output(program.loss_aux[0].logits), to);
    golden::check_scalar(&golden, "loss_main", output(program.loss_main), to);
    golden::check_scalar(&golden, "loss_aux1", output(program.loss_aux[0].loss), to);
    golden::check_scalar(&golden, "loss_total", output(program.loss), to);
    run.check_gradients(&golden, "", model.specs(), Tolerance::relative(1e-6));
}
