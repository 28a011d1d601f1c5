//! Convolution.

use super::relu::masked;
use super::stored::into_single;
use super::{algorithm, one};
use crate::operator::{Operator, Output, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape, io::into_vector};
use inception_ops::conv2d::{self, Algorithm, Method, stored};
use inception_ops::{Activation, OpError, Window};
use inception_tensor::{Bf16, Element, Kernel, Shape, View, ViewMut};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// Convolutions of one input by one or more banks of filters, with bias and activation.
///
/// Operands: `x`, then for each bank its weight `[kh, kw, c_in, c_out]` and, where `bias`
/// says so, its bias. Outputs: one map a bank. Where `packed` holds the shapes of the
/// weights, the operands are results of [`PackWeight`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Kernel, stride, padding, dilation.
    pub window: Window,
    /// How the sums are taken, those of the gradients too where it pays for them.
    pub algorithm: Algorithm,
    /// Whether each bank has a bias.
    pub bias: bool,
    /// Applied to every output.
    pub activation: Activation,
    /// How many banks read the input.
    pub banks: usize,
    /// Shapes of weights that were packed beforehand.
    pub packed: Option<SmallVec<[Shape; 4]>>,
}

impl Conv2d {
    /// The window, and how its sums are taken.
    pub fn method(&self) -> Method {
        Method {
            window: self.window,
            algorithm: self.algorithm,
        }
    }

    /// How the sums of a gradient are taken for which `fastest` is asked.
    fn gradient(&self, fastest: impl FnOnce(Window) -> Method) -> Method {
        match self.algorithm {
            Algorithm::Direct => self.method(),
            Algorithm::Winograd => fastest(self.window),
        }
    }

    /// Operands a bank has.
    fn operands(&self) -> usize {
        1 + usize::from(self.bias)
    }

    /// The place of the weight of bank `i` among the operands.
    pub(crate) fn weight(&self, i: usize) -> usize {
        1 + i * self.operands()
    }

    /// The shape of the weight of bank `i`.
    fn weight_shape(&self, i: usize, inputs: &[Shape]) -> Shape {
        match &self.packed {
            Some(shapes) => shapes[i],
            None => inputs[self.weight(i)],
        }
    }
}

impl Operator for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        assert_eq!(inputs.len(), 1 + self.banks * self.operands());
        let mut outputs = Outputs::new();
        for i in 0..self.banks {
            let weight = self.weight_shape(i, inputs);
            outputs.push(Output::real(conv2d::shape(
                &self.window,
                inputs[0],
                weight,
            )?));
            if self.bias && inputs[self.weight(i) + 1] != Shape::vector(weight.c) {
                return Err(OpError::Shape {
                    op: "conv2d",
                    detail: format!(
                        "bias {} does not fit weight {weight}",
                        inputs[self.weight(i) + 1]
                    ),
                });
            }
        }
        Ok(outputs)
    }

    fn macs(&self, inputs: &[Shape], outputs: &[Shape]) -> u64 {
        (0..self.banks)
            .map(|i| {
                let w = self.weight_shape(i, inputs);
                outputs[i].rows() as u64 * w.len() as u64
            })
            .sum()
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        match self.packed {
            Some(_) => 0,
            None => {
                let weights = (0..self.banks).map(|i| inputs[self.weight(i)]);
                conv2d::forward_workspace(&self.method(), weights)
            }
        }
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        if self.packed.is_some() {
            return Err(GraphError::NotDifferentiable {
                path: node.path.to_string(),
                op: "conv2d with packed weights",
            });
        }
        let mut result = smallvec![None; node.inputs.len()];
        let (mut dys, mut weights) = (SmallVec::<[Var; 8]>::new(), SmallVec::<[Var; 4]>::new());
        for (i, &dy) in grads.iter().enumerate() {
            let dy = match self.activation {
                Activation::Relu => masked(tape, node, node.outputs[i], dy)?,
                Activation::None => dy,
            };
            let Some(dy) = dy else { continue };
            let at = self.weight(i);
            let weight = node.inputs[at];
            dys.push(dy);
            weights.push(weight);
            let needs_bias = self.bias && tape.needs(node.inputs[at + 1]);
            if tape.needs(weight) || needs_bias {
                let y = tape.graph().shape(node.outputs[i]);
                let weight = tape.graph().shape(weight);
                let op = Conv2dBackwardWeight {
                    method: self.gradient(|window| Method::fastest_gradient(window, y, weight.w)),
                    weight,
                    by_pairs: false,
                };
                let outputs = tape.push(node, op, &[node.inputs[0], dy])?;
                result[at] = Some(outputs[0]);
                if self.bias {
                    result[at + 1] = Some(outputs[1]);
                }
            }
        }
        if tape.needs(node.inputs[0]) && !dys.is_empty() {
            let input = tape.graph().shape(node.inputs[0]);
            let filters = weights.iter().map(|&w| tape.graph().shape(w).c).max();
            let filters = filters.expect("a bank has a gradient");
            let op = Conv2dBackwardInput {
                method: self.gradient(|window| Method::fastest_gradient(window, input, filters)),
                input,
                banks: dys.len(),
                by_pairs: false,
            };
            dys.extend(weights);
            result[0] = Some(tape.push_one(node, op, &dys)?);
        }
        Ok(result)
    }

    fn optional(&self, _output: usize) -> bool {
        true
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        Some(algorithm(self.method().effective(), kernel))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let filters: SmallVec<[conv2d::Filter<'_, T>; 4]> = (0..self.banks)
            .map(|i| conv2d::Filter {
                weight: match &self.packed {
                    None => conv2d::Weight::Plain(io.read(self.weight(i))),
                    Some(shapes) => conv2d::Weight::Packed {
                        data: io.vector(self.weight(i)),
                        shape: shapes[i],
                    },
                },
                bias: self.bias.then(|| io.vector(self.weight(i) + 1)),
            })
            .collect();
        let mut used: SmallVec<[conv2d::Filter<'_, T>; 4]> = SmallVec::new();
        let mut outputs: SmallVec<[ViewMut<'_, T>; 4]> = SmallVec::new();
        for (i, filter) in filters.into_iter().enumerate() {
            if let Some(y) = io.write_if_used(i) {
                used.push(filter);
                outputs.push(y);
            }
        }
        let (x, workspace) = (io.read(0), io.workspace());
        conv2d::forward(
            io.pool,
            &self.method(),
            x,
            &used,
            self.activation,
            &mut outputs,
            workspace,
        );
    }
}

/// A convolution's weight in the order in which the kernels read it. Operand: the weight
/// `[kh, kw, c_in, c_out]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackWeight {
    /// The convolution's.
    pub method: Method,
}

impl Operator for PackWeight {
    fn name(&self) -> &'static str {
        "pack_weight"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(Shape::vector(conv2d::packed_weight_len(
            &self.method,
            inputs[0],
        ))))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (weight, packed) = (io.read(0), into_vector(io.write(0)));
        conv2d::pack(io.pool, &self.method, weight, packed);
    }
}

/// How a gradient's sums are taken.
fn gradient_algorithm(method: &Method, by_pairs: bool, kernel: Kernel) -> Cow<'static, str> {
    match by_pairs {
        true => "direct bf16".into(),
        false => algorithm(method.effective(), kernel),
    }
}

/// Gradient with respect to the input. Operands: `dy` of each bank, then the weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2dBackwardInput {
    /// The convolution's window, and how the sums are taken.
    pub method: Method,
    /// The input's shape.
    pub input: Shape,
    /// How many banks.
    pub banks: usize,
    /// Whether products are of pairs of numbers that are rounded to [`Bf16`], where the stride
    /// is 1.
    pub by_pairs: bool,
}

impl Operator for Conv2dBackwardInput {
    fn name(&self) -> &'static str {
        match self.by_pairs {
            true => "conv2d_backward_input_bf16",
            false => "conv2d_backward_input",
        }
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(self.input))
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        (0..self.banks)
            .map(|i| inputs[i].rows() as u64 * inputs[self.banks + i].len() as u64)
            .sum()
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        let weights = inputs[self.banks..].iter().copied();
        if self.by_pairs {
            let window = &self.method.window;
            return stored::backward_input_workspace(window, self.input, inputs[0], weights);
        }
        conv2d::backward_input_workspace(&self.method, self.input, weights)
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        Some(gradient_algorithm(&self.method, self.by_pairs, kernel))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let operands = |from: usize| -> SmallVec<[View<'_, T>; 4]> {
            (from..from + self.banks).map(|i| io.read(i)).collect()
        };
        let (dy, weights) = (operands(0), operands(self.banks));
        let (dx, workspace) = (io.write(0), io.workspace());
        if self.by_pairs {
            let (window, words) = (&self.method.window, bytemuck::cast_slice_mut(workspace));
            return into_single(dx, |dx| {
                stored::backward_input(io.pool, window, &dy, &weights, dx, words);
            });
        }
        conv2d::backward_input(io.pool, &self.method, &dy, &weights, dx, workspace);
    }
}

/// Gradients with respect to one bank's weight and bias. Operands: `x`, `dy`; `x` is stored as
/// [`Bf16`] where products are of pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2dBackwardWeight {
    /// The convolution's window, and how the sums are taken.
    pub method: Method,
    /// The weight's shape.
    pub weight: Shape,
    /// Whether products are of pairs of numbers that are rounded to [`Bf16`], where the stride
    /// is 1.
    pub by_pairs: bool,
}

impl Operator for Conv2dBackwardWeight {
    fn name(&self) -> &'static str {
        match self.by_pairs {
            true => "conv2d_backward_weight_bf16",
            false => "conv2d_backward_weight",
        }
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(smallvec![
            Output::real(self.weight),
            Output::real(Shape::vector(self.weight.c)),
        ])
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        inputs[1].rows() as u64 * self.weight.len() as u64
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        match self.by_pairs {
            true => stored::backward_weight_workspace(&self.method.window, inputs[0], inputs[1]),
            false => conv2d::backward_weight_workspace(&self.method, inputs[1], self.weight),
        }
    }

    fn optional(&self, output: usize) -> bool {
        output == 1
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        Some(gradient_algorithm(&self.method, self.by_pairs, kernel))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let dy = io.read(1);
        let (dw, db) = (io.write(0), io.write_if_used(1).map(into_vector));
        let workspace = io.workspace();
        if self.by_pairs {
            let (x, words) = (
                io.read_stored::<Bf16>(0),
                bytemuck::cast_slice_mut(workspace),
            );
            return into_single(dw, |dw| {
                stored::backward_weight(io.pool, &self.method.window, x, dy, dw, db, words);
            });
        }
        conv2d::backward_weight(io.pool, &self.method, io.read(0), dy, dw, db, workspace);
    }
}

impl Graph {
    /// Records a convolution of `x` `[n, h, w, c_in]` by `weight` `[kh, kw, c_in, c_out]`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn conv2d(
        &mut self,
        path: &str,
        window: Window,
        x: Var,
        weight: Var,
        bias: Option<Var>,
    ) -> Result<Var, GraphError> {
        let op = Conv2d {
            window,
            algorithm: Algorithm::Direct,
            bias: bias.is_some(),
            activation: Activation::None,
            banks: 1,
            packed: None,
        };
        let operands: SmallVec<[Var; 3]> = [x, weight].into_iter().chain(bias).collect();
        self.push_one(path, op, &operands)
    }
}
