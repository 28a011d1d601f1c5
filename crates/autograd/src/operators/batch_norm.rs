//! Batch normalisation.

use super::one;
use crate::operator::{Operator, Output, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape, io::into_vector};
use inception_ops::{Activation, OpError, batch_norm};
use inception_tensor::{Bf16, Element, Kept, Shape, View, ViewMut};
use smallvec::{SmallVec, smallvec};

/// Normalisation by the batch's own statistics.
///
/// Operands: `x`, γ, β. Outputs: `y`, and the batch's mean and variance (divisor N). `x` and
/// `y` are of the element type, or both kept as [`Bf16`].
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Applied to the output.
    pub activation: Activation,
}

/// Refuses vectors that do not have one number a channel.
fn check_vectors(x: Shape, vectors: &[Shape]) -> Result<(), OpError> {
    match vectors.iter().find(|&&v| v != Shape::vector(x.c)) {
        None => Ok(()),
        Some(v) => Err(OpError::Shape {
            op: "batch_norm",
            detail: format!("input {x} needs vectors of {} channels, found {v}", x.c),
        }),
    }
}

impl Operator for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        batch_norm::check_train(inputs[0])?;
        check_vectors(inputs[0], &inputs[1..])?;
        let vector = Output::real(Shape::vector(inputs[0].c));
        Ok(smallvec![Output::real(inputs[0]), vector, vector])
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        batch_norm::workspace(inputs[0])
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let Some(dy) = grads[0] else {
            return Err(GraphError::NotDifferentiable {
                path: node.path.to_string(),
                op: "batch_norm statistics",
            });
        };
        let op = BatchNormBackward {
            eps: self.eps,
            activation: self.activation,
            statistics: Statistics::Batch,
        };
        let operands = [
            node.inputs[0],
            dy,
            node.outputs[1],
            node.outputs[2],
            node.inputs[1],
            node.inputs[2],
        ];
        let grads = tape.push(node, op, &operands)?;
        Ok(grads.into_iter().map(Some).collect())
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        match io.is_bf16(0) {
            true => {
                let (x, y) = (io.read_stored::<Bf16>(0), io.write_stored::<Bf16>(0));
                self.normalise(io, x, y);
            }
            false => {
                let (x, y) = (io.read(0), io.write(0));
                self.normalise(io, x, y);
            }
        }
    }
}

impl BatchNorm {
    fn normalise<T: Element, X: Kept>(&self, mut io: Io<'_, T>, x: View<'_, X>, y: ViewMut<'_, X>) {
        let (mean, var) = (io.write(1), io.write(2));
        let (mean, var) = (into_vector(mean), into_vector(var));
        batch_norm::statistics(io.pool, x, mean, var, io.workspace());
        let norm = batch_norm::Norm {
            mean,
            var,
            gamma: Some(io.vector(1)),
            beta: Some(io.vector(2)),
            eps: self.eps,
        };
        batch_norm::normalize(io.pool, &norm, self.activation, x, y);
    }
}

/// Where the statistics of a normalisation come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// The batch: they depend on the input.
    Batch,
    /// They are constants.
    Fixed,
}

/// Gradients of [`BatchNorm`] and [`BatchNormEval`]: outputs `dx`, dγ, dβ.
///
/// Operands: `x`, perhaps kept as [`Bf16`], `dy`, mean, variance, γ, β.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormBackward {
    /// Added to the variance.
    pub eps: f64,
    /// What was applied to the output.
    pub activation: Activation,
    /// Whether gradients flow through the statistics.
    pub statistics: Statistics,
}

impl Operator for BatchNormBackward {
    fn name(&self) -> &'static str {
        "batch_norm_backward"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let vector = Output::real(Shape::vector(inputs[0].c));
        Ok(smallvec![Output::real(inputs[0]), vector, vector])
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        batch_norm::workspace(inputs[0])
    }

    fn optional(&self, _output: usize) -> bool {
        true
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        match io.is_bf16(0) {
            true => self.backward(io.read_stored::<Bf16>(0), io),
            false => self.backward(io.read(0), io),
        }
    }
}

impl BatchNormBackward {
    fn backward<T: Element, X: Kept>(&self, x: View<'_, X>, mut io: Io<'_, T>) {
        let dy = io.read(1);
        let norm = batch_norm::Norm {
            mean: io.vector(2),
            var: io.vector(3),
            gamma: Some(io.vector(4)),
            beta: Some(io.vector(5)),
            eps: self.eps,
        };
        let grads = batch_norm::Grads {
            dx: io.write_if_used(0),
            dgamma: io.write_if_used(1).map(into_vector),
            dbeta: io.write_if_used(2).map(into_vector),
        };
        let workspace = io.workspace();
        let backward = match self.statistics {
            Statistics::Batch => batch_norm::backward_train,
            Statistics::Fixed => batch_norm::backward_eval,
        };
        backward(io.pool, &norm, self.activation, x, dy, grads, workspace);
    }
}

/// Normalisation by fixed statistics. Operands: `x`, γ, β, mean, variance.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormEval {
    /// Added to the variance.
    pub eps: f64,
    /// Applied to the output.
    pub activation: Activation,
}

impl Operator for BatchNormEval {
    fn name(&self) -> &'static str {
        "batch_norm_eval"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        check_vectors(inputs[0], &inputs[1..])?;
        Ok(one(inputs[0]))
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let dy = grads[0].expect("the only output has a gradient");
        let op = BatchNormBackward {
            eps: self.eps,
            activation: self.activation,
            statistics: Statistics::Fixed,
        };
        let [x, gamma, beta, mean, var] = node.inputs[..] else {
            unreachable!("batch_norm_eval has five operands");
        };
        let grads = tape.push(node, op, &[x, dy, mean, var, gamma, beta])?;
        let with_grads = grads.into_iter().map(Some);
        Ok(with_grads.chain([None, None]).collect())
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let norm = batch_norm::Norm {
            gamma: Some(io.vector(1)),
            beta: Some(io.vector(2)),
            mean: io.vector(3),
            var: io.vector(4),
            eps: self.eps,
        };
        let (x, y) = (io.read(0), io.write(0));
        batch_norm::normalize(io.pool, &norm, self.activation, x, y);
    }
}

/// Running statistics after a batch. Operands: the batch's mean and variance, the running
/// mean and variance. Outputs: the new running mean and variance.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormUpdate {
    /// Weight of the batch.
    pub momentum: f64,
    /// Values that each channel's statistics were taken over.
    pub count: usize,
}

impl Operator for BatchNormUpdate {
    fn name(&self) -> &'static str {
        "batch_norm_update"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        check_vectors(inputs[0], inputs)?;
        Ok(smallvec![Output::real(inputs[2]), Output::real(inputs[3])])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let batch = (io.vector(0), io.vector(1));
        let running = (io.vector(2), io.vector(3));
        let (mean, var) = (into_vector(io.write(0)), into_vector(io.write(1)));
        batch_norm::update_running(self.momentum, self.count, batch, running, mean, var);
    }
}

/// A convolution's weight and bias with the normalisation behind it folded in.
///
/// Operands: weight, γ, β, mean, variance and, where `bias` says so, the bias. Outputs: the
/// folded weight and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormFold {
    /// Added to the variance.
    pub eps: f64,
    /// Whether the convolution has a bias.
    pub bias: bool,
}

impl Operator for BatchNormFold {
    fn name(&self) -> &'static str {
        "batch_norm_fold"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        check_vectors(inputs[0], &inputs[1..])?;
        Ok(smallvec![Output::real(inputs[0]), Output::real(inputs[1])])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let norm = batch_norm::Norm {
            gamma: Some(io.vector(1)),
            beta: Some(io.vector(2)),
            mean: io.vector(3),
            var: io.vector(4),
            eps: self.eps,
        };
        let bias = self.bias.then(|| io.vector(5));
        let (weight, folded, folded_bias) = (io.read(0), io.write(0), io.write(1));
        batch_norm::fold(&norm, weight, bias, folded, into_vector(folded_bias));
    }
}

/// A normalised map and the statistics it was normalised by.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormOutput {
    /// The map.
    pub y: Var,
    /// Mean of the batch.
    pub mean: Var,
    /// Variance of the batch, divisor N.
    pub var: Var,
}

/// Running statistics, as values of a graph.
#[derive(Clone, Copy, Debug)]
pub struct RunningStatistics {
    /// Running mean.
    pub mean: Var,
    /// Running variance.
    pub var: Var,
}

impl Graph {
    /// Records a normalisation by the batch's statistics.
    ///
    /// # Errors
    /// As [`Graph::push`]; a channel needs more than one value.
    pub fn batch_norm(
        &mut self,
        path: &str,
        eps: f64,
        x: Var,
        gamma: Var,
        beta: Var,
    ) -> Result<BatchNormOutput, GraphError> {
        let op = BatchNorm {
            eps,
            activation: Activation::None,
        };
        let outputs = self.push(path, op, &[x, gamma, beta])?;
        Ok(BatchNormOutput {
            y: outputs[0],
            mean: outputs[1],
            var: outputs[2],
        })
    }

    /// Records what running statistics become after a batch normalised to `batch`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn batch_norm_update(
        &mut self,
        path: &str,
        momentum: f64,
        batch: BatchNormOutput,
        running: RunningStatistics,
    ) -> Result<RunningStatistics, GraphError> {
        let op = BatchNormUpdate {
            momentum,
            count: self.shape(batch.y).rows(),
        };
        let operands = [batch.mean, batch.var, running.mean, running.var];
        let outputs = self.push(path, op, &operands)?;
        Ok(RunningStatistics {
            mean: outputs[0],
            var: outputs[1],
        })
    }

    /// Records a normalisation by running statistics.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn batch_norm_eval(
        &mut self,
        path: &str,
        eps: f64,
        x: Var,
        gamma: Var,
        beta: Var,
        running: RunningStatistics,
    ) -> Result<Var, GraphError> {
        let op = BatchNormEval {
            eps,
            activation: Activation::None,
        };
        self.push_one(path, op, &[x, gamma, beta, running.mean, running.var])
    }
}
