//! The optimised plan computes what the plain one does.

use crate::common::{Net, Run, forward, random_net, run, run_again, run_twice};
use inception_autograd::{
    Graph, Op, Passes, Plan, PlanOptions, Recompute, RunningStatistics, Var, optimise,
};
use inception_ops::Window;
use inception_tensor::{Pool, Shape};
use proptest::prelude::*;
use std::sync::Arc;

fn assert_same(a: &Run, b: &Run, what: &str) {
    assert!(
        (a.loss - b.loss).abs() <= 1e-12 * a.loss.abs(),
        "{what}: {} {}",
        a.loss,
        b.loss
    );
    assert_eq!(a.grads.len(), b.grads.len(), "{what}");
    for ((id, x), (_, y)) in a.grads.iter().zip(&b.grads) {
        let scale = x.data().iter().fold(1e-9f64, |m, v| m.max(v.abs()));
        for (x, y) in x.data().iter().zip(y.data()) {
            assert!(
                (x - y).abs() <= 1e-10 * scale,
                "{what}, gradient of {id:?}: {x} {y}"
            );
        }
    }
}

/// Each pass alone, and all together.
fn settings() -> Vec<(String, Passes)> {
    let mut all: Vec<(String, Passes)> = Passes::NAMES[1..]
        .iter()
        .map(|name| (name.to_string(), Passes::TRAINING.only(name).unwrap()))
        .collect();
    all.push(("all".into(), Passes::TRAINING));
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_pass_leaves_loss_and_gradients_as_they_were(seed: u64, operators in 1usize..24) {
        let (net, loss) = random_net(seed, operators);
        let plain = run(&net, loss, Passes::NONE, 1);
        for (name, passes) in settings() {
            let optimised = run(&net, loss, passes, 1);
            assert_same(&plain, &optimised, &name);
        }
    }

    #[test]
    fn every_pass_of_inference_leaves_the_loss_as_it_was(seed: u64, operators in 1usize..24) {
        let (net, loss) = random_net(seed, operators);
        let plain = forward(&net, loss, Passes::NONE);
        for name in Passes::NAMES.into_iter().chain(["all"]) {
            let optimised = forward(&net, loss, Passes::INFERENCE.only(name).unwrap());
            prop_assert!((plain - optimised).abs() <= 1e-12 * plain.abs(), "{}", name);
        }
    }

    #[test]
    fn maps_made_again_change_no_bit(seed: u64, operators in 1usize..24) {
        let (net, loss) = random_net(seed, operators);
        for what in [Recompute::Cheap, Recompute::Stages] {
            let kept = run(&net, loss, Passes::NONE, 1);
            let again = run_again(&net, loss, Passes::NONE, what, 1);
            prop_assert_eq!(kept.loss.to_bits(), again.loss.to_bits());
            prop_assert_eq!(&kept.grads, &again.grads);
            // A copy may lie denser than the original did, and then sums differ in order.
            let kept = run(&net, loss, Passes::TRAINING, 1);
            let again = run_again(&net, loss, Passes::TRAINING, what, 1);
            assert_same(&kept, &again, "made again");
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit(seed: u64) {
        let (net, loss) = random_net(seed, 12);
        let one = run(&net, loss, Passes::TRAINING, 1);
        for threads in [2, 3] {
            let many = run(&net, loss, Passes::TRAINING, threads);
            prop_assert_eq!(one.loss.to_bits(), many.loss.to_bits());
            prop_assert_eq!(&one.grads, &many.grads);
        }
    }
}

/// An Inception module on `x`: the names of operators that run, in order.
fn module(net: &mut Net, x: inception_autograd::Var) -> inception_autograd::Var {
    let point = Window::square(1);
    let branch = |net: &mut Net, name: &str, x, window: Window, c| {
        let y = net.conv(name, x, window, c, true);
        net.graph.relu(name, y).unwrap()
    };
    let b1 = branch(net, "branch1", x, point, 4);
    let r2 = branch(net, "branch2.0", x, point, 3);
    let b2 = branch(net, "branch2.1", r2, Window::square(3).padding(1), 5);
    let r3 = branch(net, "branch3.0", x, point, 2);
    let b3 = branch(net, "branch3.1", r3, Window::square(5).padding(2), 3);
    let pooled = net
        .graph
        .max_pool("branch4.0", Window::square(3).padding(1), x)
        .unwrap();
    let b4 = branch(net, "branch4.1", pooled, point, 2);
    net.graph.concat("module", &[b1, b2, b3, b4]).unwrap()
}

#[test]
fn an_inception_module_copies_nothing() {
    let mut net = Net::new(1);
    let x = net.map(Shape::new(2, 6, 6, 8));
    let y = module(&mut net, x);
    optimise(&mut net.graph, &[y], &Passes::INFERENCE);
    let plan = Plan::compile(&net.graph, &[y], &PlanOptions::default());
    let names: Vec<&str> = plan.steps().map(|s| s.0).collect();
    assert_eq!(
        names,
        ["sum", "conv2d", "conv2d", "conv2d", "max_pool", "conv2d"][..]
            .to_vec()
            .as_slice()
    );
    let banks = net.graph.nodes().iter().find_map(|n| match &n.op {
        Op::Conv2d(op) if op.banks > 1 => Some(op.banks),
        _ => None,
    });
    assert_eq!(banks, Some(3));
}

#[test]
fn a_stack_of_modules_needs_less_memory_and_gives_the_same() {
    let mut net = Net::new(2);
    let x = net.map(Shape::new(2, 16, 16, 8));
    let a = module(&mut net, x);
    let b = module(&mut net, a);
    let loss = net.head(b, 4);
    let plain = run(&net, loss, Passes::NONE, 1);
    let optimised = run(&net, loss, Passes::TRAINING, 2);
    assert_same(&plain, &optimised, "stack");
    let (small, large) = (optimised.arena_bytes, plain.arena_bytes);
    assert!(small * 10 < large * 9, "{small} of {large} bytes");
}

/// The value of `y` for inputs as they are.
fn output(net: &Net, y: Var, passes: Passes) -> Vec<f64> {
    let options = PlanOptions {
        passes,
        element_bytes: 8,
        ..PlanOptions::default()
    };
    planned(net, y, &options).0
}

/// The same with more settings, and the plan.
fn planned(net: &Net, y: Var, options: &PlanOptions) -> (Vec<f64>, Arc<Plan>) {
    let mut graph = net.graph.clone();
    optimise(&mut graph, &[y], &options.passes);
    let plan = Arc::new(Plan::compile(&graph, &[y], options));
    let executor = run_twice(net, Arc::clone(&plan), &Pool::serial());
    (executor.output(y).dense().to_vec(), plan)
}

#[test]
fn slices_of_a_batch_have_the_bits_of_the_whole_and_need_less_memory() {
    let mut net = Net::new(3);
    let x = net.map(Shape::new(11, 16, 16, 8));
    let a = module(&mut net, x);
    let b = module(&mut net, a);
    let small = net.graph.max_pool("pool", Window::square(3).stride(2), b);
    let y = module(&mut net, small.unwrap());
    let plan = |cache_bytes| {
        let options = PlanOptions {
            element_bytes: 8,
            cache_bytes,
            ..PlanOptions::default()
        };
        planned(&net, y, &options)
    };
    let (whole, of_whole) = plan(usize::MAX);
    assert_eq!(of_whole.steps().filter(|step| step.1 == "pool").count(), 1);
    let macs = |plan: &Plan| plan.steps().map(|(_, _, macs)| macs).sum::<u64>();
    // Slices of an image each, and of two, of which the last has one.
    for (cache_bytes, slices) in [(1 << 10, 11), (350 << 10, 6)] {
        let (found, of_slices) = plan(cache_bytes);
        assert_eq!(found, whole, "{cache_bytes}");
        let runs = of_slices.steps().filter(|step| step.1 == "pool").count();
        assert_eq!(runs, slices, "{cache_bytes}");
        assert_eq!(macs(&of_slices), macs(&of_whole));
        let (small, large) = (of_slices.arena_bytes(), of_whole.arena_bytes());
        assert!(small < large, "{cache_bytes}: {small} of {large} bytes");
    }
}

#[test]
fn a_linear_layer_with_packed_weights_has_the_same_bits() {
    let mut net = Net::new(6);
    let x = net.map(Shape::matrix(5, 301));
    let weight = net.param(Shape::new(1, 1, 301, 70));
    let bias = net.param(Shape::vector(70));
    let y = net.graph.linear("fc", x, weight, Some(bias)).unwrap();
    let packed = Passes::INFERENCE.only("pack-weights").unwrap();
    assert_eq!(output(&net, y, Passes::NONE), output(&net, y, packed));
}

#[test]
fn a_batch_norm_with_fixed_statistics_disappears_into_its_convolution() {
    let mut net = Net::new(3);
    let x = net.map(Shape::new(1, 5, 5, 3));
    let conv = net.conv("conv", x, Window::square(3), 4, false);
    let vectors: Vec<_> = (0..3).map(|_| net.param(Shape::vector(4))).collect();
    let var = {
        let v = net.param(Shape::vector(4));
        net.graph.sum("var", &[(v, 1.0), (v, 0.0)]).unwrap()
    };
    let running = RunningStatistics {
        mean: vectors[2],
        var,
    };
    let normed = net
        .graph
        .batch_norm_eval("bn", 2.0, conv, vectors[0], vectors[1], running);
    let y = net.graph.relu("relu", normed.unwrap()).unwrap();
    let plain = output(&net, y, Passes::NONE);
    let folded = output(&net, y, Passes::INFERENCE);
    for (a, b) in plain.iter().zip(&folded) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
    let mut graph = net.graph.clone();
    optimise(&mut graph, &[y], &Passes::INFERENCE);
    let norms = graph
        .nodes()
        .iter()
        .filter(|n| matches!(n.op, Op::BatchNormEval(_) | Op::Relu(_)));
    assert_eq!(norms.count(), 0);
}

#[test]
fn a_value_that_the_caller_holds_is_never_fused_away() {
    let mut net = Net::new(4);
    let x = net.map(Shape::new(1, 3, 3, 2));
    let y = net.conv("conv", x, Window::square(1), 2, true);
    let z = net.graph.relu("relu", y).unwrap();
    optimise(&mut net.graph, &[y, z], &Passes::INFERENCE);
    let plan = Plan::compile(&net.graph, &[y, z], &PlanOptions::default());
    assert_eq!(plan.len(), 3);
}

#[test]
fn packed_weights_are_refused_a_gradient() {
    let mut net = Net::new(5);
    let x = net.map(Shape::new(1, 3, 3, 2));
    let y = net.conv("stem", x, Window::square(1), 2, true);
    let loss = net.head(y, 2);
    optimise(&mut net.graph, &[loss], &Passes::INFERENCE);
    let weight = net
        .graph
        .find_param(inception_autograd::ParamId(1))
        .unwrap();
    let error = inception_autograd::differentiate(&mut net.graph, loss, &[weight]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "head.fc: conv2d with packed weights cannot be differentiated"
    );
}

#[test]
fn an_unknown_pass_is_refused_with_the_list() {
    let message = Passes::TRAINING
        .only("fuse-relu,turbo")
        .unwrap_err()
        .to_string();
    assert!(message.contains("no pass \"turbo\"") && message.contains("merge-siblings"));
}

#[test]
fn an_error_names_module_operator_and_both_shapes() {
    let mut graph = Graph::new();
    let x = graph.param(inception_autograd::ParamId(0), Shape::new(1, 8, 8, 3));
    let w = graph.param(inception_autograd::ParamId(1), Shape::new(3, 3, 4, 8));
    let error = graph.conv2d("inception3a.branch2.1", Window::square(3), x, w, None);
    let message = error.unwrap_err().to_string();
    for part in [
        "inception3a.branch2.1",
        "conv2d",
        "[1, 8, 8, 3]",
        "[3, 3, 4, 8]",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
