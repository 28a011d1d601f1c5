//! What a run trains on and is validated on.

use crate::{Links, TrainConfig, TrainError};
use inception_data::{
    Augment, Dataset, DatasetSpec, FolderOptions, FollowSymlinks, Holdout, OpenOptions, Pipeline,
    Preprocess, Report, Split,
};
use std::sync::Arc;

/// Training and validation sets, and what pictures go through before the network.
pub struct Datasets {
    /// What weights are fitted to.
    pub train: Arc<dyn Dataset>,
    /// What the best weights are chosen by; without it the last ones are kept.
    pub val: Option<Arc<dyn Dataset>>,
    /// What evaluation does with a picture; training adds augmentation.
    pub preprocess: Preprocess,
    /// What was noticed while the sets were opened.
    pub reports: Vec<Report>,
}

impl Datasets {
    /// Opens the sets that a configuration names.
    ///
    /// # Errors
    /// When they are not there or malformed, or the model is unknown.
    pub fn open(config: &TrainConfig) -> Result<Self, TrainError> {
        let spec = DatasetSpec::parse(&config.data)?;
        let mut options = OpenOptions {
            data_dir: config.data_dir.clone(),
            folder: FolderOptions {
                follow_symlinks: match config.follow_symlinks {
                    Links::Inside => FollowSymlinks::InsideRoot,
                    Links::Everywhere => FollowSymlinks::Everywhere,
                    Links::Never => FollowSymlinks::Never,
                },
                ..FolderOptions::default()
            },
            holdout: config.holdout.map(|fraction| Holdout {
                fraction,
                seed: config.seed,
            }),
            ..OpenOptions::default()
        };
        if let Some(input) = config.input {
            options = options.for_input(input);
        }
        let train = spec.open(Split::Train, &options)?;
        let val = spec.open(Split::Val, &options)?;
        let input = match (config.input, train.native) {
            (Some(input), _) | (None, Some(input)) => input,
            (None, None) => inception_nn::find(&config.model)?.input,
        };
        Ok(Self {
            preprocess: train.preprocess(input),
            train: train.dataset,
            val: Some(val.dataset),
            reports: vec![train.report, val.report],
        })
    }

    /// The pipeline of training images.
    pub(crate) fn training(&self, config: &TrainConfig) -> Result<Arc<Pipeline>, TrainError> {
        let augment = Augment::from_name(&config.augment, &self.preprocess)?;
        Ok(Arc::new(Pipeline::new(self.preprocess.clone(), augment)?))
    }

    /// The pipeline of validation images.
    pub(crate) fn evaluation(&self) -> Result<Arc<Pipeline>, TrainError> {
        Ok(Arc::new(Pipeline::evaluation(self.preprocess.clone())?))
    }

    /// Checks that there is enough to train on and that labels fit `classes`.
    pub(crate) fn check(&self, config: &TrainConfig, classes: usize) -> Result<(), TrainError> {
        let (images, batch) = (self.train.len(), config.batch_size);
        if images < batch {
            return Err(TrainError::Usage(format!(
                "batch-size: expected at most the {images} images of the training set, found \
                 {batch}"
            )));
        }
        let found = self.train.classes().len();
        if found > classes {
            return Err(TrainError::Usage(format!(
                "classes: expected at least the {found} of the data set, found {classes}"
            )));
        }
        match &self.val {
            Some(val) if val.is_empty() => Err(TrainError::Usage(
                "data: the validation set has no images".to_owned(),
            )),
            Some(val) if val.classes() != self.train.classes() => Err(TrainError::Usage(
                "data: training and validation set have different classes".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
