//! Files of weights: round trips, foreign state dicts, and what is refused.

use crate::common::{model, options, weights};
use inception_deploy::{LoadOptions, Weights};
use inception_nn::{LoadMode, ModelOptions};
use inception_store::{ArchiveBuilder, FinitePolicy};
use std::path::PathBuf;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("w.safetensors")
    }

    /// A state dict without a description: each key goes through `rename`, each tensor
    /// through `change`.
    fn foreign(
        &self,
        rename: impl Fn(&str) -> Option<String>,
        change: impl Fn(&str, &mut Vec<usize>, &mut Vec<f32>),
    ) -> PathBuf {
        let mut builder = ArchiveBuilder::new();
        for mut tensor in weights(7).parameters.state_dict() {
            change(&tensor.name, &mut tensor.shape, &mut tensor.data);
            if let Some(name) = rename(&tensor.name) {
                builder.f32(name, &tensor.shape, tensor.data).unwrap();
            }
        }
        std::fs::write(self.file(), builder.build().unwrap()).unwrap();
        self.file()
    }
}

fn foreign_options() -> LoadOptions {
    LoadOptions {
        model: Some("inception-small".into()),
        model_options: options(),
        ..LoadOptions::default()
    }
}

fn keep(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn fails(path: &std::path::Path, options: &LoadOptions) -> (u8, String) {
    let error = Weights::load(path, options).unwrap_err();
    (error.exit_code(), error.to_string())
}

#[test]
fn a_saved_file_is_loaded_without_another_word() {
    let dir = Dir::new();
    let mut saved = weights(3);
    saved.meta.class_names = (0..10).map(|i| format!("class {i}")).collect();
    saved
        .meta
        .training
        .insert("training.data".into(), "shapes".into());
    saved.preprocess.mean = vec![0.1, 0.2, 0.3];
    saved.save(&dir.file()).unwrap();
    let loaded = Weights::load(&dir.file(), &LoadOptions::default()).unwrap();
    assert_eq!(loaded.parameters, saved.parameters);
    assert_eq!(loaded.preprocess, saved.preprocess);
    assert_eq!(loaded.meta.class_names, saved.meta.class_names);
    assert_eq!(loaded.meta.training, saved.meta.training);
    assert_eq!(loaded.model.options(), saved.model.options());
}

#[test]
fn a_foreign_file_needs_the_name_of_its_model() {
    let dir = Dir::new();
    let path = dir.foreign(keep, |_, _, _| {});
    let (code, message) = fails(&path, &LoadOptions::default());
    assert_eq!(code, 2);
    assert!(
        message.contains("name it with --model (simple-inception, "),
        "{message}"
    );
    let loaded = Weights::load(&path, &foreign_options()).unwrap();
    assert_eq!(loaded.parameters, weights(7).parameters);
}

#[test]
fn what_wrappers_put_before_keys_and_counters_of_batches_do_not_matter() {
    let dir = Dir::new();
    let path = dir.foreign(|name| Some(format!("module.{name}")), |_, _, _| {});
    let loaded = Weights::load(&path, &foreign_options()).unwrap();
    assert_eq!(loaded.parameters, weights(7).parameters);

    let bytes = {
        let mut builder = ArchiveBuilder::new();
        for tensor in weights(7).parameters.state_dict() {
            if let Some(module) = tensor.name.strip_suffix("running_mean") {
                builder
                    .u64(format!("{module}num_batches_tracked"), &[], vec![9])
                    .unwrap();
            }
            builder
                .f32(tensor.name, &tensor.shape, tensor.data)
                .unwrap();
        }
        builder.build().unwrap()
    };
    std::fs::write(dir.file(), bytes).unwrap();
    let loaded = Weights::load(&dir.file(), &foreign_options()).unwrap();
    assert!(!loaded.report.ignored.is_empty());
}

#[test]
fn the_number_of_classes_is_taken_from_a_foreign_file() {
    let dir = Dir::new();
    let path = dir.foreign(keep, |name, shape, data| {
        if name.starts_with("fc.") {
            let row = data.len() / 10;
            data.truncate(4 * row);
            shape[0] = 4;
        }
    });
    let loaded = Weights::load(&path, &foreign_options()).unwrap();
    assert_eq!(loaded.model.options().classes, 4);
    let asked = LoadOptions {
        model_options: ModelOptions {
            classes: Some(10),
            ..options()
        },
        ..foreign_options()
    };
    let (code, message) = fails(&path, &asked);
    assert_eq!(code, 4);
    assert!(
        message.contains("0 missing, 0 unexpected, 2 of another shape"),
        "{message}"
    );
    assert!(
        message.contains("fc.bias: expected [10], found [4]"),
        "{message}"
    );
    assert!(message.ends_with("--allow-partial"), "{message}");
}

#[test]
fn what_fits_is_loaded_when_that_is_asked_for() {
    let dir = Dir::new();
    let path = dir.foreign(
        |name| (name != "fc.bias").then(|| name.to_owned()),
        |_, _, _| {},
    );
    let (code, message) = fails(&path, &foreign_options());
    assert_eq!(code, 4);
    assert!(
        message.contains("1 missing, 0 unexpected, 0 of another shape"),
        "{message}"
    );
    let partial = LoadOptions {
        mode: LoadMode::Partial,
        ..foreign_options()
    };
    let loaded = Weights::load(&path, &partial).unwrap();
    assert_eq!(loaded.report.difference.missing, ["fc.bias"]);
    assert_eq!(loaded.report.loaded, model().specs().len() - 1);
}

#[test]
fn numbers_that_are_not_finite_are_refused_unless_they_are_allowed() {
    let dir = Dir::new();
    let path = dir.foreign(keep, |name, _, data| {
        if name == "fc.weight" {
            data[17..20].fill(f32::NAN);
        }
    });
    let (code, message) = fails(&path, &foreign_options());
    assert_eq!(code, 4);
    let expected =
        "tensor \"fc.weight\": expected finite numbers, found 3 NaN, first at element 17";
    assert!(message.contains(expected), "{message}");
    let allow = LoadOptions {
        non_finite: FinitePolicy::Allow,
        ..foreign_options()
    };
    let loaded = Weights::load(&path, &allow).unwrap();
    assert_eq!(loaded.non_finite[0].nan, 3);
}

#[test]
fn a_file_of_our_own_is_refused_when_a_bit_is_flipped() {
    let dir = Dir::new();
    weights(0).save(&dir.file()).unwrap();
    let good = std::fs::read(dir.file()).unwrap();
    for place in [9, good.len() / 3, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[place] ^= 4;
        std::fs::write(dir.file(), bad).unwrap();
        assert_eq!(
            fails(&dir.file(), &LoadOptions::default()).0,
            4,
            "byte {place}"
        );
    }
}

#[test]
fn a_file_of_our_own_is_not_loaded_as_another_model() {
    let dir = Dir::new();
    weights(0).save(&dir.file()).unwrap();
    let options = LoadOptions {
        model: Some("alexnet".into()),
        ..LoadOptions::default()
    };
    let (code, message) = fails(&dir.file(), &options);
    assert_eq!(code, 2);
    assert!(
        message.ends_with("holds weights of inception-small, not of alexnet: leave --model away"),
        "{message}"
    );
}

#[test]
fn a_description_that_contradicts_itself_is_malformed() {
    let dir = Dir::new();
    let described = |change: &dyn Fn(&mut Weights)| {
        let mut weights = weights(0);
        change(&mut weights);
        weights.save(&dir.file()).unwrap();
        fails(&dir.file(), &LoadOptions::default())
    };
    let (code, message) = described(&|w| w.preprocess.input = [3, 30, 32]);
    assert_eq!(code, 4);
    assert!(
        message.contains("images of [3, 30, 32], the model takes [3, 32, 32]"),
        "{message}"
    );
    let (code, message) = described(&|w| w.meta.model = "no-such-model".into());
    assert_eq!(code, 4);
    assert!(
        message.contains("no model is called `no-such-model`"),
        "{message}"
    );
    let (code, message) = described(&|w| w.meta.class_names = vec!["cat".into(); 9]);
    assert_eq!(code, 4);
    assert!(
        message.contains("expected 10 names") && message.contains("9 names"),
        "{message}"
    );
    let (code, message) = described(&|w| w.meta.classes = usize::MAX / 2);
    assert_eq!(code, 3);
    assert!(
        message.contains("at most 536870912 are allowed"),
        "{message}"
    );
}

#[test]
fn a_missing_file_is_an_error_of_input_and_output() {
    let dir = Dir::new();
    assert_eq!(fails(&dir.file(), &LoadOptions::default()).0, 5);
}
