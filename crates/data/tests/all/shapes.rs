//! `shapes` is the same everywhere, balanced, and shows its classes in outlines alone.

use inception_data::baseline::{BaselineOptions, baselines};
use inception_data::shapes::{Shapes, ShapesConfig, contact_sheet};
use inception_data::{DataError, Dataset, Image, Split};
use inception_tensor::{Pool, fnv1a};
use proptest::prelude::*;
use std::collections::HashSet;

const SPLITS: [Split; 3] = [Split::Train, Split::Val, Split::Test];

fn shapes(config: ShapesConfig, split: Split) -> Shapes {
    Shapes::new(config, split).expect("a valid config")
}

fn standard(split: Split) -> Shapes {
    shapes(ShapesConfig::default(), split)
}

fn image(shapes: &Shapes, i: usize) -> Image {
    shapes.get(i).expect("drawing cannot fail").image
}

/// Share of the picture that the figure covers.
fn area(shapes: &Shapes, i: usize) -> f64 {
    let mask = shapes.mask(i);
    let sum: u64 = mask.pixels.iter().map(|&v| u64::from(v)).sum();
    sum as f64 / 255.0 / mask.pixels.len() as f64
}

#[test]
fn the_first_pictures_are_the_recorded_ones() {
    let train = standard(Split::Train);
    let found: Vec<u64> = (0..8).map(|i| fnv1a(&image(&train, i).pixels)).collect();
    let labels: Vec<u32> = (0..8).map(|i| train.label(i)).collect();
    // Whoever changes these changes the dataset: raise REVISION with them.
    assert_eq!(labels, [4, 2, 3, 7, 8, 6, 0, 5]);
    let recorded: [u64; 8] = [
        0xCAE8_4D3F_9829_AFF9,
        0xD1CC_24F3_98C4_334D,
        0x2967_07F6_7081_A1D7,
        0xFF1A_476D_B5B2_14D8,
        0xEA1E_E0E9_3F7C_A8CF,
        0x3BAD_5958_3C3B_4D80,
        0xF07C_C6B7_F882_B4E2,
        0x7FC0_49EC_D2C4_63C7,
    ];
    assert_eq!(found, recorded, "found {found:#018X?}");
}

#[test]
fn an_item_is_the_same_from_any_thread_in_any_order() {
    let train = standard(Split::Train);
    let forwards: Vec<_> = (0..60).map(|i| train.get(i).expect("drawn")).collect();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let forwards = &forwards;
            scope.spawn(move || {
                let again = standard(Split::Train);
                for i in (0..60).rev().filter(|i| i % 3 == thread) {
                    assert_eq!(again.get(i).expect("drawn"), forwards[i], "item {i}");
                }
            });
        }
    });
}

#[test]
fn no_two_pictures_of_any_split_or_seed_are_the_same() {
    let mut seen = HashSet::new();
    for seed in [0, 1] {
        for split in SPLITS {
            let config = ShapesConfig {
                seed,
                ..ShapesConfig::default()
            };
            let shapes = shapes(config, split);
            seen.extend((0..500).map(|i| fnv1a(&image(&shapes, i).pixels)));
        }
    }
    assert_eq!(seen.len(), 2 * 3 * 500);
}

#[test]
fn every_run_of_as_many_items_as_classes_has_each_class_once() {
    for classes in [2, 7, 10] {
        let config = ShapesConfig {
            classes,
            train_len: 40 * classes + 1,
            ..ShapesConfig::default()
        };
        let train = shapes(config, Split::Train);
        assert_eq!(train.classes().len(), classes);
        let labels: Vec<u32> = (0..train.len()).map(|i| train.label(i)).collect();
        let runs: HashSet<&[u32]> = labels.chunks_exact(classes).collect();
        for run in &runs {
            let mut sorted = run.to_vec();
            sorted.sort_unstable();
            let all: Vec<u32> = (0..classes as u32).collect();
            assert_eq!(sorted, all);
        }
        assert!(runs.len() > 1, "every run has the same order");
        assert_eq!(train.get(3).expect("drawn").label, labels[3]);
    }
}

/// How far the mean of a class lies from the mean of all, in standard deviations of it, for
/// the class and column where that is the most.
fn largest_deviation(rows: &[(u32, Vec<f64>)]) -> f64 {
    let n = rows.len() as f64;
    let mut largest = 0.0f64;
    for column in 0..rows[0].1.len() {
        let mean = rows.iter().map(|(_, row)| row[column]).sum::<f64>() / n;
        let square: f64 = rows
            .iter()
            .map(|(_, row)| (row[column] - mean).powi(2))
            .sum();
        for class in 0..10 {
            let of_class = rows.iter().filter(|(label, _)| *label == class);
            let (count, sum) = of_class.fold((0.0, 0.0), |(count, sum), (_, row)| {
                (count + 1.0, sum + row[column])
            });
            let error = (square / n / count).sqrt();
            largest = largest.max((sum / count - mean).abs() / error);
        }
    }
    largest
}

/// One row an item: what `describe` says of its picture.
fn table(count: usize, describe: impl Fn(&Image) -> Vec<f64>) -> Vec<(u32, Vec<f64>)> {
    let train = standard(Split::Train);
    (0..count)
        .map(|i| (train.label(i), describe(&image(&train, i))))
        .collect()
}

#[test]
fn mean_colours_are_the_same_for_every_class() {
    let rows = table(10_000, |image| {
        let mut sums = vec![0.0; 3];
        for (k, &v) in image.pixels.iter().enumerate() {
            sums[k % 3] += f64::from(v);
        }
        sums
    });
    // Of 30 standard normal numbers the largest passes 4 twice in a thousand times.
    let deviation = largest_deviation(&rows);
    assert!(deviation < 4.0, "{deviation} standard deviations");
}

#[test]
fn colour_histograms_are_the_same_for_every_class() {
    let rows = table(10_000, |image| {
        let mut bins = vec![0.0; 64];
        for pixel in image.pixels.chunks(3) {
            let bin = pixel.iter().fold(0, |b, &v| b * 4 + usize::from(v / 64));
            bins[bin] += 1.0;
        }
        bins
    });
    // Of 640 standard normal numbers the largest passes 4.7 twice in a thousand times.
    let deviation = largest_deviation(&rows);
    assert!(deviation < 4.7, "{deviation} standard deviations");
}

#[test]
fn covered_areas_have_the_same_distribution_for_every_class() {
    const EACH: usize = 600;
    let train = standard(Split::Train);
    let mut areas = vec![Vec::new(); 10];
    for i in 0..10 * EACH {
        areas[train.label(i) as usize].push(area(&train, i));
    }
    let mut all: Vec<f64> = areas.concat();
    all.sort_by(f64::total_cmp);
    let below =
        |sorted: &[f64], v: f64| sorted.partition_point(|&a| a <= v) as f64 / sorted.len() as f64;
    for (class, areas) in areas.iter_mut().enumerate() {
        areas.sort_by(f64::total_cmp);
        let gap = all
            .iter()
            .map(|&v| (below(areas, v) - below(&all, v)).abs())
            .fold(0.0, f64::max);
        // Kolmogorov and Smirnov: 1.95/√n is passed once in a thousand times.
        let limit = 1.95 / (EACH as f64).sqrt();
        assert!(
            gap < limit,
            "{}: {gap} over {limit}",
            train.classes()[class]
        );
    }
}

#[test]
fn simple_models_do_not_learn_shapes() {
    let options = BaselineOptions {
        train_items: 3_000,
        test_items: 1_000,
        epochs: 10,
        ..BaselineOptions::default()
    };
    let (train, test) = (standard(Split::Train), standard(Split::Test));
    let found = baselines(&train, &test, &options, &Pool::serial()).expect("measured");
    assert!(found.majority < 0.15, "{found:?}");
    assert!(found.linear_histogram < 0.15, "{found:?}");
    assert!(found.linear_pixels < 0.2, "{found:?}");
    assert!(found.nearest_neighbour < 0.3, "{found:?}");
}

#[test]
fn the_same_scene_is_shown_at_every_side() {
    let at = |side| {
        let config = ShapesConfig {
            side,
            grain: 0.0,
            ..ShapesConfig::default()
        };
        shapes(config, Split::Val)
    };
    let (small, large) = (at(32), at(96));
    for i in 0..40 {
        let (a, b) = (image(&small, i), image(&large, i));
        let difference: f64 = (0..32 * 32 * 3)
            .map(|k| {
                let (y, x, c) = (k / 96, k / 3 % 32, k % 3);
                let middle = b.pixels[((3 * y + 1) * 96 + 3 * x + 1) * 3 + c];
                f64::from(a.pixels[k].abs_diff(middle))
            })
            .sum::<f64>()
            / (32.0 * 32.0 * 3.0);
        assert!(difference < 8.0, "item {i} differs by {difference} of 255");
        assert!((area(&small, i) - area(&large, i)).abs() < 4e-3, "item {i}");
    }
}

#[test]
fn a_mask_lies_where_the_colour_changes() {
    let config = ShapesConfig {
        clutter: 0,
        grain: 0.0,
        ..ShapesConfig::default()
    };
    let train = shapes(config, Split::Train);
    for i in 0..30 {
        let (image, mask) = (image(&train, i), train.mask(i));
        let mean = |inside: bool| {
            let wanted = if inside { 255 } else { 0 };
            let chosen: Vec<&[u8]> = image
                .pixels
                .chunks(3)
                .zip(&mask.pixels)
                .filter_map(|(pixel, &m)| (m == wanted).then_some(pixel))
                .collect();
            [0, 1, 2]
                .map(|c| chosen.iter().map(|p| f64::from(p[c])).sum::<f64>() / chosen.len() as f64)
        };
        let (figure, ground) = (mean(true), mean(false));
        let square: f64 = (0..3).map(|c| (figure[c] - ground[c]).powi(2)).sum();
        assert!(
            (square / 3.0).sqrt() > 0.15 * 255.0,
            "item {i}: {figure:?} {ground:?}"
        );
    }
}

#[test]
fn a_contact_sheet_shows_each_class_under_its_name() {
    let train = standard(Split::Train);
    let sheet = contact_sheet(&train, 10, 2).expect("drawn");
    let first = (0..).find(|&i| train.label(i) == 4).expect("class 4");
    let picture = image(&train, first);
    for (y, x) in [(0, 0), (5, 20), (31, 31)] {
        let (top, left) = (18 + 3 * y, 4 + 4 * 100 + 3 * x);
        let at = (top * sheet.width + left) * 3;
        let expected = &picture.pixels[(y * 32 + x) * 3..][..3];
        assert_eq!(&sheet.pixels[at..at + 3], expected, "pixel {y}, {x}");
    }
    let caption = &sheet.pixels[..18 * sheet.width * 3];
    assert!(caption.contains(&32), "no name is written");
}

#[test]
fn fields_out_of_range_are_refused_by_name() {
    let refused = |change: fn(&mut ShapesConfig)| {
        let mut config = ShapesConfig::default();
        change(&mut config);
        match Shapes::new(config, Split::Train) {
            Err(DataError::Usage(message)) => message,
            other => panic!("accepted: {other:?}"),
        }
    };
    let side = refused(|c| c.side = 15);
    assert_eq!(side, "shapes: side must be 16 to 1024, found 15");
    assert!(refused(|c| c.classes = 11).contains("classes must be 2 to 10, found 11"));
    assert!(refused(|c| c.size_min = 0.47).contains("size_min must be 0.1 to 0.46"));
    assert!(refused(|c| c.size_max = 0.5).contains("size_max"));
    assert!(refused(|c| c.rotation_degrees = f64::NAN).contains("found NaN"));
    assert!(refused(|c| c.clutter = 101).contains("clutter"));
    assert!(refused(|c| c.grain = -0.1).contains("grain"));
    assert!(refused(|c| c.contrast = 1.0).contains("contrast"));
}

#[test]
fn every_field_that_changes_pictures_changes_the_fingerprint() {
    let changes: [fn(&mut ShapesConfig); 11] = [
        |_| {},
        |c| c.side = 64,
        |c| c.classes = 9,
        |c| c.train_len = 100,
        |c| c.seed = 1,
        |c| c.size_min = 0.2,
        |c| c.size_max = 0.4,
        |c| c.rotation_degrees = 10.0,
        |c| c.clutter = 3,
        |c| c.grain = 0.2,
        |c| c.contrast = 0.3,
    ];
    let mut found = HashSet::new();
    for change in changes {
        let mut config = ShapesConfig::default();
        change(&mut config);
        found.insert(shapes(config, Split::Train).fingerprint());
    }
    found.insert(standard(Split::Val).fingerprint());
    assert_eq!(found.len(), changes.len() + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn figures_are_whole_and_of_the_size_asked_for_at_every_side(
        side in 16usize..=224,
        seed in any::<u64>(),
        size_min in 0.1f64..0.46,
        rotation_degrees in 0.0f64..=180.0,
        clutter in 0usize..=100,
        contrast in 0.0f64..=0.5,
    ) {
        let config = ShapesConfig {
            side, seed, size_min, rotation_degrees, clutter, contrast, grain: 0.5,
            ..ShapesConfig::default()
        };
        let (low, high) = (config.size_min.powi(2), config.size_max.powi(2));
        let train = shapes(config, Split::Train);
        for i in 0..10 {
            let sample = train.get(i).expect("drawn");
            prop_assert_eq!((sample.image.width, sample.image.height), (side, side));
            prop_assert_eq!(sample.image.channels, 3);
            prop_assert_eq!(sample.image.pixels.len(), side * side * 3);
            prop_assert!((sample.label as usize) < train.classes().len());
            // Half a pixel of doubt along an outline of at most ten sizes.
            let doubt = 0.15 * 10.0 * 0.46 / side as f64;
            let area = area(&train, i);
            prop_assert!(area > low - doubt && area < high + doubt, "{} {} {}", low, area, high);
        }
    }
}
