//! Sums, differences, products and quotients.

use super::{Constant, Feature, Form, ImportError, Importer, Value};
use inception_autograd::RunningStatistics;
use inception_formats::OnnxNode;
use inception_nn::{Layout, Role};
use inception_tensor::Shape;

/// What happens to each channel: `x·factor + summand`.
struct Affine {
    factor: Vec<f32>,
    summand: Vec<f32>,
}

impl<'m> Importer<'m> {
    pub(super) fn binary(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        match (self.value(node, 0)?, self.value(node, 1)?) {
            (Value::Feature(a), Value::Feature(b)) => self.two_maps(node, a, b),
            (Value::Feature(x), Value::Constant(c)) => self.affine(node, x, &c, false),
            (Value::Constant(c), Value::Feature(x)) => self.affine(node, x, &c, true),
            (Value::Constant(a), Value::Constant(b)) => {
                let found = fold(&node.op, &a, &b, Self::path(node));
                let message = "expected constants of one shape or a single number";
                let found = found.ok_or_else(|| self.fault(node, message))?;
                self.give(node, Value::Constant(found))
            }
        }
    }

    fn two_maps(&mut self, node: &'m OnnxNode, a: Feature, b: Feature) -> Result<(), ImportError> {
        let scale = match node.op.as_str() {
            "Add" => 1.0,
            "Sub" => -1.0,
            _ => return Err(self.fault(node, "expected a sum of feature maps")),
        };
        if a.form != b.form || self.graph.shape(a.var) != self.graph.shape(b.var) {
            let shapes = [self.graph.shape(a.var), self.graph.shape(b.var)];
            return Err(self.fault(
                node,
                format!("expected two maps of one shape, found {shapes:?}"),
            ));
        }
        let terms = [(a.var, 1.0), (b.var, scale)];
        let var = self.graph.sum(Self::path(node), &terms)?;
        self.give(node, Value::Feature(Feature { var, form: a.form }))
    }

    pub(super) fn sum(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let first = self.feature(node, 0)?;
        let mut terms = Vec::new();
        for i in 0..node.inputs.len() {
            let term = self.feature(node, i)?;
            if term.form != first.form || self.graph.shape(term.var) != self.graph.shape(first.var)
            {
                return Err(self.fault(node, "expected maps of one shape"));
            }
            terms.push((term.var, 1.0));
        }
        let var = self.graph.sum(Self::path(node), &terms)?;
        let form = first.form;
        self.give(node, Value::Feature(Feature { var, form }))
    }

    /// A map and a constant: a normalisation by mean 0 and variance 1, which the passes can
    /// fold into a convolution.
    fn affine(
        &mut self,
        node: &'m OnnxNode,
        x: Feature,
        constant: &Constant,
        constant_first: bool,
    ) -> Result<(), ImportError> {
        let channels = match x.form {
            Form::Map | Form::Plane => self.graph.shape(x.var).c,
            Form::Flat { c, h: 1, w: 1 } => c,
            Form::Flat { .. } => {
                return Err(self.fault(node, "expected a map or a row of features"));
            }
        };
        let Some(numbers) = by_channel(constant, x.form, channels) else {
            let shape = constant.shape();
            let message =
                format!("expected a number for each of {channels} channels, found {shape:?}");
            return Err(self.fault(node, message));
        };
        let Affine { factor, summand } = match (node.op.as_str(), constant_first) {
            ("Add", _) => shift(numbers, 1.0),
            ("Sub", false) => shift(numbers.iter().map(|x| -x).collect(), 1.0),
            ("Sub", true) => shift(numbers, -1.0),
            ("Mul", _) => scale(numbers),
            ("Div", false) => scale(numbers.iter().map(|x| 1.0 / x).collect()),
            _ => return Err(self.fault(node, "expected a map divided by a constant")),
        };
        let name = Self::path(node);
        let shape = Shape::vector(channels);
        let mut vars = Vec::new();
        for (part, data, role) in [
            ("weight", factor, Role::NormScale),
            ("bias", summand, Role::NormShift),
            ("mean", vec![0.0; channels], Role::RunningMean),
            ("var", vec![1.0; channels], Role::RunningVar),
        ] {
            let name = format!("{name}.{part}");
            vars.push(self.param(node, &name, Layout::Vector, shape, data, role)?);
        }
        let statistics = RunningStatistics {
            mean: vars[2],
            var: vars[3],
        };
        let var = self
            .graph
            .batch_norm_eval(name, 0.0, x.var, vars[0], vars[1], statistics)?;
        let form = x.form;
        self.give(node, Value::Feature(Feature { var, form }))
    }
}

fn shift(summand: Vec<f32>, factor: f32) -> Affine {
    let factor = vec![factor; summand.len()];
    Affine { factor, summand }
}

fn scale(factor: Vec<f32>) -> Affine {
    let summand = vec![0.0; factor.len()];
    Affine { factor, summand }
}

/// A constant that is spread over a map as a number for each channel.
fn by_channel(constant: &Constant, form: Form, channels: usize) -> Option<Vec<f32>> {
    if let Some(x) = constant.scalar() {
        return Some(vec![x; channels]);
    }
    // Extents stand at the end, as broadcasting has it; the channels are third from there in
    // a map, last in a row.
    let behind = match form {
        Form::Map => 2,
        Form::Flat { .. } => 0,
        Form::Plane => return None,
    };
    let shape = constant.shape();
    let place = shape.len().checked_sub(behind + 1)?;
    let others = shape.iter().enumerate().filter(|(i, _)| *i != place);
    let alone = others.map(|(_, d)| *d).all(|d| d == 1) && shape.len() <= behind + 2;
    let numbers = constant.floats()?;
    (alone && shape[place] == channels).then_some(numbers)
}

/// Two constants as one.
fn fold(op: &str, a: &Constant, b: &Constant, name: &str) -> Option<Constant> {
    let long = if a.len() >= b.len() { a } else { b };
    if ![a, b]
        .iter()
        .all(|x| x.len() == 1 || x.shape() == long.shape())
    {
        return None;
    }
    let at = |x: &[f32], i: usize| x[if x.len() == 1 { 0 } else { i }];
    let int_at = |x: &[i64], i: usize| x[if x.len() == 1 { 0 } else { i }];
    if let (Some(x), Some(y)) = (a.floats(), b.floats()) {
        let compute = |i| match (op, at(&x, i), at(&y, i)) {
            ("Add", x, y) => x + y,
            ("Sub", x, y) => x - y,
            ("Mul", x, y) => x * y,
            (_, x, y) => x / y,
        };
        let numbers = (0..long.len()).map(compute).collect();
        return Some(Constant::of_floats(name, long.shape(), numbers));
    }
    let (x, y) = (a.ints()?, b.ints()?);
    let compute = |i| match (op, int_at(x, i), int_at(y, i)) {
        ("Add", x, y) => x.checked_add(y),
        ("Sub", x, y) => x.checked_sub(y),
        ("Mul", x, y) => x.checked_mul(y),
        (_, x, y) => x.checked_div(y),
    };
    let numbers = (0..long.len()).map(compute).collect::<Option<Vec<_>>>()?;
    Some(Constant::of_ints(name, numbers).with_shape(long.shape().to_vec()))
}
