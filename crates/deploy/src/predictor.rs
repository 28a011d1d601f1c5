//! Images in, classes out.

use crate::ranking::{Ranked, top};
use crate::runner::{Rows, Runners};
use crate::{DeployError, Weights};
use inception_autograd::{Passes, Storage};
use inception_data::{Image, Pipeline, Preprocess};
use inception_nn::{Model, Parameters};
use inception_tensor::Pool;

/// How a [`Predictor`] runs.
#[derive(Clone, Debug)]
pub struct PredictorConfig {
    /// The threads.
    pub pool: Pool,
    /// Which passes rewrite the graph.
    pub passes: Passes,
    /// How plans keep the maps between operators.
    pub storage: Storage,
}

impl Default for PredictorConfig {
    fn default() -> Self {
        Self {
            pool: Pool::serial(),
            passes: Passes::INFERENCE,
            storage: Storage::Real,
        }
    }
}

/// What a network says about one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// By class: what the last layer gives.
    pub logits: Vec<f32>,
    /// By class: softmax of the logits.
    pub probs: Vec<f32>,
}

impl Prediction {
    /// The `k` most probable classes: equal ones by index, NaN last.
    pub fn top(&self, k: usize) -> impl ExactSizeIterator<Item = Ranked<f32>> + use<> {
        top(&self.probs, k)
    }

    /// Whether every logit is a finite number.
    pub fn is_finite(&self) -> bool {
        self.logits.iter().all(|x| x.is_finite())
    }
}

/// A network with its numbers and plans, loaded once and run on many batches.
///
/// The same image gives the same bits for any number of threads.
#[derive(Debug)]
pub struct Classifier {
    model: Model,
    parameters: Parameters<f32>,
    runners: Runners,
}

impl Classifier {
    /// A classifier of `model` with the numbers of `parameters`.
    pub fn new(model: Model, parameters: Parameters<f32>, config: &PredictorConfig) -> Self {
        Self {
            model,
            parameters,
            runners: Runners::new(config),
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Runs a batch of prepared images: `images` is `[n, h, w, c]`.
    ///
    /// # Errors
    /// When memory for the batch is not to be had, or the batch is empty.
    ///
    /// # Panics
    /// When `images` does not have the numbers of `n` images.
    pub fn run(&mut self, n: usize, images: &[f32]) -> Result<Vec<Prediction>, DeployError> {
        self.run_with(n, |input| {
            input.copy_from_slice(images);
            Ok(())
        })
    }

    fn run_with(
        &mut self,
        n: usize,
        fill: impl FnOnce(&mut [f32]) -> Result<(), DeployError>,
    ) -> Result<Vec<Prediction>, DeployError> {
        let classes = self.model.options().classes;
        let Rows { logits, probs } = self.runners.run(&self.model, &self.parameters, n, fill)?;
        let rows = logits
            .chunks_exact(classes)
            .zip(probs.chunks_exact(classes));
        let predictions = rows.map(|(logits, probs)| Prediction {
            logits: logits.to_vec(),
            probs: probs.to_vec(),
        });
        Ok(predictions.collect())
    }
}

/// Classifies pictures: preprocessing, network, names of classes.
///
/// # Examples
/// ```
/// use inception_data::{Dataset, Split};
/// use inception_data::shapes::{Shapes, ShapesConfig};
/// use inception_deploy::{Predictor, PredictorConfig, Weights};
/// use inception_nn::{Model, ModelOptions};
///
/// let options = ModelOptions { input: Some([3, 32, 32]), ..ModelOptions::default() };
/// let model = Model::build("inception-small", &options)?;
/// let mut predictor = Predictor::new(Weights::random(model, 0)?, &PredictorConfig::default())?;
///
/// let picture = Shapes::new(ShapesConfig::default(), Split::Test)?.get(0)?.image;
/// let prediction = &predictor.classify(&[picture])?[0];
/// let best = prediction.top(1).next().expect("there are ten classes");
/// assert_eq!(predictor.class_name(best.index), best.index.to_string());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Predictor {
    classifier: Classifier,
    class_names: Vec<String>,
    pipeline: Pipeline,
}

impl Predictor {
    /// A predictor with the numbers of `weights`.
    ///
    /// # Errors
    /// When the preprocessing is out of range.
    pub fn new(weights: Weights, config: &PredictorConfig) -> Result<Self, DeployError> {
        Ok(Self {
            class_names: weights.meta.class_names,
            pipeline: Pipeline::evaluation(weights.preprocess)?,
            classifier: Classifier::new(weights.model, weights.parameters, config),
        })
    }

    /// Classifies pictures, all in one batch.
    ///
    /// # Errors
    /// When there is no picture, one does not have the input's size while no resize is set,
    /// or memory is not to be had.
    pub fn classify(&mut self, pictures: &[Image]) -> Result<Vec<Prediction>, DeployError> {
        let pipeline = &self.pipeline;
        self.classifier.run_with(pictures.len(), |input| {
            let len = input.len() / pictures.len().max(1);
            for (picture, numbers) in pictures.iter().zip(input.chunks_exact_mut(len)) {
                pipeline.evaluate(picture, numbers)?;
            }
            Ok(())
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.classifier.model()
    }

    /// The network, which takes prepared images.
    pub fn classifier(&mut self) -> &mut Classifier {
        &mut self.classifier
    }

    /// What pictures go through.
    pub fn preprocess(&self) -> &Preprocess {
        self.pipeline.preprocess()
    }

    /// Names of the classes by label; empty where the weights have none.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The name of a class: its number where it has no other.
    pub fn class_name(&self, index: usize) -> String {
        let name = self.class_names.get(index).cloned();
        name.unwrap_or_else(|| index.to_string())
    }
}
