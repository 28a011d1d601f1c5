use super::augment::draw_mirror;
use super::naive::{naive_crop, naive_mirror, naive_normalise, naive_resize};
use super::*;
use crate::Image;
use inception_tensor::Stream;
use proptest::prelude::*;

fn random_image(width: usize, height: usize, channels: usize, seed: u64) -> Image {
    let mut stream = Stream::new(&[seed]);
    Image {
        width,
        height,
        channels,
        pixels: (0..width * height * channels)
            .map(|_| stream.below(256) as u8)
            .collect(),
    }
}

fn largest_difference(a: &Image, b: &Image) -> u8 {
    assert_eq!(
        (a.width, a.height, a.channels),
        (b.width, b.height, b.channels)
    );
    let differences = a.pixels.iter().zip(&b.pixels).map(|(a, b)| a.abs_diff(*b));
    differences.max().unwrap_or(0)
}

fn interpolation() -> impl Strategy<Value = Interpolation> {
    prop::sample::select(Interpolation::ALL.to_vec())
}

fn image() -> impl Strategy<Value = Image> {
    let channels = prop::sample::select(vec![1_usize, 3]);
    (1..24_usize, 1..24_usize, channels, any::<u64>())
        .prop_map(|(w, h, c, seed)| random_image(w, h, c, seed))
}

/// Whether rounding decides which pixel is the nearest to a centre: it lies between two.
fn has_ties(from: usize, to: usize) -> bool {
    (0..to).any(|x| ((2 * x + 1) * from).is_multiple_of(2 * to))
}

/// [`has_ties`] for either side, where the nearest pixel is asked for.
fn is_tied(image: &Image, size: Size, by: Interpolation) -> bool {
    by == Interpolation::Nearest
        && (has_ties(image.width, size.width) || has_ties(image.height, size.height))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn resizing_is_the_textbook_sum(
        image in image(), width in 1..30_usize, height in 1..30_usize, by in interpolation(),
    ) {
        // Where a pixel's centre falls on the edge of a box, rounding decides who gets it.
        let edge = |from: usize, to: usize| by == Interpolation::Area && (from < 2 * to || !from.is_multiple_of(to));
        prop_assume!(!edge(image.width, width) && !edge(image.height, height));
        let size = Size { width, height };
        prop_assume!(!is_tied(&image, size, by));
        let naive = naive_resize(&image, size, by);
        prop_assert!(largest_difference(&resize(&image, size, by), &naive) <= 2);
    }

    #[test]
    fn a_window_of_a_resized_picture_is_cut_from_the_whole(
        image in image(), width in 4..40_usize, height in 4..40_usize, by in interpolation(),
        left in 0..4_isize, top in 0..4_isize,
    ) {
        let size = Size { width, height };
        prop_assume!(by != Interpolation::Area && !is_tied(&image, size, by));
        let window = Window {
            left, top,
            width: width - left as usize - width / 8,
            height: height - top as usize - height / 8,
        };
        prop_assume!(window.width > 0 && window.height > 0 && window.is_inside(size));
        let whole = naive_crop(&resize(&image, size, by), window);
        let part = resize_window(&image, size, window, by);
        prop_assert!(largest_difference(&part, &whole) <= 2);
    }

    #[test]
    fn cropping_and_resizing_sees_nothing_beyond_the_crop(
        image in image(), width in 1..12_usize, height in 1..12_usize,
        seed in any::<u64>(), by in interpolation(),
    ) {
        let crop = ResizedCrop::default();
        let window = crop.draw(Size::of(&image), &mut Stream::new(&[seed]));
        let size = Size { width, height };
        let expected = resize(&naive_crop(&image, window), size, by);
        prop_assert_eq!(crop_and_resize(&image, window, size, by), expected);
    }

    #[test]
    fn normalised_windows_are_crop_mirror_and_formula(
        image in image(), n in prop::sample::select(vec![1_usize, 3]), mirrored in any::<bool>(),
        left in -9..9_isize, top in -9..9_isize, width in 1..20_usize, height in 1..20_usize,
    ) {
        let (mean, std) = ([0.5, 0.4, 0.3], [0.2, 0.25, 0.3]);
        let window = Window { left, top, width, height };
        let mut out = vec![f32::NAN; width * height * n];
        let mirror = if mirrored { Mirror::Horizontal } else { Mirror::No };
        Normalise::new(&mean[..n], &std[..n]).write(&image, window, mirror, &mut out);
        let mut expected = naive_crop(&image, window);
        if mirrored {
            expected = naive_mirror(&expected);
        }
        let expected = naive_normalise(&expected, &mean[..n], &std[..n]);
        // A luma that falls on a half may be rounded either way.
        let tolerance = if image.channels == 3 && n == 1 { 1.01 / 255.0 / 0.2 } else { 0.0 };
        for (a, b) in out.iter().zip(&expected) {
            prop_assert!((a - b).abs() <= tolerance, "{} {}", a, b);
        }
    }

    #[test]
    fn random_parts_keep_area_and_proportions(
        width in 8..400_usize, height in 8..400_usize, seed in any::<u64>(),
    ) {
        let size = Size { width, height };
        let window = ResizedCrop::default().draw(size, &mut Stream::new(&[seed]));
        prop_assert!(window.is_inside(size));
        let (w, h) = (window.width as f64, window.height as f64);
        prop_assert!(w + 1.0 >= (h - 1.0) * 0.75 && h + 1.0 >= (w - 1.0) * 0.75, "{:?}", window);
        let total = (width * height) as f64;
        prop_assert!((w + 1.0) * (h + 1.0) >= 0.08 * total || w == width as f64 || h == height as f64);
    }

    #[test]
    fn shifts_stay_within_the_padding(side in 1..80_usize, seed in any::<u64>()) {
        let size = Size { width: side, height: side };
        let window = PadCrop::default().draw(size, &mut Stream::new(&[seed]));
        let most = (side as f64 / 8.0).round() as isize;
        prop_assert!(window.left.abs() <= most && window.top.abs() <= most);
        prop_assert_eq!((window.width, window.height), (side, side));
    }

    #[test]
    fn preprocessing_survives_its_text(
        c in prop::sample::select(vec![1_usize, 3]), h in 1..600_usize, w in 1..600_usize,
        extra in 0..100_usize, kind in 0..3_usize, by in interpolation(),
        mean in -2.0..2.0_f32, std in 1e-6..3.0_f32,
    ) {
        let preprocess = Preprocess {
            input: [c, h, w],
            resize: [None, Some(ResizeSpec::Stretch), Some(ResizeSpec::Shorter(h.max(w) + extra))][kind],
            interpolation: by,
            mean: vec![mean; c],
            std: vec![std; c],
        };
        let read = Preprocess::from_map(&preprocess.to_map()).unwrap();
        prop_assert_eq!(read, Some(preprocess));
    }
}

/// The window begins where a filter's outermost weight is exactly 0, and its second pixel
/// needs a column further left than its first.
#[test]
fn windows_whose_second_pixel_reaches_further_than_their_first_are_right() {
    let image = random_image(18, 5, 3, 1);
    let size = Size {
        width: 30,
        height: 9,
    };
    for by in [Interpolation::Bicubic, Interpolation::Lanczos] {
        for left in 0..8 {
            let window = Window {
                left,
                top: 1,
                width: 22,
                height: 7,
            };
            let whole = naive_crop(&naive_resize(&image, size, by), window);
            let part = resize_window(&image, size, window, by);
            assert!(largest_difference(&part, &whole) <= 2, "{by:?} {left}");
        }
    }
}

#[test]
fn centres_round_like_torchvision() {
    let size = |width, height| Size { width, height };
    let left = |outer, inner| Window::centre(size(outer, 9), size(inner, 9)).left;
    // Python's round(): a half goes to the even neighbour.
    assert_eq!(
        [left(341, 224), left(343, 224), left(256, 224)],
        [58, 60, 16]
    );
    assert_eq!(
        [left(5, 4), left(7, 4), left(4, 5), left(4, 7)],
        [0, 2, 0, -2]
    );
}

#[test]
fn the_longer_side_is_rounded_down() {
    let size = Size {
        width: 500,
        height: 333,
    };
    let resized = size.with_shorter(256);
    assert_eq!((resized.width, resized.height), (384, 256));
}

#[test]
fn extreme_proportions_are_resized_without_a_giant_picture() {
    let pipeline = Pipeline::evaluation(Preprocess::photograph(224, 224)).unwrap();
    let mut out = vec![f32::NAN; 224 * 224 * 3];
    for (w, h) in [(1, 1), (1, 10_000), (10_000, 1), (2, 2), (3, 3)] {
        let start = std::time::Instant::now();
        pipeline
            .evaluate(&random_image(w, h, 3, 1), &mut out)
            .unwrap();
        assert!(out.iter().all(|v| v.is_finite()));
        assert!(start.elapsed().as_millis() < 500, "{w}×{h}");
    }
}

#[test]
fn evaluation_is_resize_centre_and_normalise() {
    let image = random_image(50, 37, 3, 5);
    let preprocess = Preprocess {
        input: [3, 24, 20],
        resize: Some(ResizeSpec::Shorter(28)),
        ..Preprocess::photograph(24, 20)
    };
    let resized = naive_resize(
        &image,
        Size {
            width: 28 * 50 / 37,
            height: 28,
        },
        Interpolation::Bilinear,
    );
    let window = Window {
        left: 8,
        top: 2,
        width: 20,
        height: 24,
    };
    let expected = naive_normalise(&naive_crop(&resized, window), &IMAGENET_MEAN, &IMAGENET_STD);
    let mut out = vec![0.0; expected.len()];
    let pipeline = Pipeline::evaluation(preprocess).unwrap();
    pipeline.evaluate(&image, &mut out).unwrap();
    for (a, b) in out.iter().zip(&expected) {
        assert!((a - b).abs() < 2.5 / 255.0 / 0.22, "{a} {b}");
    }
}

#[test]
fn pictures_of_another_size_need_a_resize() {
    let pipeline = Pipeline::evaluation(Preprocess::exact([1, 28, 28], &[0.5], &[0.5])).unwrap();
    let mut out = vec![0.0; 28 * 28];
    let error = pipeline.evaluate(&random_image(30, 28, 1, 0), &mut out);
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("30×28 pixels, 28×28 are needed"),
        "{message}"
    );
}

#[test]
fn a_shift_is_the_middle_of_a_padded_picture() {
    let image = random_image(16, 16, 3, 3);
    let preprocess = Preprocess::exact([3, 16, 16], &[0.0; 3], &[1.0 / 255.0; 3]);
    let augment = Augment::basic(&preprocess);
    let Cut::PadCrop(pad_crop) = augment.cut.clone() else {
        panic!("small pictures are shifted");
    };
    let pipeline = Pipeline::new(preprocess, augment).unwrap();
    let mut out = vec![0.0; 16 * 16 * 3];
    for seed in 0..50 {
        pipeline
            .apply(&image, &mut Stream::new(&[seed]), &mut out)
            .unwrap();
        let mut stream = Stream::new(&[seed]);
        let window = pad_crop.draw(Size::of(&image), &mut stream);
        let mut expected = naive_crop(&image, window);
        if draw_mirror(0.5, &mut stream) == Mirror::Horizontal {
            expected = naive_mirror(&expected);
        }
        let bytes: Vec<u8> = out.iter().map(|v| v.round() as u8).collect();
        assert_eq!(bytes, expected.pixels);
    }
}

#[test]
fn photographs_are_cut_mirrored_and_coloured_as_drawn() {
    let image = random_image(60, 40, 3, 3);
    let mut preprocess = Preprocess::photograph(24, 24);
    preprocess.mean = vec![0.0; 3];
    preprocess.std = vec![1.0 / 255.0; 3];
    let Cut::ResizedCrop(crop) = Augment::paper().cut else {
        panic!("the paper cuts parts out");
    };
    let size = preprocess.size();
    let pipeline = Pipeline::new(preprocess, Augment::paper()).unwrap();
    let mut out = vec![0.0; 24 * 24 * 3];
    for seed in 0..20 {
        pipeline
            .apply(&image, &mut Stream::new(&[seed]), &mut out)
            .unwrap();
        let mut stream = Stream::new(&[seed]);
        let window = crop.draw(Size::of(&image), &mut stream);
        let mirror = draw_mirror(0.5, &mut stream);
        let by = crop.interpolations[stream.below(4) as usize];
        let mut expected = resize(&naive_crop(&image, window), size, by);
        let steps = ColorJitter::default().draw(&mut stream);
        steps.into_iter().for_each(|s| s.apply(&mut expected));
        if mirror == Mirror::Horizontal {
            expected = naive_mirror(&expected);
        }
        let bytes: Vec<u8> = out.iter().map(|v| v.round() as u8).collect();
        assert_eq!(bytes, expected.pixels);
    }
}

#[test]
fn a_mirror_draws_evenly_and_0_means_never() {
    let mut stream = Stream::new(&[1]);
    let mut count = |p: f64| {
        let draws = (0..4000).map(|_| draw_mirror(p, &mut stream));
        draws.filter(|m| *m == Mirror::Horizontal).count()
    };
    assert!((1850..2150).contains(&count(0.5)));
    assert_eq!([count(0.0), count(1.0)], [0, 4000]);
}

#[test]
fn colour_steps_move_bytes_away_from_their_base() {
    let gradient = Image {
        width: 3,
        height: 1,
        channels: 3,
        pixels: vec![100, 0, 0, 0, 100, 0, 200, 200, 200],
    };
    let after = |step: ColorStep| {
        let mut image = gradient.clone();
        step.apply(&mut image);
        image.pixels
    };
    for step in [
        ColorStep::Brightness(1.0),
        ColorStep::Contrast(1.0),
        ColorStep::Saturation(1.0),
    ] {
        assert_eq!(after(step), gradient.pixels);
    }
    assert_eq!(
        after(ColorStep::Brightness(1.5)),
        [150, 0, 0, 0, 150, 0, 255, 255, 255]
    );
    // Luma of the pixels: 30, 59, 200; their mean is 96.
    assert_eq!(after(ColorStep::Contrast(0.0)), [96; 9]);
    assert_eq!(
        after(ColorStep::Saturation(0.0)),
        [30, 30, 30, 59, 59, 59, 200, 200, 200]
    );
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let refuse = |change: &dyn Fn(&mut Preprocess), expected: &str| {
        let mut preprocess = Preprocess::photograph(224, 224);
        change(&mut preprocess);
        let message = preprocess.validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    refuse(&|p| p.input[0] = 2, "1 or 3 channels, found 2");
    refuse(
        &|p| p.input[1] = 0,
        "sides of 1 to 8192 pixels, found 0×224",
    );
    refuse(
        &|p| p.mean = vec![0.5],
        "3 means and deviations, found 1 and 3",
    );
    refuse(&|p| p.mean[1] = f32::NAN, "finite means");
    refuse(&|p| p.std[2] = 0.0, "deviations above 0");
    refuse(
        &|p| p.resize = Some(ResizeSpec::Shorter(200)),
        "resized to 200, below",
    );
    let augment = Augment {
        cut: Cut::PadCrop(PadCrop {
            padding: f64::NAN,
            mirror: 0.5,
        }),
        ..Augment::default()
    };
    assert!(
        augment
            .validate()
            .unwrap_err()
            .to_string()
            .contains("padding")
    );
    assert!(Augment::from_name("basci", &Preprocess::photograph(8, 8)).is_err());
}

#[test]
fn malformed_metadata_names_key_and_value() {
    let good = Preprocess::photograph(224, 224).to_map();
    assert_eq!(Preprocess::from_map(&Default::default()).unwrap(), None);
    for (key, value, expected) in [
        (
            "preprocess.input",
            "3,224",
            "expected channels,height,width, found \"3,224\"",
        ),
        (
            "preprocess.mean",
            "0.5,x,0.5",
            "expected numbers with commas",
        ),
        (
            "preprocess.resize",
            "shorter:-1",
            "none, stretch or shorter:N",
        ),
        (
            "preprocess.interpolation",
            "cubic\u{1b}",
            "found \"cubic\\u{1b}\"",
        ),
    ] {
        let mut map = good.clone();
        map.insert(key.into(), value.into());
        let message = Preprocess::from_map(&map).unwrap_err().to_string();
        assert!(
            message.starts_with(key) && message.contains(expected),
            "{message}"
        );
    }
    let mut map = good;
    map.remove("preprocess.std");
    let message = Preprocess::from_map(&map).unwrap_err().to_string();
    assert_eq!(message, "preprocess.std is missing");
}
