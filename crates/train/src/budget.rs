//! A run that fits a memory budget.

use crate::{TrainConfig, TrainError, batches_held};
use inception_nn::{Model, TrainProgram};
use inception_tensor::Pool;

/// How a step is made within a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Images in a batch.
    pub batch_size: usize,
    /// Batches a step.
    pub accumulate: u64,
    /// What such a step needs, in bytes.
    pub bytes: u64,
    /// What one batch for the whole step would need.
    pub whole_bytes: u64,
}

impl Fit {
    /// The largest batches into which a step of `config` can be cut evenly so that its plan,
    /// parameters, gradients' sums, buffers of the optimiser, average and the images that are
    /// loaded ahead fit `budget` bytes. The step's images and so its learning rate stay.
    ///
    /// What the decoder of images holds for a moment is not counted, nor the program itself.
    ///
    /// # Errors
    /// [`TrainError::Budget`] when a batch of one image does not fit; as
    /// [`Model::build`](inception_nn::Model::build) where a program cannot be recorded.
    pub fn within(budget: u64, config: &TrainConfig, model: &Model) -> Result<Self, TrainError> {
        let whole_bytes = need(config, model, config.batch_size, config.accumulate)?;
        let sizes = (1..=config.batch_size).rev();
        let mut least = whole_bytes;
        for batch_size in sizes.filter(|&n| config.batch_size.is_multiple_of(n)) {
            let accumulate = config.accumulate * (config.batch_size / batch_size) as u64;
            // Normalisation by one value is refused by the graph: then nothing smaller fits.
            let Ok(bytes) = need(config, model, batch_size, accumulate) else {
                break;
            };
            if bytes <= budget {
                return Ok(Self {
                    batch_size,
                    accumulate,
                    bytes,
                    whole_bytes,
                });
            }
            least = least.min(bytes);
        }
        Err(TrainError::Budget { budget, least })
    }
}

/// Bytes that a run keeps while it trains.
fn need(
    config: &TrainConfig,
    model: &Model,
    batch_size: usize,
    accumulate: u64,
) -> Result<u64, TrainError> {
    let settings = inception_nn::TrainConfig {
        batch_size,
        ..config.program_config()?
    };
    let program = TrainProgram::record(model, &settings)?;
    let arena = program.compile::<f32>().arena_bytes() as u64;
    let specs = model.specs();
    let grads = program.grads.iter();
    let trained: usize = grads.map(|g| specs.get(g.param).shape.len()).sum();
    let numbers: usize = specs.iter().map(|(_, spec)| spec.shape.len()).sum();
    let slots = config.optimizer_config().slots().len() as u64;
    let sums = u64::from(accumulate > 1);
    let copies = 1 + u64::from(config.ema.is_some());
    let image: usize = model.options().input.iter().product();
    let threads = config.threads.unwrap_or_else(Pool::available);
    let ahead = (image * batch_size * batches_held(threads)) as u64;
    let floats = copies * numbers as u64 + (slots + sums) * trained as u64 + ahead;
    Ok(arena + 4 * floats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_nn::ModelOptions;

    fn fit(budget: u64, batch_size: usize) -> Result<Fit, TrainError> {
        let config = TrainConfig {
            batch_size,
            threads: Some(1),
            ..TrainConfig::default()
        };
        let options = ModelOptions {
            input: Some([3, 16, 16]),
            ..ModelOptions::default()
        };
        let model = Model::build("inception-small", &options).unwrap();
        Fit::within(budget, &config, &model)
    }

    #[test]
    fn a_step_is_cut_as_little_as_the_budget_allows() {
        let whole = fit(u64::MAX, 12).unwrap();
        assert_eq!((whole.batch_size, whole.accumulate), (12, 1));
        assert_eq!(whole.bytes, whole.whole_bytes);
        let cut = fit(whole.bytes - 1, 12).unwrap();
        assert_eq!((cut.batch_size, cut.accumulate), (6, 2));
        assert!(cut.bytes < whole.bytes);
        let more = fit(cut.bytes - 1, 12).unwrap();
        assert_eq!(more.batch_size as u64 * more.accumulate, 12);
        assert!(more.batch_size < 6 && more.bytes < cut.bytes);
    }

    #[test]
    fn a_budget_that_nothing_fits_is_a_limit_and_says_what_is_needed() {
        let error = fit(1000, 12).unwrap_err();
        assert_eq!(error.kind().exit_code(), 3);
        let TrainError::Budget { least, .. } = error else {
            panic!("{error}");
        };
        assert!(fit(least, 12).is_ok());
    }
}
