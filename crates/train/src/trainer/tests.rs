use super::plans::MixedBatch;
use super::step::StepEnd;
use super::*;
use crate::{Event, NonFinitePolicy, Outcome, Silent, TrainError, ValMetrics};
use inception_autograd::RunKey;
use inception_data::shapes::{Shapes, ShapesConfig};
use inception_data::{Mix, Preprocess, Split};
use inception_store::sim::SimFs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) fn datasets() -> Datasets {
    let config = ShapesConfig {
        side: 16,
        classes: 2,
        train_len: 12,
        val_len: 4,
        ..ShapesConfig::default()
    };
    let open = |split| Arc::new(Shapes::new(config.clone(), split).unwrap());
    Datasets {
        train: open(Split::Train),
        val: Some(open(Split::Val)),
        preprocess: Preprocess::exact([3, 16, 16], &[0.5; 3], &[0.25; 3]),
        reports: Vec::new(),
    }
}

pub(super) fn config() -> TrainConfig {
    TrainConfig {
        epochs: Some(4),
        batch_size: 4,
        threads: Some(1),
        workers: Some(0),
        ..TrainConfig::default()
    }
}

fn trainer(config: TrainConfig, folder: &Path) -> Trainer {
    Trainer::new(config, folder, datasets()).unwrap()
}

fn bits(trainer: &Trainer) -> Vec<u32> {
    let params = trainer.params();
    let ids = params.specs().iter().map(|(id, _)| id);
    ids.flat_map(|id| params.get(id).iter().map(|x| x.to_bits()))
        .collect()
}

/// The first number of a parameter.
fn poke<'a>(trainer: &'a mut Trainer, name: &str) -> &'a mut f32 {
    let id = trainer.model().specs().find(name).unwrap();
    &mut trainer.state.params.get_mut(id)[0]
}

fn names(trainer: &Trainer, ends: &str) -> Vec<String> {
    let specs = trainer.model().specs().iter();
    let names = specs.map(|(_, s)| s.name.clone());
    names.filter(|n| n.ends_with(ends)).collect()
}

#[test]
fn one_bad_weight_anywhere_is_found_in_the_same_step_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(config(), dir.path());
    for end in ["weight", "bias", "running_mean", "running_var"] {
        for name in names(&trainer, end) {
            for bad in [f32::NAN, f32::INFINITY] {
                let good = *poke(&mut trainer, &name);
                *poke(&mut trainer, &name) = bad;
                let before = bits(&trainer);
                let StepEnd::Bad(found) = trainer.step().unwrap() else {
                    panic!("{bad} in {name} went unnoticed");
                };
                assert_eq!(
                    bits(&trainer),
                    before,
                    "{name}: a step that is left out moves nothing"
                );
                assert!(!found.items.is_empty() && !found.what.is_empty());
                *poke(&mut trainer, &name) = good;
            }
        }
    }
    assert!(matches!(trainer.step().unwrap(), StepEnd::Made(_)));
}

#[test]
fn the_layer_that_went_wrong_first_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(config(), dir.path());
    for name in names(&trainer, "weight") {
        let module = name.rsplit_once('.').unwrap().0.to_owned();
        let good = *poke(&mut trainer, &name);
        *poke(&mut trainer, &name) = f32::NAN;
        let StepEnd::Bad(bad) = trainer.step().unwrap() else {
            panic!("NaN in {name} went unnoticed");
        };
        let layer = bad.layer.expect("a layer computed something not finite");
        // Pointwise convolutions of one input run as one, under the first one's name.
        let (parent, _) = module.split_once('.').unwrap_or((&module, ""));
        assert!(layer.starts_with(parent), "{name}: {layer}");
        *poke(&mut trainer, &name) = good;
    }
}

#[test]
fn bad_steps_are_left_out_then_the_run_goes_back_and_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let policy = NonFinitePolicy {
        skip: 2,
        rollback: 1,
    };
    let mut trainer = trainer(
        TrainConfig {
            on_nonfinite: policy,
            ..config()
        },
        dir.path(),
    );
    *poke(&mut trainer, "fc.bias") = f32::NAN;
    let mut events = Vec::new();
    let mut rates = Vec::new();
    let mut observe = |event: &Event<'_>| match event {
        Event::Skipped { step, .. } => events.push(format!("skip {step}")),
        Event::RolledBack { from, to, .. } => events.push(format!("back {from} {to}")),
        Event::Step(m) => rates.push(m.lr),
        _ => {}
    };
    let outcome = trainer.run(&mut observe, &AtomicBool::new(false)).unwrap();
    assert!(matches!(outcome, Outcome::Finished { .. }));
    assert_eq!(events, ["skip 1", "skip 2", "back 3 0"]);
    assert_eq!(rates.len(), 12);
    assert_eq!(rates[0], 0.5 * trainer.config.lr);
    let log = std::fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    assert!(!log.contains("skipped"), "the log goes back too");
    assert!(log.starts_with("{\"step\":1,"));
}

#[test]
fn a_run_that_diverges_ends_with_everything_one_needs_to_know() {
    let dir = tempfile::tempdir().unwrap();
    let diverging = TrainConfig {
        lr: 1e30,
        on_nonfinite: NonFinitePolicy {
            skip: 1,
            rollback: 0,
        },
        ..config()
    };
    let mut trainer = trainer(diverging, dir.path());
    let error = trainer
        .run(&mut Silent, &AtomicBool::new(false))
        .unwrap_err();
    assert_eq!(error.kind().exit_code(), 6);
    let TrainError::Numeric(diverged) = &error else {
        panic!("{error}");
    };
    assert!(diverged.step <= 4, "{diverged:?}");
    assert_eq!(diverged.items.len(), 4);
    assert!(!diverged.norms.is_empty());
    let text = error.to_string();
    for part in [
        "gradient norms of the last",
        "kept: ",
        "last.ckpt of step",
        "shapes",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let found = crate::checkpoint::files::load(&inception_store::RealFs, dir.path()).unwrap();
    found.archive.check_finite(Default::default()).unwrap();
}

#[test]
fn a_skipped_step_is_resumed_to_the_same_bits() {
    let policy = NonFinitePolicy {
        skip: 3,
        rollback: 0,
    };
    let left = |interrupt: bool| {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig {
            on_nonfinite: policy,
            ..config()
        };
        let mut trainer = trainer(config, dir.path());
        *poke(&mut trainer, "fc.bias") = f32::INFINITY;
        assert!(matches!(trainer.step().unwrap(), StepEnd::Bad(_)));
        *poke(&mut trainer, "fc.bias") = 0.0;
        if interrupt {
            trainer.save_now().unwrap();
            drop(trainer);
            trainer =
                Trainer::resume_with(dir.path(), &Default::default(), |_| Ok(datasets())).unwrap();
            assert_eq!(trainer.state.counters.bad_in_a_row, 1);
        }
        trainer.run(&mut Silent, &AtomicBool::new(false)).unwrap();
        std::fs::read(dir.path().join("last.ckpt")).unwrap()
    };
    assert!(left(true) == left(false));
}

#[test]
fn figures_that_are_no_numbers_are_never_the_best() {
    let metrics = |top1, loss| ValMetrics {
        step: 1,
        epoch: 1,
        loss,
        top1,
        top5: 1.0,
        images: 4,
        images_per_s: 1.0,
    };
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(config(), dir.path());
    trainer.judge(&metrics(0.5, 1.0), &mut Silent).unwrap();
    let best = std::fs::read(dir.path().join("best.safetensors")).unwrap();
    *poke(&mut trainer, "fc.bias") += 1.0;
    for (top1, loss) in [
        (1.0, f64::NAN),
        (f64::NAN, 0.0),
        (0.9, f64::INFINITY),
        (0.5, 1.0),
    ] {
        trainer.judge(&metrics(top1, loss), &mut Silent).unwrap();
        let now = std::fs::read(dir.path().join("best.safetensors")).unwrap();
        assert!(now == best, "{top1} {loss}");
    }
    trainer.judge(&metrics(0.5, 0.9), &mut Silent).unwrap();
    assert_eq!(trainer.best().unwrap().loss, 0.9);
}

#[test]
fn a_full_disk_is_survived_twice_in_a_row_and_not_three_times() {
    let dir = tempfile::tempdir().unwrap();
    let sim = SimFs::default();
    let config = TrainConfig {
        val_every: 0,
        ..config()
    };
    let mut trainer =
        Trainer::begin(config, dir.path(), datasets(), Box::new(sim.clone())).unwrap();
    let mut warnings = 0;
    let mut observe = |event: &Event<'_>| {
        if let Event::Warning(text) = event {
            assert!(text.starts_with("no checkpoint of step"), "{text}");
            warnings += 1;
        }
    };
    // From here on every call fails.
    sim.crash_after(0);
    let error = trainer
        .run(&mut observe, &AtomicBool::new(false))
        .unwrap_err();
    assert_eq!((error.kind().exit_code(), warnings), (5, 2));
    assert_eq!(trainer.steps(), 9);
}

#[test]
fn an_average_that_overflows_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let averaged = TrainConfig {
        ema: Some(0.9),
        ..config()
    };
    let mut trainer = trainer(averaged, dir.path());
    let id = trainer.model().specs().find("fc.bias").unwrap();
    trainer.state.ema.as_mut().unwrap().get_mut(id)[0] = f32::INFINITY;
    let error = trainer.save_now().unwrap_err();
    assert_eq!(error.kind().exit_code(), 6);
    assert!(error.to_string().contains("average of fc.bias"), "{error}");
    let found = crate::checkpoint::files::load(&inception_store::RealFs, dir.path()).unwrap();
    found.archive.check_finite(Default::default()).unwrap();
}

#[test]
fn a_bad_buffer_of_the_optimiser_is_found_in_the_step_that_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(config(), dir.path());
    assert!(matches!(trainer.step().unwrap(), StepEnd::Made(_)));
    let poison = |param: &str, _: &str, data: &mut [f32]| {
        data[0] = if param == "fc.bias" { f32::NAN } else { 0.0 };
        Ok::<(), ()>(())
    };
    trainer.state.optimizer.restore(1, poison).unwrap();
    let StepEnd::Poisoned(bad) = trainer.step().unwrap() else {
        panic!("a NaN in a buffer went unnoticed");
    };
    assert!(bad.what.starts_with("fc.bias"), "{}", bad.what);
    trainer.state.optimizer.restore(1, poison).unwrap();
    // The weights are lost, so the run goes back at once.
    let mut backs = 0;
    let mut observe = |event: &Event<'_>| {
        backs += u32::from(matches!(event, Event::RolledBack { to: 0, .. }));
    };
    let outcome = trainer.run(&mut observe, &AtomicBool::new(false)).unwrap();
    assert!(matches!(outcome, Outcome::Finished { .. }));
    assert_eq!(backs, 1);
}

#[test]
fn one_bad_pixel_anywhere_is_found_in_the_same_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(config(), dir.path());
    let (key, pixels) = (RunKey::default(), 4 * 16 * 16 * 3);
    for at in (0..pixels).step_by(97).chain([pixels - 1]) {
        for bad in [f32::NAN, f32::NEG_INFINITY] {
            let mut batch = trainer.next_batch().unwrap();
            batch.images[at] = bad;
            let batch = MixedBatch::new(batch, Mix::default(), 0, 0);
            let plan = trainer.plans.train(4).unwrap();
            plan.run(&batch, &trainer.state.params, key);
            let loss = plan.bad_loss();
            let layer = plan.first_non_finite(&batch, &trainer.state.params, key);
            assert!(layer.unwrap().starts_with("conv1"), "{bad} at {at}");
            plan.run(&batch, &trainer.state.params, key);
            let norm = trainer.gradient_norm(4).unwrap();
            assert!(loss.is_some() || !norm.is_finite(), "{bad} at {at}");
        }
    }
}

#[test]
fn a_gradient_that_overflows_behind_a_finite_loss_is_found_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = trainer(config(), dir.path());
    // One feature is 1 and all others 0, whatever the image. The normalisation behind it sees
    // no variance, and multiplies what comes back by the root of 1/ε.
    for name in names(&trainer, "") {
        let is_last = name.starts_with("inception4b");
        if is_last && (name.ends_with("conv.weight") || name.ends_with("bias")) {
            let id = trainer.model().specs().find(&name).unwrap();
            trainer.state.params.get_mut(id).fill(0.0);
        }
    }
    *poke(&mut trainer, "inception4b.branch1.bn.bias") = 1.0;
    let fc = trainer.model().specs().find("fc.weight").unwrap();
    trainer.state.params.get_mut(fc).fill(0.0);
    *poke(&mut trainer, "fc.weight") = 7e37;
    let before = bits(&trainer);
    let StepEnd::Bad(bad) = trainer.step().unwrap() else {
        panic!("gradients without end went unnoticed");
    };
    assert!(
        bad.what.starts_with("norm of the gradients is"),
        "{}",
        bad.what
    );
    assert!(bad.layer.is_some());
    assert_eq!(bits(&trainer), before);
}
