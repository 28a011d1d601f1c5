//! What cannot be built, and what is said about it.

use crate::common::model;
use inception_autograd::Passes;
use inception_nn::{EvalProgram, Model, ModelOptions, NnError, TrainConfig, TrainProgram};
use inception_nn::{Pattern, registry};

fn refused(name: &str, options: &ModelOptions) -> String {
    Model::build(name, options)
        .expect_err("the options do not fit")
        .to_string()
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_and_all() {
    let options = ModelOptions::default();
    let text = refused("GoogleNet", &options);
    assert!(text.starts_with("no model is called `GoogleNet`, perhaps `googlenet`; models: "));
    for info in registry() {
        assert!(text.contains(info.name), "{text}");
    }
    assert!(refused("inception_smal", &options).contains("perhaps `inception-small`"));
    assert!(!refused("resnet-152-deep", &options).contains("perhaps"));
}

#[test]
fn too_small_an_image_is_answered_with_the_minimum() {
    for info in registry() {
        let [c, ..] = info.input;
        let at = |h, w| ModelOptions {
            input: Some([c, h, w]),
            classes: Some(2),
            ..ModelOptions::default()
        };
        let error = Model::build(info.name, &at(0, 224)).expect_err("no pixels");
        let NnError::InputTooSmall { minimum, input, .. } = error else {
            panic!("{}: {error}", info.name);
        };
        assert_eq!(input, [c, 0, 224]);
        Model::build(info.name, &at(minimum, minimum)).expect("the minimum is enough");
        if minimum > 1 {
            let text = refused(info.name, &at(minimum - 1, 224));
            assert!(
                text.contains(&format!("at least {minimum}×{minimum} pixels")),
                "{text}"
            );
        }
    }
}

#[test]
fn options_out_of_range_are_named() {
    let default = ModelOptions::default();
    let classes = ModelOptions {
        classes: Some(0),
        ..default
    };
    assert_eq!(
        refused("alexnet", &classes),
        "alexnet: classes must be at least 1, found 0"
    );
    let dropout = ModelOptions {
        dropout: Some(1.0),
        ..default
    };
    assert!(refused("alexnet", &dropout).contains("dropout must lie in [0, 1), found 1"));
    let dropout = ModelOptions {
        aux_dropout: Some(f64::NAN),
        ..default
    };
    assert!(refused("googlenet", &dropout).contains("aux_dropout"));
    let input = ModelOptions {
        input: Some([0, 28, 28]),
        ..default
    };
    assert!(refused("inception-small", &input).contains("at least 1 channel"));
}

#[test]
fn programs_refuse_settings_out_of_range() {
    let model = model("inception-small");
    assert!(EvalProgram::record(&model, 0, Passes::INFERENCE).is_err());
    for config in [
        TrainConfig {
            batch_size: 0,
            ..TrainConfig::default()
        },
        TrainConfig {
            label_smoothing: 1.5,
            ..TrainConfig::default()
        },
        TrainConfig {
            aux_weight: f64::NAN,
            ..TrainConfig::default()
        },
        TrainConfig {
            frozen: vec!["*".to_owned()],
            ..TrainConfig::default()
        },
    ] {
        assert!(TrainProgram::record(&model, &config).is_err(), "{config:?}");
    }
}

#[test]
fn a_pattern_that_fits_nothing_is_an_error() {
    let config = TrainConfig {
        frozen: vec!["conv1".to_owned(), "inception9".to_owned()],
        ..TrainConfig::default()
    };
    let error = TrainProgram::record(&model("inception-small"), &config).expect_err("a typo");
    let text = error.to_string();
    assert!(
        text.starts_with("`inception9` fits no parameter of inception-small"),
        "{text}"
    );
    assert!(text.contains("conv1.conv.weight"), "{text}");
}

#[test]
fn patterns_fit_names_and_modules_above() {
    for (pattern, name, fits) in [
        ("conv1", "conv1.conv.weight", true),
        ("conv1", "conv10.conv.weight", false),
        ("conv1", "a.conv1.weight", false),
        ("*", "fc.bias", true),
        ("*.bias", "fc.bias", true),
        ("*.bias", "fc.weight", false),
        (
            "inception*.branch2",
            "inception3a.branch2.1.conv.weight",
            true,
        ),
        (
            "inception*.branch2.0",
            "inception3a.branch2.1.conv.weight",
            false,
        ),
        ("a*a", "a", false),
        ("a*b*c", "aXbYc", true),
        ("a*b*c", "acb", false),
        ("", "fc.bias", false),
    ] {
        assert_eq!(Pattern::new(pattern).fits(name), fits, "{pattern} {name}");
    }
}
