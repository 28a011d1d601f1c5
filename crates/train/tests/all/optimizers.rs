//! Update rules against PyTorch's, number by number over several steps.

use inception_tensor::Pool;
use inception_train::{Optimizer, OptimizerConfig, OptimizerKind, Trained, Update};
use serde_json::Value;

const COUNT: usize = 6;

#[test]
fn every_rule_walks_the_path_of_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("../fixtures/optimizers.json")).unwrap();
    let sgd = |nesterov| OptimizerKind::Sgd {
        momentum: 0.9,
        nesterov,
    };
    let adamw = OptimizerKind::AdamW {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-6,
    };
    let rmsprop = OptimizerKind::RmsProp {
        alpha: 0.9,
        eps: 1e-3,
        momentum: 0.8,
    };
    let rmsprop_tf = OptimizerKind::RmsPropTf {
        alpha: 0.9,
        eps: 1.0,
        momentum: 0.8,
    };
    let cases = [
        ("sgd", sgd(false), 0.1, 0.01),
        ("nesterov", sgd(true), 0.1, 0.01),
        ("adamw", adamw, 0.1, 0.05),
        ("rmsprop", rmsprop, 0.05, 0.01),
        ("rmsprop-tf", rmsprop_tf, 0.05, 0.01),
    ];
    assert_eq!(golden.as_object().unwrap().len(), cases.len());
    for (name, kind, lr, weight_decay) in cases {
        check(
            name,
            OptimizerConfig { kind, weight_decay },
            lr,
            &golden[name],
        );
    }
}

fn check(name: &str, config: OptimizerConfig, lr: f64, path: &Value) {
    let mut optimizer = Optimizer::new(config, vec![Trained::new("w", COUNT)]);
    let mut w: [f64; COUNT] = std::array::from_fn(|i| (i as f64 + 1.0).sin());
    for (t, expected) in path.as_array().unwrap().iter().enumerate() {
        let gradient: [f64; COUNT] = std::array::from_fn(|i| {
            (3.0 * i as f64 + t as f64).cos() / (t as f64 + 1.0) + w[i] / 10.0
        });
        let update = Update {
            lr: lr * 0.9f64.powi(t as i32 + 1),
            scale: 1.0,
        };
        let _ = optimizer.update(&Pool::serial(), 0, update, &mut w, &gradient);
        optimizer.advance();
        for (i, found) in w.iter().enumerate() {
            let expected = expected[i].as_f64().unwrap();
            let close = (found - expected).abs() < 1e-12;
            assert!(close, "{name}, step {t}, number {i}: {found} {expected}");
        }
    }
}
