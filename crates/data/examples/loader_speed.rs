//! Images a second of decoding and resizing alone, on one core, and of the loader.
//!
//! ```sh
//! cargo run --release -p inception-data --example loader_speed -- FOLDER [WORKERS] [SECONDS]
//! ```
//! `FOLDER` is any data set that `--data` takes. Each figure is the median of five.

use inception_data::{
    Augment, BadImages, DatasetSpec, Loader, LoaderConfig, OpenOptions, Opened, Pipeline, Split,
    Transform,
};
use inception_tensor::Stream;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("which data set?")?;
    let workers: usize = args.next().map_or(Ok(2), |n| n.parse())?;
    let seconds: f64 = args.next().map_or(Ok(2.0), |s| s.parse())?;
    let span = Duration::from_secs_f64(seconds);
    let opened = DatasetSpec::parse(&folder)?.open(Split::Train, &OpenOptions::default())?;
    let preprocess = opened.preprocess([3, 224, 224]);
    let pipeline = Arc::new(Pipeline::new(
        preprocess.clone(),
        Augment::basic(&preprocess),
    )?);
    let decode = median(|| decode_alone(&opened, span))?;
    let limit = median(|| one_core(&opened, &pipeline, span))?;
    println!("decode alone, one core: {decode:.1} images/s");
    println!("decode + crop + resize + normalise, one core: {limit:.1} images/s");
    for workers in 1..=workers {
        let speed = median(|| loader(&opened, &pipeline, workers, span))?;
        let share = 100.0 * speed / limit / workers as f64;
        println!(
            "loader, {workers} workers: {speed:.1} images/s ({share:.0} % of the limit a core)"
        );
    }
    Ok(())
}

/// The median of what `measure` gives.
fn median(mut measure: impl FnMut() -> Result<f64, Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut speeds = (0..ROUNDS)
        .map(|_| measure())
        .collect::<Result<Vec<_>, _>>()?;
    speeds.sort_by(f64::total_cmp);
    Ok(speeds[ROUNDS / 2])
}

fn decode_alone(opened: &Opened, span: Duration) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut images = 0;
    while start.elapsed() < span {
        opened.dataset.get(images * 7 % opened.dataset.len())?;
        images += 1;
    }
    Ok(images as f64 / start.elapsed().as_secs_f64())
}

fn one_core(opened: &Opened, pipeline: &Pipeline, span: Duration) -> Result<f64, Box<dyn Error>> {
    let mut out = vec![0.0; pipeline.output().len()];
    let start = Instant::now();
    let mut images = 0;
    while start.elapsed() < span {
        let sample = opened.dataset.get(images * 7 % opened.dataset.len())?;
        pipeline.apply(&sample.image, &mut Stream::new(&[images as u64]), &mut out)?;
        images += 1;
    }
    Ok(images as f64 / start.elapsed().as_secs_f64())
}

fn loader(
    opened: &Opened,
    pipeline: &Arc<Pipeline>,
    workers: usize,
    span: Duration,
) -> Result<f64, Box<dyn Error>> {
    let config = LoaderConfig {
        workers,
        prefetch: workers + 2,
        bad_images: BadImages::Fail,
        ..LoaderConfig::default()
    };
    let mut batches = Loader::new(opened.dataset.clone(), pipeline.clone(), config)?;
    // The first batches are made while nobody waits.
    for _ in 0..workers + 2 {
        batches.next().ok_or("the data set is endless")??;
    }
    let start = Instant::now();
    let mut images = 0;
    while start.elapsed() < span {
        images += batches.next().ok_or("the data set is endless")??.len();
    }
    Ok(images as f64 / start.elapsed().as_secs_f64())
}
