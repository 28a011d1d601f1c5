//! What training does where a flag is not given: recipes, chosen by data set and model.

use anyhow::Result;
use inception_data::{Cifar, CifarKind, DatasetSpec, Idx};
use inception_nn::ModelInfo;
use inception_train::{Recipe, TrainConfig};
use std::path::Path;

/// Models that have no normalisation to keep their signals in range: a high rate breaks them.
const WITHOUT_BATCH_NORM: [&str; 4] = ["simple-inception", "googlenet", "alexnet", "vgg16"];
/// The highest rate for them.
const RATE_WITHOUT_BATCH_NORM: f64 = 0.01;

/// What the user has decided already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen<'a> {
    pub(crate) data: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) recipe: Option<&'a str>,
    /// The highest learning rate; who chooses it needs no guard.
    pub(crate) lr: Option<f64>,
}

/// The settings for a data set and a model.
///
/// # Errors
/// When there is no such recipe or model.
pub(crate) fn settings(chosen: Chosen<'_>) -> Result<TrainConfig> {
    let data = chosen.data.unwrap_or("shapes");
    let kind = Kind::of(&DatasetSpec::parse(data)?);
    let mut config = Recipe::find(chosen.recipe.unwrap_or(kind.recipe()))?.settings();
    config.data = data.to_owned();
    let model = inception_nn::find(chosen.model.unwrap_or(&config.model))?;
    let is_guarded = model.name != config.model && chosen.lr.is_none();
    if is_guarded && WITHOUT_BATCH_NORM.contains(&model.name) {
        config.lr = config.lr.min(RATE_WITHOUT_BATCH_NORM);
        config.clip_grad = config.clip_grad.or(Some(5.0));
    }
    config.model = model.name.to_owned();
    config.input = input(kind, model);
    Ok(config)
}

/// Models that are built for photographs get images of their own size whatever the data
/// are; the others take small images as they come.
fn input(kind: Kind, model: &ModelInfo) -> Option<[usize; 3]> {
    let small_model = model.input[1] < 64;
    match kind {
        Kind::Photographs => Some(match small_model {
            true => [3, model.input[1], model.input[2]],
            false => model.input,
        }),
        _ if small_model => None,
        _ => Some(model.input),
    }
}

/// What sort of images data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Shapes,
    FashionMnist,
    Cifar,
    Photographs,
}

impl Kind {
    fn of(spec: &DatasetSpec) -> Self {
        match spec {
            DatasetSpec::Shapes => Self::Shapes,
            DatasetSpec::FashionMnist => Self::FashionMnist,
            DatasetSpec::Cifar(CifarKind::Cifar10 | CifarKind::Cifar100) => Self::Cifar,
            DatasetSpec::Path(path) => Self::of_folder(path),
        }
    }

    fn of_folder(path: &Path) -> Self {
        let has_classes = ["train", "val"]
            .iter()
            .any(|split| path.join(split).is_dir());
        if has_classes {
            Self::Photographs
        } else if Cifar::kind_in(path).is_some() {
            Self::Cifar
        } else if Idx::is_in(path) {
            Self::FashionMnist
        } else {
            Self::Photographs
        }
    }

    fn recipe(self) -> &'static str {
        match self {
            Self::Shapes => "shapes",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar => "cifar",
            Self::Photographs => "photographs",
        }
    }
}
