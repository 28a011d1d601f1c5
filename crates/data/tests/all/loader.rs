//! The loader: order, resume, memory, bad items, panics.

use inception_data::{
    Augment, BadImages, Batch, DataError, Dataset, ErrorKind, Image, LastBatch, Loader,
    LoaderConfig, Order, Pipeline, Position, Preprocess, Sample,
};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SIDE: usize = 6;

/// Grey images whose pixels depend on the item; some cannot be read.
struct Numbers {
    len: usize,
    classes: Vec<String>,
    bad: Vec<usize>,
    panicking: Vec<usize>,
    runs: Vec<Range<usize>>,
    reads: AtomicUsize,
}

impl Numbers {
    fn new(len: usize) -> Self {
        Self {
            len,
            classes: (0..3).map(|c| c.to_string()).collect(),
            bad: Vec::new(),
            panicking: Vec::new(),
            runs: Vec::new(),
            reads: AtomicUsize::new(0),
        }
    }
}

impl Dataset for Numbers {
    fn len(&self) -> usize {
        self.len
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> u32 {
        i as u32 % 3
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        // Uneven work, so that workers overtake each other.
        std::thread::sleep(Duration::from_micros((i * 7 % 5) as u64 * 20));
        assert!(!self.panicking.contains(&i), "item {i} is a trap");
        if self.bad.contains(&i) {
            return Err(DataError::Malformed {
                path: self.origin(i).into(),
                message: "damaged".into(),
            });
        }
        Ok(Sample {
            image: Image {
                width: SIDE,
                height: SIDE,
                channels: 1,
                pixels: (0..SIDE * SIDE).map(|p| (i * 31 + p * 7) as u8).collect(),
            },
            label: self.label(i),
        })
    }

    fn origin(&self, i: usize) -> String {
        format!("numbers/{i}.png")
    }

    fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    fn fingerprint(&self) -> u64 {
        self.len as u64
    }
}

fn loader(data: Numbers, config: LoaderConfig) -> Result<Loader, DataError> {
    let preprocess = Preprocess::exact([1, SIDE, SIDE], &[0.5], &[0.25]);
    let augment = Augment::basic(&preprocess);
    let pipeline = Pipeline::new(preprocess, augment)?;
    Loader::new(Arc::new(data), Arc::new(pipeline), config)
}

/// Everything that a batch says, bit for bit.
type Content = (u64, u64, Vec<usize>, Vec<u32>, Vec<u32>);

fn content(batch: &Batch) -> Content {
    assert_eq!(batch.images.len(), batch.shape().len());
    assert_eq!(batch.items.len(), batch.len());
    let bits = batch.images.iter().map(|v| v.to_bits()).collect();
    (
        batch.epoch,
        batch.index_in_epoch,
        batch.items.clone(),
        batch.labels.clone(),
        bits,
    )
}

fn run(data: Numbers, config: LoaderConfig) -> Vec<Content> {
    let loader = loader(data, config).unwrap();
    loader.map(|batch| content(&batch.unwrap())).collect()
}

fn config(batch_size: usize, epochs: u64) -> LoaderConfig {
    LoaderConfig {
        batch_size,
        epochs: Some(epochs),
        ..LoaderConfig::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn content_depends_on_the_seed_alone_not_on_workers(
        len in 1..40_usize, batch_size in 1..12_usize, seed in any::<u64>(),
        prefetch in 1..6_usize, drop_last in any::<bool>(), shuffled in any::<bool>(),
    ) {
        let config = LoaderConfig {
            seed,
            prefetch,
            last_batch: if drop_last && len >= batch_size { LastBatch::Drop } else { LastBatch::Keep },
            order: if shuffled { Order::Shuffled } else { Order::Sequential },
            ..config(batch_size, 3)
        };
        let expected = run(Numbers::new(len), LoaderConfig { workers: 0, ..config.clone() });
        for workers in [1, 2, 4] {
            let found = run(Numbers::new(len), LoaderConfig { workers, ..config.clone() });
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn a_loader_that_starts_anywhere_yields_the_tail_of_the_whole(
        len in 1..30_usize, batch_size in 1..8_usize, seed in any::<u64>(),
        workers in 0..3_usize, at in any::<prop::sample::Index>(),
    ) {
        let whole_config = LoaderConfig { seed, workers, ..config(batch_size, 3) };
        let whole = run(Numbers::new(len), whole_config.clone());
        let at = at.index(whole.len() + 1);
        let mut first = loader(Numbers::new(len), whole_config.clone()).unwrap();
        for _ in 0..at {
            first.next().unwrap().unwrap();
        }
        let tail = run(Numbers::new(len), LoaderConfig { start: first.position(), ..whole_config });
        prop_assert_eq!(&tail[..], &whole[at..]);
    }

    #[test]
    fn every_epoch_visits_every_item_once(
        len in 1..60_usize, batch_size in 1..9_usize, seed in any::<u64>(),
    ) {
        let batches = run(Numbers::new(len), LoaderConfig { seed, workers: 0, ..config(batch_size, 2) });
        for epoch in 0..2 {
            let mut items: Vec<usize> = batches.iter()
                .filter(|b| b.0 == epoch)
                .flat_map(|b| b.2.clone())
                .collect();
            items.sort_unstable();
            prop_assert_eq!(items, (0..len).collect::<Vec<_>>());
        }
    }
}

#[test]
fn epochs_and_seeds_have_different_orders() {
    let items = |seed, epoch: usize| {
        let config = LoaderConfig {
            seed,
            ..config(50, 2)
        };
        run(Numbers::new(50), config)[epoch].2.clone()
    };
    assert_ne!(items(0, 0), items(0, 1));
    assert_ne!(items(0, 0), items(1, 0));
}

#[test]
fn a_golden_order_never_changes_silently() {
    let items = run(Numbers::new(10), config(10, 1))[0].2.clone();
    assert_eq!(items, [0, 6, 7, 8, 9, 4, 5, 3, 1, 2]);
}

#[test]
fn short_last_batches_are_kept_or_dropped() {
    let sizes = |last_batch| {
        let config = LoaderConfig {
            last_batch,
            ..config(4, 1)
        };
        let batches = run(Numbers::new(10), config);
        batches.iter().map(|b| b.2.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(LastBatch::Keep), [4, 4, 2]);
    assert_eq!(sizes(LastBatch::Drop), [4, 4]);
}

#[test]
fn steady_state_reuses_the_memory_of_batches() {
    for workers in [0, 3] {
        let config = LoaderConfig {
            workers,
            prefetch: 4,
            ..config(5, 100)
        };
        let mut places = std::collections::BTreeSet::new();
        for batch in loader(Numbers::new(20), config).unwrap() {
            places.insert(batch.unwrap().images.as_ptr() as usize);
        }
        // Those in the queue, and the one in use.
        assert!(places.len() <= 5, "{} buffers", places.len());
    }
}

#[test]
fn workers_stop_reading_when_enough_is_ahead() {
    let data = Arc::new(Numbers::new(1000));
    let preprocess = Preprocess::exact([1, SIDE, SIDE], &[0.5], &[0.25]);
    let pipeline = Arc::new(Pipeline::evaluation(preprocess).unwrap());
    let config = LoaderConfig {
        workers: 4,
        prefetch: 3,
        ..config(10, 1)
    };
    let loader = Loader::new(data.clone(), pipeline, config).unwrap();
    let start = std::time::Instant::now();
    while data.reads.load(Ordering::Relaxed) < 30 {
        assert!(
            start.elapsed().as_secs() < 10,
            "three batches are read ahead"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(20));
    drop(loader);
    assert_eq!(data.reads.load(Ordering::Relaxed), 30);
    assert_eq!(Arc::strong_count(&data), 1, "the workers have ended");
}

fn with_bad(bad: &[usize]) -> Numbers {
    Numbers {
        bad: bad.to_vec(),
        ..Numbers::new(20)
    }
}

fn sequential(bad_images: BadImages, workers: usize) -> LoaderConfig {
    LoaderConfig {
        order: Order::Sequential,
        bad_images,
        workers,
        ..config(5, 2)
    }
}

#[test]
fn a_bad_item_fails_with_its_number_and_origin() {
    for workers in [0, 1, 4] {
        let config = sequential(BadImages::Fail, workers);
        let mut loader = loader(with_bad(&[7]), config).unwrap();
        assert_eq!(loader.next().unwrap().unwrap().items, [0, 1, 2, 3, 4]);
        let error = loader.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "item 7 (numbers/7.png): damaged");
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(loader.next().is_none());
        let first = Position {
            batch: 1,
            ..Position::default()
        };
        assert_eq!(loader.position(), first);
    }
}

#[test]
fn skipped_items_leave_the_batch_shorter_and_no_other_item_moves() {
    let clean = run(Numbers::new(20), sequential(BadImages::Fail, 0));
    for workers in [0, 1, 4] {
        let config = sequential(BadImages::Skip { at_most: 6 }, workers);
        let mut loader = loader(with_bad(&[3, 10, 11, 12, 13, 14]), config).unwrap();
        let found: Vec<Content> = loader.by_ref().map(|b| content(&b.unwrap())).collect();
        let items: Vec<Vec<usize>> = found.iter().map(|b| b.2.clone()).collect();
        // The third batch of each epoch has no readable item and is passed over.
        let epoch = [
            vec![0, 1, 2, 4],
            vec![5, 6, 7, 8, 9],
            vec![15, 16, 17, 18, 19],
        ];
        assert_eq!(items, [epoch.clone(), epoch].concat());
        assert_eq!(found[2].1, 3);
        assert_eq!(found[1], clean[1]);
        let pixels = SIDE * SIDE;
        assert_eq!(found[0].4[3 * pixels..], clean[0].4[4 * pixels..]);
        let report = loader.skipped();
        assert_eq!((report.this_epoch, report.total), (6, 12));
        assert_eq!(report.examples[0].origin, "numbers/3.png");
        assert_eq!(report.examples[0].reason, "damaged");
    }
}

#[test]
fn items_left_out_before_a_resume_in_mid_epoch_count_towards_the_limit() {
    for workers in [0, 2] {
        let config = |at_most| sequential(BadImages::Skip { at_most }, workers);
        let mut first = loader(with_bad(&[3, 17]), config(1)).unwrap();
        first.next().unwrap().unwrap();
        let position = first.position();
        assert_eq!((position.batch, position.skipped), (1, 1));
        let resume = |at_most, start| {
            let config = LoaderConfig {
                start,
                ..config(at_most)
            };
            loader(with_bad(&[3, 17]), config).unwrap()
        };
        let error = resume(1, position).find_map(Result::err).unwrap();
        let DataError::TooManyBad { skipped, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(skipped, 2);
        let mut whole = resume(2, position);
        assert_eq!(whole.by_ref().map(Result::unwrap).count(), 7);
        assert_eq!((whole.skipped().this_epoch, whole.skipped().total), (2, 3));
        // The end of an epoch is the beginning of the next, where nothing was left out yet.
        let end = Position {
            batch: 4,
            ..position
        };
        assert!(resume(2, end).all(|b| b.is_ok()));
    }
}

#[test]
fn runs_are_read_a_few_at_a_time_in_a_new_order_each_epoch() {
    let data = || Numbers {
        runs: vec![0..5, 5..9, 9..15, 15..20],
        ..Numbers::new(20)
    };
    let items = |mix| -> Vec<Vec<usize>> {
        let config = LoaderConfig {
            order: Order::Runs { mix },
            ..config(20, 2)
        };
        run(data(), config).into_iter().map(|b| b.2).collect()
    };
    let run_of = |item: usize| data().runs.iter().position(|r| r.contains(&item)).unwrap();
    let one = items(1);
    let mut visited: Vec<usize> = one[0].iter().map(|&i| run_of(i)).collect();
    visited.dedup();
    assert_eq!(visited.len(), 4, "each run is read from end to end");
    assert_ne!(one[0], one[1]);
    let two = items(2);
    let mut sorted = two[0].clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..20).collect::<Vec<_>>());
}

#[test]
fn one_bad_item_too_many_is_an_error() {
    for workers in [0, 3] {
        let config = sequential(BadImages::Skip { at_most: 1 }, workers);
        let mut loader = loader(with_bad(&[3, 17]), config).unwrap();
        let read: Vec<_> = loader.by_ref().take_while(Result::is_ok).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(loader.skipped().total, 2);
        let config = sequential(BadImages::Skip { at_most: 0 }, workers);
        let error = self::loader(with_bad(&[3]), config)
            .unwrap()
            .next()
            .unwrap();
        let message = error.unwrap_err().to_string();
        let expected = "1 items could not be read, at most 0 may be skipped in an epoch; \
                        the last: item 3 (numbers/3.png): damaged";
        assert_eq!(message, expected);
    }
}

#[test]
fn a_panic_is_an_error_of_its_item_and_nothing_hangs() {
    for workers in [0, 1, 4] {
        let data = Numbers {
            panicking: vec![7],
            ..Numbers::new(20)
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let config = sequential(BadImages::Fail, workers);
            let results: Vec<_> = loader(data, config).unwrap().collect();
            sender.send(
                results
                    .into_iter()
                    .map(|r| r.map(|_| ()))
                    .collect::<Vec<_>>(),
            )
        });
        let ten_seconds = Duration::from_secs(10);
        let results = receiver.recv_timeout(ten_seconds).expect("nothing hangs");
        assert_eq!(results.len(), 2);
        let error = results[1].as_ref().unwrap_err();
        assert_eq!(
            error.to_string(),
            "item 7 (numbers/7.png): reading it failed unexpectedly: item 7 is a trap"
        );
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}

#[test]
fn impossible_configurations_are_refused_in_words() {
    let refuse = |len: usize, config: LoaderConfig, expected: &str| {
        let Err(error) = loader(Numbers::new(len), config) else {
            panic!("accepted: {expected}");
        };
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(expected), "{error}");
    };
    refuse(0, config(4, 1), "the data set has no items");
    refuse(5, config(0, 1), "a batch has at least 1 item, found 0");
    let drop_last = LoaderConfig {
        last_batch: LastBatch::Drop,
        ..config(256, 1)
    };
    refuse(
        1,
        drop_last,
        "the data set has 1 items, fewer than one batch of 256",
    );
    let late = LoaderConfig {
        start: Position {
            batch: 4,
            ..Position::default()
        },
        ..config(2, 1)
    };
    refuse(5, late, "cannot begin at batch 4: an epoch has 3");
    let idle = LoaderConfig {
        prefetch: 0,
        ..config(2, 1)
    };
    refuse(5, idle, "1 to 1024 batches ahead, found 0");
    refuse(5, config(usize::MAX / 8, 1), "is too large");
}
