//! Augmentations against torchvision, and what they promise of themselves.

use inception_data::{
    Augment, Cut, Image, Mix, Mixture, Operation, Pipeline, Policy, Preprocess, RandomErasing,
    Transform,
};
use inception_tensor::{Shape, Stream};
use proptest::prelude::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../fixtures/operations.json")).unwrap()
}

/// The picture of the script.
fn picture(width: usize, height: usize, channels: usize) -> Image {
    let byte = |i: usize| {
        let (k, x, y) = (i % channels, i / channels % width, i / channels / width);
        ((7 * x + 13 * y + 29 * k + 5 * (x * y % 31)) % 256 / 2) as u8
    };
    Image {
        width,
        height,
        channels,
        pixels: (0..width * height * channels).map(byte).collect(),
    }
}

fn operation(name: &str, magnitude: f64) -> Operation {
    match name {
        "Identity" => Operation::Identity,
        "ShearX" => Operation::ShearX(magnitude),
        "ShearY" => Operation::ShearY(magnitude),
        "TranslateX" => Operation::TranslateX(magnitude.trunc()),
        "TranslateY" => Operation::TranslateY(magnitude.trunc()),
        "Rotate" => Operation::Rotate(magnitude),
        "Brightness" => Operation::Brightness(magnitude),
        "Color" => Operation::Color(magnitude),
        "Contrast" => Operation::Contrast(magnitude),
        "Sharpness" => Operation::Sharpness(magnitude),
        "Posterize" => Operation::Posterize(magnitude as u32),
        "Solarize" => Operation::Solarize(magnitude),
        "AutoContrast" => Operation::AutoContrast,
        "Equalize" => Operation::Equalize,
        _ => panic!("{name} is no operation"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_operation_gives_torchvisions_pixels() {
    let golden = golden();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["operation"].as_str().unwrap();
        let magnitude = case["magnitude"].as_f64().unwrap();
        let mut image = picture(11, 9, case["channels"].as_u64().unwrap() as usize);
        operation(name, magnitude).apply(&mut image);
        let expected = case["pixels"].as_str().unwrap();
        assert_eq!(hex(&image.pixels), expected, "{name} {magnitude}");
    }
    let mut image = picture(48, 32, 1);
    Operation::Equalize.apply(&mut image);
    assert_eq!(hex(&image.pixels), golden["equalize"].as_str().unwrap());
}

/// Name and strength, as torchvision counts it.
fn described(operation: Operation) -> (&'static str, f64) {
    match operation {
        Operation::Identity => ("Identity", 0.0),
        Operation::ShearX(x) => ("ShearX", x),
        Operation::ShearY(x) => ("ShearY", x),
        Operation::TranslateX(x) => ("TranslateX", x),
        Operation::TranslateY(x) => ("TranslateY", x),
        Operation::Rotate(x) => ("Rotate", x),
        Operation::Brightness(x) => ("Brightness", x),
        Operation::Color(x) => ("Color", x),
        Operation::Contrast(x) => ("Contrast", x),
        Operation::Sharpness(x) => ("Sharpness", x),
        Operation::Posterize(bits) => ("Posterize", f64::from(bits)),
        Operation::Solarize(from) => ("Solarize", from),
        Operation::AutoContrast => ("AutoContrast", 0.0),
        Operation::Equalize => ("Equalize", 0.0),
    }
}

/// torchvision gives the strength at step 9 and at the last of 31.
#[test]
fn policies_draw_every_operation_within_torchvisions_ranges() {
    let golden = golden();
    let rand = |magnitude| Policy::Rand {
        operations: 1,
        magnitude,
    };
    let fixed = [(rand(9), 0), (rand(30), 1)];
    for (policy, place) in fixed {
        let mut names = std::collections::BTreeSet::new();
        for seed in 0..600 {
            let drawn = policy.draw(11, 9, &mut Stream::new(&[seed]));
            let (name, strength) = described(drawn[0]);
            let expected = golden["rand"][name][place].as_f64().unwrap();
            let expected = if name.starts_with("Translate") {
                expected.trunc()
            } else {
                expected
            };
            assert!(
                (strength.abs() - expected).abs() < 1e-6,
                "{name} {strength}"
            );
            names.insert(name);
        }
        assert_eq!(names.len(), 14);
    }
    for seed in 0..600 {
        let drawn = Policy::TrivialWide.draw(11, 9, &mut Stream::new(&[seed]));
        let (name, strength) = described(drawn[0]);
        let most = golden["trivial"][name][1].as_f64().unwrap();
        let (low, high) = match name {
            "Posterize" => (most, 8.0),
            "Solarize" => (most, 255.0),
            _ => (0.0, most),
        };
        assert!(
            (low - 1e-6..=high + 1e-6).contains(&strength.abs()),
            "{name} {strength}"
        );
    }
    let both = Policy::RAND.draw(11, 9, &mut Stream::new(&[1]));
    assert_eq!(both.len(), 2);
}

#[test]
fn descriptions_name_what_they_add() {
    let photos = Preprocess::photograph(224, 224);
    let read = |name| Augment::from_name(name, &photos);
    let augment = read("none+trivialaugment+erase:0.1+jitter:0.3").unwrap();
    assert_eq!(augment.cut, Cut::None);
    assert_eq!(augment.policy, Some(Policy::TrivialWide));
    assert_eq!(augment.erase.unwrap().probability, 0.1);
    assert_eq!(augment.color.unwrap().contrast, 0.3);
    let Cut::PadCrop(shift) = read("basic:0.05+erase").unwrap().cut else {
        panic!("a shift");
    };
    assert_eq!((shift.padding, shift.mirror), (0.05, 0.5));
    for name in [
        "",
        "fly",
        "basic:",
        "basic:2",
        "paper:0.1",
        "randaugment",
        "basic+fly",
        "basic+",
        "basic+erase:x",
        "basic+erase+erase:0.5",
        "paper+jitter",
        "basic+randaugment:2",
        "basic+randaugment:2:31",
        "basic+erase:2",
    ] {
        let error = read(name).unwrap_err().to_string();
        assert!(error.starts_with("augment"), "{name}: {error}");
    }
}

/// Every description, on pictures of two sizes: a function of picture and stream, of finite
/// numbers.
#[test]
fn the_same_stream_gives_the_same_image_and_another_stream_another() {
    let image = picture(40, 30, 3);
    for preprocess in [
        Preprocess::photograph(24, 24),
        Preprocess::exact([3, 30, 40], &[0.5; 3], &[0.25; 3]),
    ] {
        for name in [
            "basic",
            "crop",
            "paper",
            "none+randaugment",
            "basic+trivialaugment+erase:1",
        ] {
            let augment = Augment::from_name(name, &preprocess).unwrap();
            let pipeline = Pipeline::new(preprocess.clone(), augment).unwrap();
            let run = |seed: u64| {
                let mut out = vec![f32::NAN; pipeline.output().len()];
                pipeline
                    .apply(&image, &mut Stream::new(&[seed]), &mut out)
                    .unwrap();
                assert!(out.iter().all(|x| x.is_finite()), "{name}");
                out
            };
            assert_eq!(run(3), run(3), "{name}");
            assert!((0..8).any(|seed| run(seed) != run(3)), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn erased_rectangles_are_torchvisions(h in 4..60_usize, w in 4..60_usize, seed: u64) {
        let erase = RandomErasing { probability: 1.0, ..RandomErasing::default() };
        if let Some(window) = erase.draw(h, w, &mut Stream::new(&[seed])) {
            prop_assert!(window.width < w && window.height < h);
            prop_assert!(window.left as usize + window.width <= w);
            prop_assert!(window.top as usize + window.height <= h);
            let area = (window.width * window.height) as f64;
            let rounding = (window.width + window.height + 1) as f64;
            prop_assert!(area <= 0.33 * (h * w) as f64 + rounding);
        }
    }

    #[test]
    fn mixed_images_and_their_targets_keep_the_same_share(
        n in 1..5_usize, h in 1..9_usize, w in 1..9_usize, seed: u64,
        mixup in prop_oneof![Just(0.0), 0.1..2.0], cutmix in prop_oneof![Just(0.0), 0.1..2.0],
    ) {
        let shape = Shape::new(1, h, w, 2);
        let mixture = Mix { mixup, cutmix }.draw(seed, 3, shape);
        prop_assert_eq!(mixture, Mix { mixup, cutmix }.draw(seed, 3, shape));
        let len = shape.len();
        // Image i is all i: its mean tells the shares.
        let mut images: Vec<f32> = (0..n * len).map(|i| (i / len) as f32).collect();
        mixture.apply(&mut images, shape);
        let labels: Vec<u32> = (0..n as u32).collect();
        let mut targets = vec![f32::NAN; n * n];
        mixture.targets(&labels, n, &mut targets);
        for (image, row) in images.chunks_exact(len).zip(targets.chunks_exact(n)) {
            let mean = image.iter().sum::<f32>() / len as f32;
            let expected: f32 = row.iter().enumerate().map(|(k, t)| k as f32 * t).sum();
            prop_assert!((mean - expected).abs() < 1e-4, "{mixture:?} {mean} {expected}");
            prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn shares_follow_the_beta_distribution() {
    let shape = Shape::new(1, 8, 8, 3);
    for alpha in [0.2, 1.0, 4.0] {
        let mix = Mix {
            mixup: alpha,
            cutmix: 0.0,
        };
        let keeps: Vec<f64> = (0..4000)
            .map(|batch| mix.draw(1, batch, shape).keep())
            .collect();
        let mean = keeps.iter().sum::<f64>() / 4000.0;
        let var = keeps.iter().map(|k| (k - mean).powi(2)).sum::<f64>() / 4000.0;
        // Beta(α, α): mean 1/2, variance 1/(4(2α + 1)).
        let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
        assert!((mean - 0.5).abs() < 0.03, "{alpha}: {mean}");
        assert!(
            (var / expected - 1.0).abs() < 0.1,
            "{alpha}: {var} {expected}"
        );
    }
    assert_eq!(Mix::default().draw(1, 2, shape), Mixture::None);
}
