use super::*;

/// Puts one setting out of range.
type Edit = fn(&mut TrainConfig);

fn message(edit: impl FnOnce(&mut TrainConfig)) -> String {
    let mut config = TrainConfig::default();
    edit(&mut config);
    let error = config.validate().unwrap_err();
    assert_eq!(error.kind().exit_code(), 2);
    error.to_string()
}

#[test]
fn the_default_is_valid_and_survives_toml() {
    let config = TrainConfig::default();
    config.validate().unwrap();
    assert_eq!(TrainConfig::from_toml(&config.to_toml()).unwrap(), config);
    let full = TrainConfig {
        data_dir: Some("/data".into()),
        input: Some([1, 28, 28]),
        classes: Some(10),
        dropout: Some(0.25),
        steps: Some(7),
        eps: Some(1e-3),
        ema: Some(0.99),
        clip_grad: Some(1.0),
        init: Some("w.safetensors".into()),
        freeze: vec!["conv1".into(), "*.bn".into()],
        save_every: Some(100),
        on_bad_image: BadImages::Skip(3),
        threads: Some(2),
        workers: Some(0),
        ..config
    };
    full.validate().unwrap();
    assert_eq!(TrainConfig::from_toml(&full.to_toml()).unwrap(), full);
    assert!(full.to_toml().contains("batch-size = 64"));
    assert!(full.to_toml().contains("on-bad-image = \"skip:3\""));
}

#[test]
fn numbers_out_of_range_name_the_setting_the_value_and_the_range() {
    let cases: [(Edit, &str); 14] = [
        (
            |c| c.lr = -1.0,
            "lr: expected a finite number above 0, found -1",
        ),
        (
            |c| c.lr = f64::NAN,
            "lr: expected a finite number above 0, found NaN",
        ),
        (
            |c| c.momentum = 1.0,
            "momentum: expected a number of at least 0 and below 1, found 1",
        ),
        (
            |c| c.label_smoothing = 1.0,
            "label-smoothing: expected a number of at least 0 and below 1, found 1",
        ),
        (
            |c| c.dropout = Some(1.0),
            "dropout: expected a number of at least 0 and below 1, found 1",
        ),
        (
            |c| c.batch_size = 0,
            "batch-size: expected 1 to 65536, found 0",
        ),
        (
            |c| c.steps = Some(0),
            "steps: expected 1 to 4294967295, found 0",
        ),
        (
            |c| c.accumulate = 0,
            "accumulate: expected 1 to 65536, found 0",
        ),
        (
            |c| c.ema = Some(1.0),
            "ema: expected a number above 0 and below 1, found 1",
        ),
        (
            |c| c.clip_grad = Some(f64::INFINITY),
            "clip-grad: expected a finite number above 0, found inf",
        ),
        (
            |c| c.threads = Some(0),
            "threads: expected 1 to 1024, found 0",
        ),
        (
            |c| c.warmup_epochs = -2.0,
            "warmup-epochs: expected a finite number of at least 0, found -2",
        ),
        (
            |c| c.seed = u64::MAX,
            "seed: expected 0 to 9223372036854775807, found 18446744073709551615",
        ),
        (
            |c| c.mixup = -1.0,
            "mixup: expected a number between 0 and 100, found -1",
        ),
    ];
    for (edit, expected) in cases {
        assert_eq!(message(edit), expected);
    }
    let both = message(|c| (c.epochs, c.steps) = (Some(1), Some(2)));
    assert_eq!(
        both,
        "epochs, steps: expected one of them, found epochs 1 and steps 2"
    );
    assert!(message(|c| c.passes = "fly".into()).starts_with("passes: "));
    let augment = message(|c| c.augment = "basic+fly".into());
    assert!(
        augment.starts_with("augment: expected none, basic[:SHIFT], crop or paper"),
        "{augment}"
    );
    assert!(
        TrainConfig {
            lr: 1e38,
            ..TrainConfig::default()
        }
        .validate()
        .is_ok()
    );
}

#[test]
fn unknown_settings_and_words_are_refused_by_name() {
    let text = |toml: &str| TrainConfig::from_toml(toml).unwrap_err().to_string();
    assert!(text("learning-rate = 1").contains("learning-rate"));
    assert!(text("optimizer = 'adam'").contains("adamw"));
    assert!(text("on-bad-image = 'skip'").contains("expected fail or skip:N"));
    assert!(text("on-nonfinite = 'skip:2'").contains("expected abort"));
    let policy: NonFinitePolicy = "rollback:1, abort".parse().unwrap();
    assert_eq!((policy.skip, policy.rollback), (0, 1));
    assert_eq!("abort".parse::<NonFinitePolicy>().unwrap().skip, 0);
}

#[test]
fn differences_list_both_values() {
    let saved = TrainConfig::default();
    let given = TrainConfig {
        lr: 0.2,
        ema: Some(0.5),
        threads: Some(3),
        ..saved.clone()
    };
    let found = saved.essential().differences(&given.essential());
    let found: Vec<String> = found
        .iter()
        .map(|d| format!("{} {} {}", d.field, d.saved, d.given))
        .collect();
    assert_eq!(found, ["ema none 0.5", "lr 0.05 0.2"]);
}
