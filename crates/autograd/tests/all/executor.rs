//! What a run reads, writes and repeats.

use crate::common::{Net, random_net};
use inception_autograd::gradcheck::CheckParams;
use inception_autograd::{
    DType, Executor, Graph, ParamId, Passes, Plan, PlanOptions, RunKey, Var, differentiate,
};
use inception_tensor::{Pool, Shape, Tensor};
use std::sync::Arc;

fn executor(graph: &Graph, keep: &[Var]) -> Executor<f64> {
    let options = PlanOptions {
        passes: Passes::TRAINING,
        element_bytes: 8,
        ..PlanOptions::default()
    };
    let plan = Plan::compile(graph, keep, &options);
    Executor::new(Arc::new(plan), &Pool::serial()).unwrap()
}

#[test]
fn a_graph_of_a_hundred_thousand_operators_overflows_no_stack() {
    let mut graph = Graph::new();
    let x = graph.param(ParamId(0), Shape::vector(2));
    let input = graph.input(Shape::vector(2), DType::Real);
    let mut y = graph.sum("start", &[(x, 1.0), (input, 1.0)]).unwrap();
    for _ in 0..100_000 {
        y = graph.relu("relu", y).unwrap();
    }
    let loss = graph.global_avg_pool("mean", y).unwrap();
    let half = graph.param(ParamId(1), Shape::new(1, 1, 2, 1));
    let loss = graph.linear("half", loss, half, None).unwrap();
    let dx = differentiate(&mut graph, loss, &[x])
        .unwrap()
        .get(x)
        .unwrap();
    let mut params = CheckParams::default();
    params.insert(
        ParamId(0),
        Tensor::from_vec(Shape::vector(2), vec![3.0, -1.0]),
    );
    params.insert(
        ParamId(1),
        Tensor::from_vec(Shape::new(1, 1, 2, 1), vec![0.5, 0.5]),
    );
    let mut executor = executor(&graph, &[loss, dx]);
    executor.prepare(&params);
    executor.input_mut(input).fill(0.0);
    executor.run(&params, RunKey::default());
    assert_eq!(executor.output(loss).dense(), [1.5]);
    assert_eq!(executor.output(dx).dense(), [0.5, 0.0]);
}

#[test]
fn dropout_depends_on_seed_and_step_and_its_gradient_has_its_mask() {
    let mut net = Net::new(0);
    let x = net.map(Shape::matrix(1, 64));
    let y = net.graph.dropout("head.dropout", 0.5, x).unwrap();
    let ones = net.param(Shape::new(1, 1, 64, 1));
    net.params.insert(
        ParamId(1),
        Tensor::from_vec(Shape::new(1, 1, 64, 1), vec![1.0; 64]),
    );
    let loss = net.graph.linear("sum", y, ones, None).unwrap();
    let x_param = net.graph.find_param(ParamId(0)).unwrap();
    let dx = differentiate(&mut net.graph, loss, &[x_param])
        .unwrap()
        .get(x_param)
        .unwrap();
    let mut executor = executor(&net.graph, &[y, dx]);
    executor.prepare(&net.params);
    let mut masks = |seed, step| {
        executor.input_mut(net.inputs[0].0).fill(0.0);
        executor.run(&net.params, RunKey { seed, step });
        let kept = |v| {
            executor
                .output(v)
                .dense()
                .iter()
                .map(|&x| x != 0.0)
                .collect::<Vec<_>>()
        };
        (kept(y), kept(dx))
    };
    let (forward, backward) = masks(1, 1);
    assert_eq!(forward, backward);
    assert_eq!(masks(1, 1).0, forward);
    assert_ne!(masks(1, 2).0, forward);
    assert_ne!(masks(2, 1).0, forward);
}

#[test]
fn the_first_operator_that_makes_a_nan_is_named() {
    let mut net = Net::new(0);
    let x = net.map(Shape::new(1, 4, 4, 2));
    let y = net.conv("stem", x, inception_ops::Window::square(1), 3, true);
    let z = net.conv(
        "inception3a.branch1",
        y,
        inception_ops::Window::square(1),
        3,
        true,
    );
    let loss = net.head(z, 2);
    let mut executor = executor(&net.graph, &[loss]);
    let fill = |executor: &mut Executor<f64>, net: &Net| {
        executor.input_mut(net.inputs[0].0).fill(0.0);
        executor
            .labels_mut(net.labels[0].0)
            .copy_from_slice(&net.labels[0].1);
    };
    executor.prepare(&net.params);
    fill(&mut executor, &net);
    assert_eq!(
        executor.first_non_finite(&net.params, RunKey::default()),
        None
    );
    let poisoned = Tensor::from_vec(Shape::vector(3), vec![0.0, f64::INFINITY, 0.0]);
    net.params.insert(ParamId(4), poisoned);
    executor.prepare(&net.params);
    fill(&mut executor, &net);
    let found = executor.first_non_finite(&net.params, RunKey::default());
    assert_eq!(found.as_deref(), Some("inception3a.branch1 (conv2d)"));
}

#[test]
fn a_timed_run_computes_the_same_and_sees_every_step() {
    let (net, loss) = random_net(5, 10);
    let mut executor = executor(&net.graph, &[loss]);
    executor.prepare(&net.params);
    let fill = |executor: &mut Executor<f64>| {
        executor.input_mut(net.inputs[0].0).fill(0.0);
        executor
            .labels_mut(net.labels[0].0)
            .copy_from_slice(&net.labels[0].1);
    };
    fill(&mut executor);
    executor.run(&net.params, RunKey::default());
    let expected = executor.output(loss).dense()[0];
    let mut steps = 0;
    fill(&mut executor);
    executor.run_timed(&net.params, RunKey::default(), |_| steps += 1);
    assert_eq!(executor.output(loss).dense()[0], expected);
    assert_eq!(steps, executor.plan().len());
}
