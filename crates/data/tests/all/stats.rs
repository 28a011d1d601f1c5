//! Measuring and checking.

use inception_data::shapes::{Shapes, ShapesConfig};
use inception_data::{
    DataError, Dataset, DatasetSpec, DecodeNote, ErrorKind, FashionMnist, Folder, FolderOptions,
    MeasureOptions, OpenOptions, Split, check, measure,
};
use inception_tensor::Pool;
use std::sync::atomic::{AtomicUsize, Ordering};

fn all() -> MeasureOptions {
    MeasureOptions::default()
}

#[test]
fn figures_are_those_of_the_plain_formula_on_any_pool() {
    let config = ShapesConfig {
        train_len: 150,
        ..ShapesConfig::default()
    };
    let data = Shapes::new(config, Split::Train).unwrap();
    let mut values: [Vec<f64>; 3] = Default::default();
    for i in 0..data.len() {
        for pixel in data.get(i).unwrap().image.pixels.chunks_exact(3) {
            (0..3).for_each(|c| values[c].push(f64::from(pixel[c]) / 255.0));
        }
    }
    let read = AtomicUsize::new(0);
    let count = |n| {
        read.fetch_add(n, Ordering::Relaxed);
    };
    let serial = measure(&data, &Pool::serial(), all(), count).unwrap();
    assert_eq!(read.load(Ordering::Relaxed), 150);
    for (c, values) in values.iter().enumerate() {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        assert!((serial.mean[c] - mean).abs() < 1e-12);
        assert!((serial.std[c] - variance.sqrt()).abs() < 1e-12);
    }
    assert_eq!(serial.class_counts, [15; 10]);
    assert_eq!((serial.measured, serial.sizes.len()), (150, 1));
    let parallel = measure(&data, &Pool::new(4).unwrap(), all(), |_| ()).unwrap();
    assert_eq!(parallel, serial);
}

#[test]
fn a_sample_is_spread_evenly() {
    let data = Shapes::new(ShapesConfig::default(), Split::Train).unwrap();
    let options = MeasureOptions { at_most: Some(64) };
    let stats = measure(&data, &Pool::serial(), options, |_| ()).unwrap();
    assert_eq!((stats.items, stats.measured), (20_000, 64));
    assert_eq!(stats.class_counts, [2_000; 10]);
}

/// Writes a grey PNG of the given size.
fn png(path: &std::path::Path, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = image::GrayImage::from_pixel(width, height, image::Luma([51]));
    image
        .save_with_format(path, image::ImageFormat::Png)
        .unwrap();
}

#[test]
fn bad_files_are_listed_in_order_with_reasons() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..100 {
        png(&dir.path().join(format!("train/a/{i:03}.png")), 4, 5);
    }
    png(&dir.path().join("train/b/odd.jpg"), 9, 2);
    std::fs::write(dir.path().join("train/a/007.png"), b"<html>").unwrap();
    let data = Folder::open(dir.path(), Split::Train, &FolderOptions::default()).unwrap();
    let data = data.dataset;
    std::fs::remove_file(dir.path().join("train/a/090.png")).unwrap();
    let pool = Pool::new(3).unwrap();

    let report = check(&data, &pool, |_| ());
    assert_eq!((report.items, report.bad_count), (101, 2));
    assert_eq!(report.bad[0].item, 7);
    assert!(report.bad[0].origin.ends_with("train/a/007.png"));
    assert_eq!(
        report.bad[0].reason,
        "not a JPEG, PNG or WebP (first bytes 3c 68 74 6d 6c 3e)"
    );
    assert_eq!(report.bad[0].kind, ErrorKind::Malformed);
    assert_eq!(report.bad[1].kind, ErrorKind::Io);
    assert_eq!(report.notes[&DecodeNote::ExtensionMismatch], 1);

    let stats = measure(&data, &pool, all(), |_| ()).unwrap();
    assert_eq!((stats.unreadable, stats.measured), (2, 99));
    assert_eq!(stats.sizes[0].count, 98);
    assert_eq!(
        (stats.sizes[0].size.width, stats.sizes[0].size.height),
        (4, 5)
    );
    assert!((stats.mean[0] - 0.2).abs() < 1e-12 && stats.std[0] < 1e-12);
}

#[test]
fn the_constants_of_named_sets_are_measured() {
    let mut names = vec!["shapes"];
    // Debian's package is optional; the folder tells whether it is installed.
    if FashionMnist::find(None).is_ok() {
        names.push("fashion-mnist");
    }
    for name in names {
        let spec = DatasetSpec::parse(name).unwrap();
        let opened = spec.open(Split::Train, &OpenOptions::default()).unwrap();
        let options = MeasureOptions {
            at_most: Some(4_000),
        };
        let stats = measure(opened.dataset.as_ref(), &Pool::serial(), options, |_| ()).unwrap();
        for c in 0..stats.mean.len() {
            let (mean, std) = (f64::from(opened.mean[c]), f64::from(opened.std[c]));
            let found = (stats.mean[c], stats.std[c]);
            assert!((found.0 - mean).abs() < 0.01, "{name}: {found:?}");
            assert!((found.1 - std).abs() < 0.01, "{name}: {found:?}");
        }
    }
}

/// Pictures of different kinds; one of them panics.
struct Mixed(Vec<String>);

impl Dataset for Mixed {
    fn len(&self) -> usize {
        3
    }

    fn classes(&self) -> &[String] {
        &self.0
    }

    fn label(&self, _: usize) -> u32 {
        0
    }

    fn get(&self, i: usize) -> Result<inception_data::Sample, DataError> {
        assert!(i < 2, "a trap");
        let channels = 1 + 2 * i;
        Ok(inception_data::Sample {
            image: inception_data::Image {
                width: 1,
                height: 1,
                channels,
                pixels: vec![0; channels],
            },
            label: 0,
        })
    }

    fn origin(&self, i: usize) -> String {
        format!("mixed {i}")
    }

    fn fingerprint(&self) -> u64 {
        0
    }
}

#[test]
fn mixed_channels_are_refused_and_panics_are_bad_items() {
    let data = Mixed(vec!["x".into()]);
    let error = measure(&data, &Pool::serial(), all(), |_| ()).unwrap_err();
    assert!(error.to_string().ends_with("channels: 1, 3"), "{error}");
    let report = check(&data, &Pool::serial(), |_| ());
    assert_eq!(report.bad_count, 1);
    assert_eq!(
        report.bad[0].reason,
        "reading it failed unexpectedly: a trap"
    );
}
