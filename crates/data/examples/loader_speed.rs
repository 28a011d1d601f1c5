//! Images a second of decoding and resizing alone, on one core, and of the loader beside it.
//!
//! ```sh
//! cargo run --release -p inception-data --example loader_speed -- FOLDER [WORKERS] [SECONDS]
//! ```
//! `FOLDER` is any data set that `--data` takes. Each figure is the median of five rounds, in
//! which all are measured in turn. On Linux the processor's time for an image is shown as
//! well, which other work on the machine disturbs less: what the loader costs beyond decoding
//! and resizing is the difference, and the share is the limit's time over the loader's. A loader
//! runs until its queue is as full as it stays before it is timed.

use inception_data::{
    Augment, BadImages, Cut, DatasetSpec, Loader, LoaderConfig, OpenOptions, Opened, Pipeline,
    ResizedCrop, Size, Split, Transform, crop_and_resize,
};
use inception_tensor::Stream;
use std::error::Error;
use std::hint::black_box;
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
    let pipeline = Pipeline::new(preprocess.clone(), Augment::basic(&preprocess))?;
    let pipeline = Arc::new(pipeline);
    let Cut::ResizedCrop(crop) = &pipeline.augment().cut else {
        return Err("pictures of one size are not resized; name a folder of photographs".into());
    };
    let mut rounds: Vec<Vec<Speed>> = vec![Vec::new(); workers + 3];
    for _ in 0..ROUNDS {
        rounds[0].push(timed(|| decode_alone(&opened, span))?);
        rounds[1].push(timed(|| limit(&opened, crop, &pipeline, span))?);
        rounds[2].push(timed(|| one_core(&opened, &pipeline, span))?);
        for n in 1..=workers {
            rounds[n + 2].push(loader(&opened, &pipeline, n, span)?);
        }
    }
    let limit = median(rounds[1].iter().map(|s| s.processor));
    for (i, speeds) in rounds.into_iter().enumerate() {
        let name = match i {
            0 => "decode".to_owned(),
            1 => "decode + resize, the limit".to_owned(),
            2 => "decode + resize + mirror + normalise".to_owned(),
            n => format!("loader, workers: {}", n - 2),
        };
        let wall = median(speeds.iter().map(|s| s.wall));
        let processor = median(speeds.iter().map(|s| s.processor));
        println!(
            "{name}: {wall:.1} images/s, {:.3} ms of a core an image, {:.1} % of the limit",
            1e3 * processor,
            100.0 * limit / processor
        );
    }
    Ok(())
}

/// What one measurement came to.
#[derive(Clone, Copy)]
struct Speed {
    /// Images a second.
    wall: f64,
    /// Seconds of a core for an image; 0 where that is not known.
    processor: f64,
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Counts `measure`'s images and times it.
fn timed(measure: impl FnOnce() -> Result<usize, Box<dyn Error>>) -> Result<Speed, Box<dyn Error>> {
    let (start, used) = (Instant::now(), processor_seconds());
    let images = measure()? as f64;
    Ok(Speed {
        wall: images / start.elapsed().as_secs_f64(),
        processor: (processor_seconds() - used) / images,
    })
}

/// Seconds that all threads of this process have used.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets, user and system time are the 12th and 13th field, in
    // hundredths of a second.
    let fields = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn decode_alone(opened: &Opened, span: Duration) -> Result<usize, Box<dyn Error>> {
    let start = Instant::now();
    let mut images = 0;
    while start.elapsed() < span {
        opened.dataset.get(images * 7 % opened.dataset.len())?;
        images += 1;
    }
    Ok(images)
}

fn limit(
    opened: &Opened,
    crop: &ResizedCrop,
    pipeline: &Pipeline,
    span: Duration,
) -> Result<usize, Box<dyn Error>> {
    let preprocess = pipeline.preprocess();
    let start = Instant::now();
    let mut images = 0;
    while start.elapsed() < span {
        let image = opened.dataset.get(images * 7 % opened.dataset.len())?.image;
        let window = crop.draw(Size::of(&image), &mut Stream::new(&[images as u64]));
        let by = preprocess.interpolation;
        black_box(crop_and_resize(&image, window, preprocess.size(), by));
        images += 1;
    }
    Ok(images)
}

fn one_core(opened: &Opened, pipeline: &Pipeline, span: Duration) -> Result<usize, Box<dyn Error>> {
    let mut out = vec![0.0; pipeline.output().len()];
    let start = Instant::now();
    let mut images = 0;
    while start.elapsed() < span {
        let sample = opened.dataset.get(images * 7 % opened.dataset.len())?;
        pipeline.apply(&sample.image, &mut Stream::new(&[images as u64]), &mut out)?;
        images += 1;
    }
    Ok(images)
}

fn loader(
    opened: &Opened,
    pipeline: &Arc<Pipeline>,
    workers: usize,
    span: Duration,
) -> Result<Speed, Box<dyn Error>> {
    let config = LoaderConfig {
        workers,
        prefetch: workers + 2,
        bad_images: BadImages::Fail,
        ..LoaderConfig::default()
    };
    let mut batches = Loader::new(opened.dataset.clone(), pipeline.clone(), config)?;
    let mut next = || match batches.next() {
        Some(batch) => Ok::<_, Box<dyn Error>>(batch?.len()),
        None => Err("the data set is endless".into()),
    };
    for _ in 0..2 * (workers + 2) {
        next()?;
    }
    timed(|| {
        let start = Instant::now();
        let mut images = 0;
        while start.elapsed() < span {
            images += next()?;
        }
        Ok(images)
    })
}
