//! From JPEGs of 500 × 375 pixels to normalised batches of random crops of 224 × 224.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inception_data::{
    Augment, DataError, Dataset, DecodeOptions, Loader, LoaderConfig, Pipeline, Preprocess, Sample,
    decode,
};
use inception_tensor::{Pool, Stream};
use std::sync::Arc;

const SIZE: [u16; 2] = [500, 375];
const BATCH: usize = 32;

/// A few pictures, again and again.
struct Pictures {
    files: Vec<Vec<u8>>,
    classes: Vec<String>,
}

impl Pictures {
    fn new() -> Self {
        Self {
            files: (0..8).map(picture).collect(),
            classes: vec!["one".to_owned()],
        }
    }
}

/// Waves with a little noise: about as many bytes as a photograph of the size.
fn picture(number: u64) -> Vec<u8> {
    let [width, height] = SIZE.map(usize::from);
    let mut stream = Stream::new(&[number]);
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let wave = ((x * (number as usize + 3)) as f64 / 50.0).sin() + (y as f64 / 40.0).cos();
            let grey = 128.0 + 50.0 * wave + 12.0 * stream.normal();
            let byte = |shift: f64| (grey + shift).clamp(0.0, 255.0) as u8;
            pixels.extend([byte(0.0), byte(20.0), byte(-20.0)]);
        }
    }
    let mut file = Vec::new();
    let [width, height] = SIZE;
    jpeg_encoder::Encoder::new(&mut file, 85)
        .encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb)
        .expect("a picture can be written into memory");
    file
}

impl Dataset for Pictures {
    fn len(&self) -> usize {
        4096
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, _: usize) -> u32 {
        0
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        let file = &self.files[i % self.files.len()];
        let decoded = decode(file, &DecodeOptions::default()).expect("a picture that was encoded");
        Ok(Sample {
            image: decoded.image,
            label: 0,
        })
    }

    fn origin(&self, i: usize) -> String {
        format!("picture {i}")
    }

    fn fingerprint(&self) -> u64 {
        0
    }
}

fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("loader");
    group
        .throughput(Throughput::Elements(BATCH as u64))
        .sample_size(10);
    let pictures = Arc::new(Pictures::new());
    let augment = Augment::paper();
    let pipeline = Pipeline::new(Preprocess::photograph(224, 224), augment);
    let pipeline = Arc::new(pipeline.expect("settings of this project"));
    let mut workers = vec![1, Pool::available()];
    workers.dedup();
    for workers in workers {
        let config = LoaderConfig {
            batch_size: BATCH,
            workers,
            ..LoaderConfig::default()
        };
        let loader = Loader::new(pictures.clone(), pipeline.clone(), config);
        let mut loader = loader.expect("memory for batches");
        group.bench_function(BenchmarkId::new("workers", workers), |bench| {
            bench.iter(|| {
                loader
                    .next()
                    .expect("epochs never end")
                    .expect("readable pictures")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, batches);
criterion_main!(benches);
