//! A run that fits a memory budget.

use crate::{ParamRule, Precision, Recompute, TrainConfig, TrainError, batches_held};
use inception_nn::{Model, TrainProgram};
use inception_tensor::Pool;

/// How a step is made within a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Images in a batch.
    pub batch_size: usize,
    /// Batches a step.
    pub accumulate: u64,
    /// Which maps are made again instead of kept.
    pub recompute: Recompute,
    /// What such a step needs, in bytes.
    pub bytes: u64,
    /// What one batch for the whole step would need that makes nothing again.
    pub whole_bytes: u64,
}

impl Fit {
    /// The largest batches into which a step of `config` can be cut evenly so that its plan,
    /// parameters, gradients' sums, buffers of the optimiser, average and the images that are
    /// loaded ahead fit `budget` bytes. The step's images and so its learning rate stay.
    ///
    /// Rather than cut a step, which changes what normalisation computes, maps are made
    /// again, which changes nothing and takes time: as few as fit, and at least those that
    /// `config` asks for.
    ///
    /// What the decoder of images holds for a moment is not counted, nor the program itself.
    ///
    /// # Errors
    /// [`TrainError::Budget`] when a batch of one image does not fit; as
    /// [`Model::build`](inception_nn::Model::build) where a program cannot be recorded.
    pub fn within(budget: u64, config: &TrainConfig, model: &Model) -> Result<Self, TrainError> {
        let whole_bytes = need(config, model)?;
        let sizes = (1..=config.batch_size).rev();
        let mut least = whole_bytes;
        for batch_size in sizes.filter(|&n| config.batch_size.is_multiple_of(n)) {
            for recompute in levels(config) {
                let cut = TrainConfig {
                    batch_size,
                    accumulate: config.accumulate * (config.batch_size / batch_size) as u64,
                    recompute,
                    ..config.clone()
                };
                // Normalisation by one value is refused by the graph: then nothing smaller
                // fits.
                let Ok(bytes) = need(&cut, model) else {
                    return Err(TrainError::Budget { budget, least });
                };
                if bytes <= budget {
                    return Ok(Self {
                        batch_size,
                        accumulate: cut.accumulate,
                        recompute,
                        bytes,
                        whole_bytes,
                    });
                }
                least = least.min(bytes);
            }
        }
        Err(TrainError::Budget { budget, least })
    }
}

/// What may be made again, beginning with what is asked for.
fn levels(config: &TrainConfig) -> impl Iterator<Item = Recompute> {
    let (from, precision) = (config.recompute, config.precision);
    let all = [Recompute::Nothing, Recompute::Cheap, Recompute::Stages];
    all.into_iter()
        .skip_while(move |&level| level != from)
        .take_while(move |&level| precision == Precision::F32 || level == Recompute::Nothing)
}

/// Bytes that a run keeps while it trains.
fn need(config: &TrainConfig, model: &Model) -> Result<u64, TrainError> {
    let program = TrainProgram::record(model, &config.program_config()?)?;
    let arena = program.compile::<f32>().arena_bytes() as u64;
    let specs = model.specs();
    let grads = program.grads.iter();
    let trained = grads.map(|g| ParamRule::apply(&config.rule, specs.get(g.param)));
    let optimizer = config.optimizer_config();
    let sums = usize::from(config.accumulate > 1);
    let buffers: usize = trained
        .map(|p| (optimizer.slots(&p).len() + sums) * p.len)
        .sum();
    let numbers: usize = specs.iter().map(|(_, spec)| spec.shape.len()).sum();
    let copies = 1 + u64::from(config.ema.is_some());
    let image: usize = model.options().input.iter().product();
    let threads = config.threads.unwrap_or_else(Pool::available);
    let ahead = (image * config.batch_size * batches_held(threads)) as u64;
    let floats = copies * numbers as u64 + buffers as u64 + ahead;
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
        assert_eq!(whole.recompute, Recompute::Nothing);
        let again = fit(whole.bytes - 1, 12).unwrap();
        assert_eq!((again.batch_size, again.accumulate), (12, 1));
        assert_eq!(again.recompute, Recompute::Cheap);
        assert!(again.bytes < whole.bytes && again.whole_bytes == whole.bytes);
        let all = fit(again.bytes - 1, 12).unwrap();
        assert_eq!((all.batch_size, all.recompute), (12, Recompute::Stages));
        let cut = fit(all.bytes - 1, 12).unwrap();
        // Half a batch may need more than the whole: the sum of its gradients is kept, too.
        assert_eq!(cut.batch_size as u64 * cut.accumulate, 12);
        assert!(cut.batch_size < 12 && cut.bytes < all.bytes);
        let more = fit(cut.bytes - 1, 12).unwrap();
        assert_eq!(more.batch_size as u64 * more.accumulate, 12);
        assert!(more.batch_size <= cut.batch_size && more.bytes < cut.bytes);
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
