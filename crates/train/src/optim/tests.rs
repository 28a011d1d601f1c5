use super::*;
use inception_tensor::Stream;
use proptest::prelude::*;

/// The rules as PyTorch's documentation writes them, number by number.
struct Naive {
    config: OptimizerConfig,
    decays: bool,
    first: Vec<f64>,
    second: Vec<f64>,
    t: i32,
}

impl Naive {
    fn step(&mut self, lr: f64, scale: f64, w: &mut [f64], gradient: &[f64]) {
        self.t += 1;
        let decay = if self.decays {
            self.config.weight_decay
        } else {
            0.0
        };
        for i in 0..w.len() {
            let mut g = gradient[i] * scale;
            match self.config.kind {
                OptimizerKind::Sgd { momentum, nesterov } => {
                    g += decay * w[i];
                    if momentum != 0.0 {
                        self.first[i] = if self.t > 1 {
                            momentum * self.first[i] + g
                        } else {
                            g
                        };
                        g = if nesterov {
                            g + momentum * self.first[i]
                        } else {
                            self.first[i]
                        };
                    }
                    w[i] -= lr * g;
                }
                OptimizerKind::AdamW { beta1, beta2, eps } => {
                    w[i] -= lr * decay * w[i];
                    self.first[i] = beta1 * self.first[i] + (1.0 - beta1) * g;
                    self.second[i] = beta2 * self.second[i] + (1.0 - beta2) * g * g;
                    let mean = self.first[i] / (1.0 - beta1.powi(self.t));
                    let square = self.second[i] / (1.0 - beta2.powi(self.t));
                    w[i] -= lr * mean / (square.sqrt() + eps);
                }
                OptimizerKind::RmsProp {
                    alpha,
                    eps,
                    momentum,
                } => {
                    g += decay * w[i];
                    self.first[i] = alpha * self.first[i] + (1.0 - alpha) * g * g;
                    let step = g / (self.first[i].sqrt() + eps);
                    self.second[i] = momentum * self.second[i] + step;
                    w[i] -= lr * self.second[i];
                }
                OptimizerKind::RmsPropTf {
                    alpha,
                    eps,
                    momentum,
                } => {
                    g += decay * w[i];
                    self.first[i] = alpha * self.first[i] + (1.0 - alpha) * g * g;
                    let step = lr * g / (self.first[i] + eps).sqrt();
                    self.second[i] = momentum * self.second[i] + step;
                    w[i] -= self.second[i];
                }
            }
        }
    }
}

fn kinds() -> impl Strategy<Value = OptimizerKind> {
    let momentum = prop_oneof![Just(0.0), 0.1..0.99];
    prop_oneof![
        (momentum.clone(), any::<bool>()).prop_map(|(momentum, nesterov)| OptimizerKind::Sgd {
            momentum,
            nesterov: nesterov && momentum > 0.0
        }),
        (0.0..0.99, 0.5..0.9999, 1e-10..1e-3)
            .prop_map(|(beta1, beta2, eps)| OptimizerKind::AdamW { beta1, beta2, eps }),
        (0.5..0.999, 1e-3..1.0, momentum.clone()).prop_map(|(alpha, eps, momentum)| {
            OptimizerKind::RmsPropTf {
                alpha,
                eps,
                momentum,
            }
        }),
        (0.5..0.999, 1e-10..1e-2, momentum).prop_map(|(alpha, eps, momentum)| {
            OptimizerKind::RmsProp {
                alpha,
                eps,
                momentum,
            }
        }),
    ]
}

fn one(config: OptimizerConfig, len: usize, decays: bool) -> Optimizer<f64> {
    let name = "w";
    let decay = if decays { 1.0 } else { 0.0 };
    let trained = Trained {
        decay,
        ..Trained::new(name, len)
    };
    Optimizer::new(config, vec![trained])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_rule_agrees_with_its_naive_formula(
        kind in kinds(), weight_decay in prop_oneof![Just(0.0), 1e-5..0.1],
        decays: bool, lr in 1e-4..0.5, scale in 0.01..2.0, seed: u64,
    ) {
        let config = OptimizerConfig { kind, weight_decay };
        config.validate().unwrap();
        let mut optimizer = one(config, 5, decays);
        let (first, second) = (vec![config.first_value(); 5], vec![0.0; 5]);
        let mut naive = Naive { config, decays, first, second, t: 0 };
        let mut stream = Stream::new(&[seed]);
        let mut a: Vec<f64> = (0..5).map(|_| stream.normal()).collect();
        let mut b = a.clone();
        for step in 0..8 {
            let g: Vec<f64> = (0..5).map(|_| stream.normal()).collect();
            let lr = lr / f64::from(step + 1);
            let outcome = optimizer.update(&Pool::serial(), 0, Update { lr, scale }, &mut a, &g);
            prop_assert_eq!(outcome, Finiteness::Finite);
            optimizer.advance();
            naive.step(lr, scale, &mut b, &g);
            for (a, b) in a.iter().zip(&b) {
                prop_assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0), "{a} {b}");
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let kinds = [
        OptimizerKind::Sgd {
            momentum: 0.0,
            nesterov: false,
        },
        OptimizerKind::Sgd {
            momentum: 0.9,
            nesterov: true,
        },
        OptimizerKind::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        },
    ];
    let len = 3 * CHUNK + 17;
    for kind in kinds {
        let run = |threads| {
            let pool = Pool::new(threads).unwrap();
            let weight_decay = 1e-2;
            let mut optimizer = one(OptimizerConfig { kind, weight_decay }, len, true);
            let mut w: Vec<f64> = (0..len).map(|i| (i as f64).sin()).collect();
            for step in 0..3 {
                let g: Vec<f64> = (0..len).map(|i| ((i + step) as f64).cos()).collect();
                let update = Update {
                    lr: 0.1,
                    scale: 0.5,
                };
                let _ = optimizer.update(&pool, 0, update, &mut w, &g);
                optimizer.advance();
            }
            w
        };
        let expected = run(1);
        assert!(
            [2, 3, 8].into_iter().all(|t| run(t) == expected),
            "{kind:?}"
        );
    }
}

#[test]
fn buffers_that_overflow_are_reported() {
    let kind = OptimizerKind::AdamW {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    };
    let config = OptimizerConfig {
        kind,
        weight_decay: 0.0,
    };
    let mut optimizer = Optimizer::<f32>::new(config, vec![Trained::new("w", 1)]);
    let update = Update {
        lr: 0.1,
        scale: 1.0,
    };
    let mut w = [1.0];
    let outcome = optimizer.update(&Pool::serial(), 0, update, &mut w, &[1e30]);
    assert_eq!(outcome, Finiteness::NonFinite);
    assert!(w[0].is_finite(), "the mean of squares alone is infinite");
}

#[test]
fn settings_out_of_range_are_named() {
    let sgd = |momentum, nesterov| OptimizerConfig {
        kind: OptimizerKind::Sgd { momentum, nesterov },
        weight_decay: 0.0,
    };
    let text = |c: OptimizerConfig| c.validate().unwrap_err().to_string();
    assert_eq!(
        text(sgd(1.0, false)),
        "momentum: expected a number of at least 0 and below 1, found 1"
    );
    assert_eq!(
        text(sgd(0.0, true)),
        "momentum: nesterov needs a number above 0, found 0"
    );
    let decay = OptimizerConfig {
        weight_decay: -1.0,
        ..OptimizerConfig::default()
    };
    assert_eq!(
        text(decay),
        "weight-decay: expected a finite number of at least 0, found -1"
    );
}

#[test]
fn a_parameters_own_rate_and_decay_multiply_those_of_the_run() {
    let config = OptimizerConfig {
        kind: OptimizerKind::Sgd {
            momentum: 0.0,
            nesterov: false,
        },
        weight_decay: 0.1,
    };
    let of = |lr, decay| Trained {
        lr,
        decay,
        ..Trained::new("w", 1)
    };
    let mut optimizer = Optimizer::new(config, vec![of(1.0, 1.0), of(2.0, 0.0)]);
    let update = Update {
        lr: 0.1,
        scale: 1.0,
    };
    for (i, expected) in [(0, 1.0 - 0.1 * 3.1), (1, 1.0 - 0.2 * 3.0)] {
        let mut w = [1.0f64];
        let _ = optimizer.update(&Pool::serial(), i, update, &mut w, &[3.0]);
        assert!((w[0] - expected).abs() < 1e-12, "{i}: {}", w[0]);
    }
}
