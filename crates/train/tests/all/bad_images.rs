//! Images that cannot be read.

use crate::common::{assert_same, config, datasets, remains, run, run_until};
use inception_data::{DataError, Dataset, Sample};
use inception_train::{BadImages, Datasets, Event, TrainConfig, Trainer};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A set of which one image cannot be read.
struct OneBad(Arc<dyn Dataset>);

impl Dataset for OneBad {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }

    fn label(&self, i: usize) -> u32 {
        self.0.label(i)
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        match i {
            5 => Err(DataError::Item {
                item: i,
                origin: self.origin(i),
                source: Box::new(DataError::Usage("torn".into())),
            }),
            _ => self.0.get(i),
        }
    }

    fn origin(&self, i: usize) -> String {
        self.0.origin(i)
    }

    fn fingerprint(&self) -> u64 {
        self.0.fingerprint()
    }
}

fn one_bad() -> Datasets {
    let sets = datasets();
    Datasets {
        train: Arc::new(OneBad(sets.train)),
        ..sets
    }
}

#[test]
fn an_image_that_cannot_be_read_ends_the_run_or_is_left_out_of_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let fail = dir.path().join("fail");
    let mut trainer = Trainer::new(config(), &fail, one_bad()).unwrap();
    let error = run(&mut trainer).unwrap_err();
    assert!(error.to_string().contains("item 5"), "{error}");

    let skip = TrainConfig {
        on_bad_image: BadImages::Skip(1),
        ..config()
    };
    let left = |stop: Option<u64>| {
        let dir = tempfile::tempdir().unwrap();
        let mut trainer = Trainer::new(skip.clone(), dir.path(), one_bad()).unwrap();
        if let Some(step) = stop {
            run_until(&mut trainer, step);
            drop(trainer);
            let options = Default::default();
            trainer = Trainer::resume_with(dir.path(), &options, |_| Ok(one_bad())).unwrap();
        }
        let (mut bad, mut images) = (Vec::new(), 0);
        let mut observe = |event: &Event<'_>| match event {
            Event::BadImage(item) => bad.push(item.item),
            Event::Step(metrics) => images += metrics.images,
            _ => {}
        };
        let stop = AtomicBool::new(false);
        trainer.run(&mut observe, &stop).unwrap();
        (remains(dir.path()), bad, images)
    };
    let (expected, bad, images) = left(None);
    assert_eq!((bad, images), (vec![5, 5, 5], 63));
    assert_same(&left(Some(4)).0, &expected, "with an image left out");
}
