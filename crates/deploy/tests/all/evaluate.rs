//! Predictions and evaluations against plain sums.

use crate::common::{predictor, weights};
use inception_data::shapes::{Shapes, ShapesConfig};
use inception_data::{CropTransform, Crops, Dataset, Split, Transform};
use inception_deploy::{Answer, EvalConfig, Evaluation, Predictor, evaluate};
use std::sync::Arc;

fn shapes(n: usize) -> Arc<dyn Dataset> {
    let config = ShapesConfig {
        test_len: n,
        ..ShapesConfig::default()
    };
    Arc::new(Shapes::new(config, Split::Test).unwrap())
}

fn run(seeds: &[u64], threads: usize, data: &Arc<dyn Dataset>, batch_size: usize) -> Evaluation {
    let mut predictors: Vec<Predictor> = seeds
        .iter()
        .map(|&s| predictor(weights(s), threads))
        .collect();
    let config = EvalConfig {
        batch_size,
        workers: threads - 1,
        ..EvalConfig::default()
    };
    evaluate(&mut predictors, data, &config, |_| {}).unwrap()
}

#[test]
fn figures_are_plain_means_over_the_images() {
    let data = shapes(23);
    let found = run(&[1], 1, &data, 8);
    let mut network = predictor(weights(1), 1);
    let (mut loss, mut right, mut in_five) = (0.0, 0, 0);
    for i in 0..data.len() {
        let sample = data.get(i).unwrap();
        let answer = &network.classify(&[sample.image]).unwrap()[0];
        loss -= f64::from(answer.probs[sample.label as usize]).ln();
        let best: Vec<usize> = answer.top(5).map(|r| r.index).collect();
        right += usize::from(best[0] == sample.label as usize);
        in_five += usize::from(best.contains(&(sample.label as usize)));
    }
    assert_eq!(found.images, 23);
    assert!((found.loss() - loss / 23.0).abs() < 1e-5);
    assert_eq!(found.top1(), right as f64 / 23.0);
    assert_eq!(found.top5(), in_five as f64 / 23.0);
    assert_eq!(found.per_class.iter().map(|c| c.images).sum::<u64>(), 23);
    assert_eq!(found.per_class.iter().map(|c| c.predicted).sum::<u64>(), 23);
}

#[test]
fn threads_and_batch_size_change_no_bit() {
    let data = shapes(21);
    let expected = run(&[2], 1, &data, 21);
    for (threads, batch_size) in [(1, 1), (2, 8), (3, 20), (2, 64)] {
        let found = run(&[2], threads, &data, batch_size);
        assert_eq!(
            found, expected,
            "{threads} threads, batches of {batch_size}"
        );
        assert_eq!(found.loss().to_bits(), expected.loss().to_bits());
    }
}

#[test]
fn an_ensemble_averages_probabilities() {
    let data = shapes(12);
    let found = run(&[1, 2, 3], 1, &data, 5);
    let mut networks = [1, 2, 3].map(|seed| predictor(weights(seed), 1));
    let mut loss = 0.0;
    for i in 0..data.len() {
        let sample = data.get(i).unwrap();
        let mean: f64 = networks
            .iter_mut()
            .map(|n| {
                let answer = n.classify(std::slice::from_ref(&sample.image)).unwrap();
                f64::from(answer[0].probs[sample.label as usize]) / 3.0
            })
            .sum();
        loss -= mean.ln();
    }
    assert_eq!(found.models, 3);
    assert!((found.loss() - loss / 12.0).abs() < 1e-5);
}

#[test]
fn members_of_an_ensemble_may_prepare_images_differently() {
    let data = shapes(12);
    let mut grey = weights(2);
    grey.preprocess.mean = vec![0.3; 3];
    let mut both = [predictor(weights(1), 1), predictor(grey, 1)];
    let config = EvalConfig {
        batch_size: 5,
        ..EvalConfig::default()
    };
    let found = evaluate(&mut both, &data, &config, |_| {}).unwrap();
    assert_eq!((found.images, found.models), (12, 2));
    assert_ne!(found.loss(), run(&[1, 2], 1, &data, 5).loss());
}

#[test]
fn numbers_that_are_not_finite_are_counted_and_are_never_right() {
    let data = shapes(20);
    let mut broken = weights(1);
    let id = broken.model.specs().find("fc.bias").unwrap();
    broken.parameters.get_mut(id).fill(f32::NAN);
    let mut predictors = [predictor(broken, 1)];
    let found = evaluate(&mut predictors, &data, &EvalConfig::default(), |_| {}).unwrap();
    assert_eq!(found.non_finite, 20);
    assert!(found.loss().is_nan());
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let data = shapes(5);
    let refused = |predictors: &mut [Predictor], config: &EvalConfig| {
        let error = evaluate(predictors, &data, config, |_| {}).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let mut one = [predictor(weights(0), 1)];
    let config = EvalConfig {
        batch_size: 0,
        ..EvalConfig::default()
    };
    assert_eq!(
        refused(&mut one, &config),
        "a batch has at least 1 item, found 0"
    );
    assert!(refused(&mut [], &EvalConfig::default()).contains("at least one file"));
    let mut named = weights(0);
    named.meta.class_names = (0..10).map(|i| i.to_string()).collect();
    let message = refused(&mut [predictor(named, 1)], &EvalConfig::default());
    assert!(
        message.contains("\"0\" and \"disc\" have the same number"),
        "{message}"
    );
}

#[test]
fn views_of_an_image_are_averaged_whatever_the_size_of_batches() {
    let data = shapes(3);
    for crops in [Crops::Two, Crops::Ten, Crops::Paper] {
        let run = |batch_size, seeds: &[u64]| {
            let mut networks: Vec<Predictor> =
                seeds.iter().map(|&s| predictor(weights(s), 1)).collect();
            let config = EvalConfig {
                batch_size,
                crops,
                ..EvalConfig::default()
            };
            let mut items = Vec::new();
            let each = |answer: &Answer<'_>| items.push((answer.item, answer.label));
            let found = evaluate(&mut networks, &data, &config, each).unwrap();
            let labels = (0..3).map(|i| (i, data.label(i) as usize));
            assert_eq!(items, labels.collect::<Vec<_>>());
            found
        };
        let found = run(7, &[1]);
        assert_eq!(found, run(64, &[1]));
        assert_eq!(run(31, &[1, 2]), run(300, &[1, 2]));
        let expected = mean_loss(&data, crops);
        assert!(
            (found.loss() - expected).abs() < 1e-5,
            "{} {expected}",
            found.loss()
        );
        assert_eq!(found.confusion().flatten().sum::<u64>(), 3);
    }
}

/// Loss of the network of seed 1, each view and its mirror image run alone.
fn mean_loss(data: &Arc<dyn Dataset>, crops: Crops) -> f64 {
    let mut network = predictor(weights(1), 1);
    let transform = CropTransform::new(network.preprocess().clone(), crops).unwrap();
    let shape = transform.output();
    let mut loss = 0.0;
    for i in 0..data.len() {
        let sample = data.get(i).unwrap();
        let mut views = vec![0.0; shape.len()];
        let mut stream = inception_tensor::Stream::new(&[]);
        transform
            .apply(&sample.image, &mut stream, &mut views)
            .unwrap();
        let mut mean = 0.0;
        for view in views.chunks_exact(shape.len() / shape.n) {
            let pixel = |y: usize, x: usize| &view[(y * shape.w + x) * shape.c..][..shape.c];
            let places = (0..shape.h).flat_map(|y| (0..shape.w).rev().map(move |x| (y, x)));
            let mirrored: Vec<f32> = places.flat_map(|(y, x)| pixel(y, x)).copied().collect();
            for image in [view, &mirrored] {
                let answer = &network.classifier().run(1, image).unwrap()[0];
                mean += f64::from(answer.probs[sample.label as usize]) / crops.count() as f64;
            }
        }
        loss -= mean.ln() / data.len() as f64;
    }
    loss
}
