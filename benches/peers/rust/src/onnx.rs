//! Engines that read ONNX.

use crate::{Run, times};
use anyhow::{Context, Result};
use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::Tensor as RtenTensor;
use rten_tensor::prelude::*;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

/// tract with its optimised typed model; products on `threads`.
pub fn tract(file: &Path, run: Run) -> Result<Vec<f64>> {
    set_default_executor(match run.threads {
        1 => Executor::SingleThread,
        threads => Executor::multithread(threads),
    });
    let model = tract_onnx::onnx().model_for_path(file)?.into_optimized()?;
    let fact = model.input_fact(0)?;
    let shape = fact
        .shape
        .as_concrete()
        .context("the file has a fixed shape")?
        .to_vec();
    let model = model.into_runnable()?;
    let images = noise(shape.iter().product());
    let images = Tensor::from_shape(&shape, &images)?;
    times(run, || {
        black_box(model.run(tvec!(images.clone().into()))?);
        Ok(())
    })
}

/// rten with its default optimisations.
pub fn rten(file: &Path, run: Run) -> Result<Vec<f64>> {
    let model = Model::load_file(file)?;
    let (&input, &output) = (
        model
            .input_ids()
            .first()
            .context("the network has an input")?,
        model
            .output_ids()
            .first()
            .context("the network has an output")?,
    );
    let shape = model.input_shape(0).context("the input has a shape")?;
    let shape: Vec<usize> = shape
        .iter()
        .map(|dim| match dim {
            rten::Dimension::Fixed(n) => Ok(*n),
            other => anyhow::bail!("the file has a fixed shape, found {other:?}"),
        })
        .collect::<Result<_>>()?;
    let images = RtenTensor::from_data(&shape, noise(shape.iter().product()));
    let pool = Arc::new(ThreadPool::with_num_threads(run.threads));
    times(run, || {
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        let inputs = vec![(input, images.view().into())];
        black_box(model.run(inputs, &[output], Some(options))?);
        Ok(())
    })
}

/// Numbers in `[0, 1)` by a fixed linear congruential generator.
fn noise(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..len).map(|_| next()).collect()
}
