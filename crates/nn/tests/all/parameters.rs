//! First values, and state dicts in and out.

use crate::common;
use crate::common::model;
use inception_nn::{
    Aux, Builder, Init, LoadMode, Model, ModelOptions, NnError, Parameters, Specs, StateTensor,
};
use inception_nn::{Layout, Role};
use inception_tensor::Shape;
use std::sync::Arc;

fn small() -> Model {
    model("inception-small")
}

fn dict(parameters: &Parameters<f32>) -> Vec<StateTensor<f32>> {
    parameters.state_dict().collect()
}

#[test]
fn first_values_are_a_function_of_seed_and_name() {
    let model = small();
    let a = Parameters::<f32>::init(&model, 3);
    assert_eq!(a, Parameters::init(&model, 3));
    assert_ne!(a, Parameters::init(&model, 4));

    // The same name in another network, at another place, in another layout.
    let mut specs = Specs::default();
    let mut b = Builder::new(&mut specs);
    b.vector("other", 7, Init::ONES, Role::Bias);
    let fc = model
        .specs()
        .get(model.specs().find("fc.weight").expect("there is one"));
    let shape = Shape::new(1, 1, fc.shape.w, fc.shape.c);
    let layout = Layout::LinearChw {
        c: fc.shape.w / 4,
        h: 2,
        w: 2,
    };
    b.at("fc")
        .param("weight", shape, layout, fc.init, Role::Weight);
    let other = Parameters::<f32>::from_specs(Arc::new(specs), 3);
    let find = |p: &Parameters<f32>| {
        let mut tensors = p.state_dict();
        tensors
            .find(|t| t.name == "fc.weight")
            .expect("there is one")
            .data
    };
    assert_eq!(find(&a), find(&other));
}

#[test]
fn first_weights_have_the_variance_that_keeps_activations() {
    let model = model("googlenet");
    let parameters = Parameters::<f32>::init(&model, 0);
    for (id, spec) in model.specs().iter() {
        let values = parameters.get(id);
        if spec.role != Role::Weight {
            assert!(values.iter().all(|&x| x == 0.0), "{}", spec.name);
            continue;
        }
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
        let fan_in = (spec.shape.n * spec.shape.h * spec.shape.w) as f64;
        let ends = spec.name == "fc.weight" || spec.name.ends_with("fc2.weight");
        let expected = if ends { 0.01 } else { 2.0 } / fan_in;
        assert!(
            (var / expected - 1.0).abs() < 0.05,
            "{}: {var} {expected}",
            spec.name
        );
        assert!(
            mean.abs() < 5.0 * (expected / n).sqrt(),
            "{}: {mean}",
            spec.name
        );
    }
}

#[test]
fn a_state_dict_round_trips_for_every_model() {
    for model in common::small_models() {
        let parameters = Parameters::<f32>::init(&model, 1);
        let mut other = Parameters::<f32>::init(&model, 2);
        let report = other
            .load_state_dict(parameters.state_dict(), LoadMode::Strict)
            .expect("a model's own state dict fits");
        assert_eq!(report.loaded, model.specs().len());
        assert_eq!(other, parameters, "{}", model.name());
    }
}

#[test]
fn casting_up_and_down_changes_nothing() {
    let parameters = Parameters::<f32>::init(&small(), 5);
    assert_eq!(parameters.cast::<f64>().cast::<f32>(), parameters);
}

#[test]
fn a_strict_load_lists_every_difference_and_changes_nothing() {
    let model = small();
    let mut tensors = dict(&Parameters::init(&model, 1));
    tensors[0].name = "conv9.weight".to_owned();
    let fc = tensors
        .iter_mut()
        .find(|t| t.name == "fc.bias")
        .expect("there is one");
    (fc.shape, fc.data) = (vec![3], vec![0.0; 3]);
    let mut parameters = Parameters::<f32>::init(&model, 2);
    let before = parameters.clone();
    let error = parameters
        .load_state_dict(tensors, LoadMode::Strict)
        .expect_err("three keys differ");
    assert_eq!(parameters, before);
    assert_eq!(
        error.to_string(),
        "the state dict does not fit the model: 1 missing, 1 unexpected, 1 of another shape\n  \
         missing:\n    conv1.conv.weight\n  \
         unexpected:\n    conv9.weight\n  \
         of another shape:\n    fc.bias: expected [10], found [3]"
    );
}

#[test]
fn a_long_list_of_differences_is_cut_and_counted() {
    let mut parameters = Parameters::<f32>::init(&small(), 0);
    let error = parameters
        .load_state_dict([], LoadMode::Strict)
        .expect_err("everything is missing");
    let text = error.to_string();
    let more = parameters.specs().len() - 20;
    assert!(text.ends_with(&format!("… and {more} more")), "{text}");
    assert_eq!(text.lines().count(), 1 + 1 + 20 + 1);
}

#[test]
fn a_partial_load_takes_what_fits_and_reports_the_rest() {
    let model = small();
    let source = Parameters::<f32>::init(&model, 1);
    let options = ModelOptions {
        classes: Some(3),
        ..ModelOptions::default()
    };
    let target = Model::build("inception-small", &options).expect("3 classes");
    let mut parameters = Parameters::<f32>::init(&target, 2);
    let fc = target.specs().find("fc.weight").expect("there is one");
    let before = parameters.get(fc).to_vec();
    let report = parameters
        .load_state_dict(source.state_dict(), LoadMode::Partial)
        .expect("a partial load takes anything");
    let names: Vec<_> = report
        .difference
        .mismatched
        .iter()
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(names, ["fc.weight", "fc.bias"]);
    assert_eq!(report.loaded, target.specs().len() - 2);
    assert_eq!(parameters.get(fc), before);
    let conv = target
        .specs()
        .find("conv1.conv.weight")
        .expect("there is one");
    assert_eq!(parameters.get(conv), source.get(conv));
}

#[test]
fn auxiliary_keys_and_counters_mean_nothing_to_a_bare_model() {
    let options = |aux| ModelOptions {
        aux,
        classes: Some(4),
        ..ModelOptions::default()
    };
    let whole = Model::build("googlenet-torchvision", &options(Aux::Keep)).expect("known");
    let bare = Model::build("googlenet-torchvision", &options(Aux::Drop)).expect("known");
    let mut tensors = dict(&Parameters::init(&whole, 1));
    let counter = StateTensor {
        name: "conv1.bn.num_batches_tracked".to_owned(),
        shape: vec![],
        data: vec![17.0],
    };
    tensors.push(counter);
    let mut parameters = Parameters::<f32>::init(&bare, 2);
    let report = parameters
        .load_state_dict(tensors, LoadMode::Strict)
        .expect("they fit");
    assert_eq!(report.loaded, bare.specs().len());
    assert_eq!(
        report.ignored.len(),
        whole.specs().len() - bare.specs().len() + 1
    );
    assert!(report.difference.is_empty());
}

#[test]
fn malformed_tensors_are_refused() {
    let mut parameters = Parameters::<f32>::init(&small(), 0);
    let before = parameters.clone();
    let tensor = |numbers| StateTensor {
        name: "fc.bias".to_owned(),
        shape: vec![10],
        data: vec![0.5; numbers],
    };
    for mode in [LoadMode::Strict, LoadMode::Partial] {
        let error = parameters.load_state_dict([tensor(10), tensor(10)], mode);
        assert!(
            matches!(error, Err(NnError::DuplicateKey { .. })),
            "{error:?}"
        );
        let error = parameters.load_state_dict([tensor(9)], mode);
        assert!(
            matches!(error, Err(NnError::TensorLength { found: 9, .. })),
            "{error:?}"
        );
        let endless = StateTensor {
            shape: vec![usize::MAX, 2],
            ..tensor(10)
        };
        let error = parameters.load_state_dict([endless], mode);
        assert!(
            matches!(error, Err(NnError::TensorLength { .. })),
            "{error:?}"
        );
    }
    assert_eq!(parameters, before);
}
