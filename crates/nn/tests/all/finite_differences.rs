//! Whole networks against finite differences, in `f64`: every kind of layer of a GoogLeNet,
//! and both auxiliary heads, through the optimised plan.

use inception_autograd::{Executor, ParamId, Passes, Plan, PlanOptions, RunKey};
use inception_nn::{Model, ModelOptions, Parameters, TrainConfig, TrainProgram};
use inception_tensor::{Pool, Stream};
use std::sync::Arc;

const BATCH: usize = 3;
/// How far the loss is moved: so much that seven of its sixteen digits are left to the
/// difference, or as little as that no unit crosses ReLU's kink.
const CHANGES: [f64; 4] = [3e-8, 1e-8, 5e-9, 2.5e-9];
/// Directions that are tried with each until one crosses no kink.
const TRIES: u64 = 4;

struct Network {
    program: TrainProgram,
    parameters: Parameters<f64>,
    /// The loss alone.
    forward: Executor<f64>,
    images: Vec<f64>,
}

fn load(program: &TrainProgram, images: &[f64], executor: &mut Executor<f64>) {
    executor.input_mut(program.images).copy_from_slice(images);
    let labels = executor.labels_mut(program.targets.labels().expect("labels are the default"));
    labels.copy_from_slice(&[0, 3, 4]);
}

impl Network {
    fn new(name: &str, side: usize) -> Self {
        let options = ModelOptions {
            input: Some([3, side, side]),
            classes: Some(5),
            dropout: Some(0.0),
            aux_dropout: Some(0.0),
            ..ModelOptions::default()
        };
        let model = Model::build(name, &options).unwrap();
        let config = TrainConfig {
            batch_size: BATCH,
            label_smoothing: 0.1,
            ..TrainConfig::default()
        };
        let program = TrainProgram::record(&model, &config).unwrap();
        assert_eq!(program.loss_aux.len(), 2, "{name} has two heads");
        let options = PlanOptions {
            passes: Passes::TRAINING,
            element_bytes: 8,
            ..PlanOptions::default()
        };
        let plan = Plan::compile(&program.graph, &[program.loss], &options);
        let forward = Executor::new(Arc::new(plan), &Pool::new(2).unwrap()).unwrap();
        let stream = Stream::new(&[7]);
        let pixels = BATCH * side * side * 3;
        Self {
            parameters: Parameters::init(&model, 1),
            forward,
            images: (0..pixels)
                .map(|i| f64::from(stream.uniform_at(i as u64)) * 2.0 - 1.0)
                .collect(),
            program,
        }
    }

    /// All gradients, by one run of the whole program.
    fn gradients(&self) -> Vec<(ParamId, Vec<f64>)> {
        let plan = Arc::new(self.program.compile::<f64>());
        let mut executor = Executor::new(plan, &Pool::new(2).unwrap()).unwrap();
        executor.prepare(&self.parameters);
        load(&self.program, &self.images, &mut executor);
        executor.run(&self.parameters, RunKey::default());
        let grads = self.program.grads.iter();
        grads
            .map(|g| (g.param, executor.output(g.grad).dense().to_vec()))
            .collect()
    }

    fn loss(&mut self, parameters: &Parameters<f64>) -> f64 {
        self.forward.prepare(parameters);
        load(&self.program, &self.images, &mut self.forward);
        self.forward.run(parameters, RunKey::default());
        self.forward.output(self.program.loss).dense()[0]
    }

    /// The relative error of one gradient along a direction, half the gradient's own and half
    /// random.
    ///
    /// Where two step lengths disagree about the slope, a unit or a pool's winner changes in
    /// between and there is no derivative to compare with: another direction is tried.
    fn error(&mut self, param: ParamId, gradient: &[f64]) -> f64 {
        for attempt in 0..TRIES * CHANGES.len() as u64 {
            let change = CHANGES[(attempt / TRIES) as usize];
            let mut stream = Stream::new(&[u64::from(param.0), attempt]);
            let random: Vec<f64> = gradient.iter().map(|_| stream.normal()).collect();
            let (a, b) = (unit(gradient), unit(&random));
            let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            let direction = unit(&sum);
            let analytic: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let h = change / analytic.abs().max(1e-6);
            let [near, far] = [h, 2.0 * h].map(|h| self.slope(param, &direction, h));
            let scale = analytic.abs().max(near.abs()).max(1e-6);
            if (near - far).abs() <= 5e-7 * scale {
                return (analytic - near).abs() / scale;
            }
        }
        panic!("every direction of {param:?} crosses a kink");
    }

    /// The central difference of the loss.
    fn slope(&mut self, param: ParamId, direction: &[f64], h: f64) -> f64 {
        let start = self.parameters.clone();
        let mut at = |t: f64| {
            let mut moved = start.clone();
            let numbers = moved.get_mut(param).iter_mut();
            numbers.zip(direction).for_each(|(x, d)| *x += t * d);
            self.loss(&moved)
        };
        (at(h) - at(-h)) / (2.0 * h)
    }
}

fn unit(v: &[f64]) -> Vec<f64> {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-300);
    v.iter().map(|x| x / norm).collect()
}

/// Checks every `step`-th parameter, and all of those that `always` names.
fn check(name: &str, side: usize, step: usize, always: &[&str]) {
    let mut network = Network::new(name, side);
    let gradients = network.gradients();
    let specs = Arc::clone(network.parameters.specs());
    let mut checked = 0;
    for (i, (param, gradient)) in gradients.iter().enumerate() {
        let key = &specs.get(*param).name;
        if i % step == 0 || always.iter().any(|part| key.contains(part)) {
            let error = network.error(*param, gradient);
            assert!(error <= 1e-6, "{name}, {key}: relative error {error:e}");
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked} parameters");
}

#[test]
fn the_paper_with_both_heads() {
    check("googlenet", 80, 8, &["conv1", "aux1.fc", "aux2.conv"]);
}

#[test]
fn torchvisions_lineage_with_both_heads() {
    check(
        "googlenet-torchvision",
        64,
        12,
        &["conv1", "aux1.fc", "aux2.conv"],
    );
}
