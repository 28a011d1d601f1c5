//! Baselines against data whose answer is known.

use super::{BaselineOptions, Baselines, baselines};
use crate::{DataError, Dataset, Image, Sample};
use inception_tensor::{Pool, Stream};

/// Grey pictures of three classes, drawn by a function of item and class.
struct Drawn {
    classes: Vec<String>,
    len: usize,
    draw: fn(&mut Stream, u32) -> [u8; 16],
}

/// Three in five are of class 2.
fn drawn(len: usize, draw: fn(&mut Stream, u32) -> [u8; 16]) -> Drawn {
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    Drawn { classes, len, draw }
}

impl Dataset for Drawn {
    fn len(&self) -> usize {
        self.len
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> u32 {
        (i % 5).min(2) as u32
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        let label = self.label(i);
        let mut stream = Stream::new(&[self.len as u64, i as u64]);
        Ok(Sample {
            label,
            image: Image {
                width: 4,
                height: 4,
                channels: 1,
                pixels: (self.draw)(&mut stream, label).to_vec(),
            },
        })
    }

    fn origin(&self, i: usize) -> String {
        format!("#{i}")
    }

    fn fingerprint(&self) -> u64 {
        0
    }
}

/// Random bytes.
fn noise(stream: &mut Stream) -> [u8; 16] {
    std::array::from_fn(|_| stream.below(256) as u8)
}

fn measure(train: &Drawn, test: &Drawn, threads: usize) -> Baselines {
    let options = BaselineOptions {
        side: 4,
        ..BaselineOptions::default()
    };
    let pool = Pool::new(threads).expect("a small pool");
    baselines(train, test, &options, &pool).expect("measures")
}

#[test]
fn noise_teaches_no_model_more_than_the_majority() {
    let draw = |stream: &mut Stream, _| noise(stream);
    let found = measure(&drawn(3_000, draw), &drawn(1_000, draw), 1);
    assert_eq!(
        (found.train_items, found.test_items, found.classes),
        (3_000, 1_000, 3)
    );
    assert_eq!(found.majority, 0.6);
    for accuracy in [found.linear_pixels, found.linear_histogram] {
        assert!((0.55..0.62).contains(&accuracy), "{found:?}");
    }
    // The chance that two items agree: 0.6² + 2·0.2².
    assert!((found.nearest_neighbour - 0.44).abs() < 0.06, "{found:?}");
}

#[test]
fn brightness_is_seen_in_pixels_and_in_histograms() {
    let draw = |stream: &mut Stream, label| noise(stream).map(|v| v / 3 + label as u8 * 85);
    let found = measure(&drawn(1_000, draw), &drawn(500, draw), 1);
    for accuracy in [
        found.linear_pixels,
        found.linear_histogram,
        found.nearest_neighbour,
    ] {
        assert!(accuracy > 0.98, "{found:?}");
    }
}

#[test]
fn a_place_is_seen_in_pixels_and_not_in_histograms() {
    let draw = |stream: &mut Stream, label: u32| {
        let mut pixels = noise(stream);
        pixels.sort_unstable();
        pixels.rotate_left(5 * label as usize);
        pixels
    };
    let found = measure(&drawn(2_000, draw), &drawn(500, draw), 1);
    assert!(found.linear_pixels > 0.98, "{found:?}");
    assert!(found.nearest_neighbour > 0.98, "{found:?}");
    assert!((0.5..0.64).contains(&found.linear_histogram), "{found:?}");
}

#[test]
fn threads_do_not_change_the_figures() {
    let draw = |stream: &mut Stream, label| noise(stream).map(|v| v / 2 + label as u8 * 20);
    let (train, test) = (drawn(700, draw), drawn(300, draw));
    assert_eq!(measure(&train, &test, 1), measure(&train, &test, 3));
}

#[test]
fn pictures_are_averaged_down_and_repeated_up() {
    let image = Image {
        width: 2,
        height: 2,
        channels: 1,
        pixels: vec![0, 255, 255, 255],
    };
    let one = super::features::pixels(&image, 1);
    assert_eq!(one, vec![0.25; 3]);
    let up = super::features::pixels(&image, 4);
    let reds: Vec<f32> = up.iter().step_by(3).copied().collect();
    let top = [-0.5, -0.5, 0.5, 0.5];
    assert_eq!(reds[..8], [top, top].concat());
    assert_eq!(reds[8..], [0.5; 8]);
}

#[test]
fn histograms_are_shares_of_the_pixels() {
    let image = Image {
        width: 2,
        height: 1,
        channels: 3,
        pixels: vec![0, 0, 0, 255, 0, 127],
    };
    let mut expected = vec![0.0; 8];
    expected[0b000] = 0.5;
    expected[0b100] = 0.5;
    assert_eq!(super::features::histogram(&image, 2), expected);
}

#[test]
fn arguments_out_of_range_are_refused_by_name() {
    let draw = |stream: &mut Stream, _| noise(stream);
    let (some, none) = (drawn(10, draw), drawn(0, draw));
    let mut fewer = drawn(10, draw);
    fewer.classes.pop();
    let error = |train: &Drawn, test: &Drawn, options: BaselineOptions| {
        baselines(train, test, &options, &Pool::serial())
            .expect_err("refused")
            .to_string()
    };
    let options = BaselineOptions::default;
    assert!(error(&some, &none, options()).contains("no test items"));
    assert!(error(&some, &fewer, options()).contains("3 classes to train on, 2 to test"));
    let bins = BaselineOptions {
        bins: 17,
        ..options()
    };
    assert!(error(&some, &some, bins).contains("bins must be 2 to 16, found 17"));
    let side = BaselineOptions {
        side: 0,
        ..options()
    };
    assert!(error(&some, &some, side).contains("side must be 1 to 256, found 0"));
}
