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
                OptimizerKind::AdamW { beta1, beta2, eps }
                | OptimizerKind::Muon {
                    beta1, beta2, eps, ..
                } => {
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

/// `x ← a·x + b·x·xᵀ·x + c·(x·xᵀ)²·x` five times, from `x` over its norm, for rows of numbers.
fn naive_orthogonal(mut x: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let norm = x.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    x.iter_mut().flatten().for_each(|x| *x /= norm);
    let (rows, columns) = (x.len(), x[0].len());
    let by = |a: &[Vec<f64>], b: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let sum = |i: usize, j: usize| (0..b.len()).map(|k| a[i][k] * b[k][j]).sum();
        let row = |i| (0..b[0].len()).map(|j| sum(i, j)).collect();
        (0..a.len()).map(row).collect()
    };
    for _ in 0..5 {
        let flipped: Vec<Vec<f64>> = (0..columns)
            .map(|j| x.iter().map(|row| row[j]).collect())
            .collect();
        let gram = by(&x, &flipped);
        let third = by(&gram, &x);
        let fifth = by(&gram, &third);
        for i in 0..rows {
            for j in 0..columns {
                x[i][j] = 3.4445 * x[i][j] - 4.775 * third[i][j] + 2.0315 * fifth[i][j];
            }
        }
    }
    x
}

fn filters(size: [usize; 2]) -> Vec<Trained> {
    vec![Trained {
        filters: Some(size),
        ..Trained::new("conv.weight", size[0] * size[1])
    }]
}

#[test]
fn muon_walks_along_the_orthogonal_matrix_of_its_momentum() {
    let (momentum, weight_decay) = (0.9, 0.1);
    let kind = muon(momentum);
    for [rows, columns] in [[6, 4], [3, 5], [4, 4], [1, 7], [7, 1]] {
        let len = rows * columns;
        let config = OptimizerConfig { kind, weight_decay };
        config.validate().unwrap();
        let mut optimizer = Optimizer::new(config, filters([rows, columns]));
        let mut stream = Stream::new(&[len as u64]);
        let mut found: Vec<f64> = (0..len).map(|_| stream.normal()).collect();
        let (mut expected, mut mean) = (found.clone(), vec![0.0; len]);
        for step in 0..4 {
            let g: Vec<f64> = (0..len).map(|_| stream.normal()).collect();
            let (lr, scale) = (0.1 / f64::from(step + 1), 0.5);
            let update = Update { lr, scale };
            let outcome = optimizer.update(&Pool::serial(), 0, update, &mut found, &g);
            assert_eq!(outcome, Finiteness::Finite);
            optimizer.advance();
            let ahead = |(m, g): (&mut f64, &f64)| {
                let new = (1.0 - momentum) * scale * g;
                *m = momentum * *m + new;
                new + momentum * *m
            };
            let ahead: Vec<f64> = mean.iter_mut().zip(&g).map(ahead).collect();
            let matrix = ahead.chunks(columns).map(<[f64]>::to_vec).collect();
            let direction = naive_orthogonal(matrix).concat();
            let rate = lr * 0.2 * (rows.max(columns) as f64).sqrt();
            for ((w, u), found) in expected.iter_mut().zip(direction).zip(&found) {
                *w = (1.0 - lr * weight_decay) * *w - rate * u;
                assert!((found - *w).abs() < 1e-10, "{rows}×{columns}: {found} {w}");
            }
        }
    }
}

#[test]
fn a_step_of_muon_has_singular_values_near_one() {
    let [rows, columns] = [48, 8];
    let config = OptimizerConfig {
        kind: muon(0.0),
        weight_decay: 0.0,
    };
    let mut optimizer = Optimizer::new(config, filters([rows, columns]));
    let mut stream = Stream::new(&[1]);
    let g: Vec<f32> = (0..rows * columns)
        .map(|_| stream.normal() as f32)
        .collect();
    let mut w = vec![0.0f32; rows * columns];
    let update = Update {
        lr: 5.0 / (rows as f64).sqrt(),
        scale: 1.0,
    };
    let _ = optimizer.update(&Pool::serial(), 0, update, &mut w, &g);
    // The squares of the singular values lie between the least and the largest `‖w·v‖²`.
    for _ in 0..100 {
        let v: Vec<f32> = (0..columns).map(|_| stream.normal() as f32).collect();
        let dot = |row: &[f32]| row.iter().zip(&v).map(|(w, v)| w * v).sum::<f32>();
        let image: f32 = w.chunks(columns).map(|row| dot(row) * dot(row)).sum();
        let ratio = (image / v.iter().map(|v| v * v).sum::<f32>()).sqrt();
        assert!((0.65..1.25).contains(&ratio), "{ratio}");
    }
}

#[test]
fn muon_reports_numbers_that_are_not_finite() {
    let config = OptimizerConfig {
        kind: muon(0.9),
        weight_decay: 0.0,
    };
    let mut optimizer = Optimizer::new(config, filters([3, 2]));
    let update = Update {
        lr: 0.1,
        scale: 1.0,
    };
    let mut gradient = [1.0f32; 6];
    gradient[4] = f32::NAN;
    let outcome = optimizer.update(&Pool::serial(), 0, update, &mut [0.0; 6], &gradient);
    assert_eq!(outcome, Finiteness::NonFinite);
}

#[test]
fn muon_keeps_a_buffer_for_filters_and_two_for_all_else() {
    let config = OptimizerConfig {
        kind: muon(0.9),
        weight_decay: 0.0,
    };
    let mut trained = filters([3, 2]);
    trained.push(Trained::new("bn.bias", 2));
    let optimizer = Optimizer::<f32>::new(config, trained);
    let slots = optimizer.slots().map(|s| (s.param, s.slot, s.data.len()));
    let expected = [
        ("conv.weight", "momentum_buffer", 6),
        ("bn.bias", "exp_avg", 2),
        ("bn.bias", "exp_avg_sq", 2),
    ];
    assert_eq!(slots.collect::<Vec<_>>(), expected);
}

fn muon(momentum: f64) -> OptimizerKind {
    OptimizerKind::Muon {
        momentum,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    }
}

#[test]
fn threads_do_not_change_a_bit_of_muon() {
    let [rows, columns] = [576, 96];
    let run = |threads| {
        let pool = Pool::new(threads).unwrap();
        let config = OptimizerConfig {
            kind: muon(0.9),
            weight_decay: 0.1,
        };
        let mut optimizer = Optimizer::new(config, filters([rows, columns]));
        let numbers = |step: usize| (0..rows * columns).map(move |i| ((i + step) as f32).sin());
        let mut w: Vec<f32> = numbers(0).collect();
        for step in 1..3 {
            let g: Vec<f32> = numbers(step).collect();
            let update = Update {
                lr: 0.1,
                scale: 1.0,
            };
            let _ = optimizer.update(&pool, 0, update, &mut w, &g);
            optimizer.advance();
        }
        w
    };
    let expected = run(1);
    assert!([2, 3].into_iter().all(|threads| run(threads) == expected));
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
