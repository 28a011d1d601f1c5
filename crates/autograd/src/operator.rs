//! What an operator must tell the rest of the crate.

use crate::differentiate::Tape;
use crate::error::GraphError;
use crate::graph::{DType, Node, Var};
use crate::io::Io;
use crate::operators::*;
use inception_ops::{Activation, OpError};
use inception_tensor::{Element, Kernel, Shape};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt::Debug;

/// Shape and type of one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Extent.
    pub shape: Shape,
    /// Type of its numbers.
    pub dtype: DType,
}

impl Output {
    /// An output of the plan's element type.
    pub fn real(shape: Shape) -> Self {
        Self {
            shape,
            dtype: DType::Real,
        }
    }
}

/// The outputs of an operator.
pub type Outputs = SmallVec<[Output; 3]>;

/// How an operator's outputs relate to the memory of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aliasing {
    /// Outputs have memory of their own.
    None,
    /// Output 0 may take over the memory of this input, of the same shape.
    InPlace(usize),
    /// The inputs may lie inside the output: nothing is left to do.
    Concat,
    /// The outputs may lie inside the input: nothing is left to do.
    Split,
    /// The output may be the dense input under another shape.
    Reshape,
}

/// An operator: one struct, one file, one value of [`Op`].
pub trait Operator: Debug + Send + Sync {
    /// The name in tables and messages: `conv2d`.
    fn name(&self) -> &'static str;

    /// Shapes and types of the outputs.
    ///
    /// # Errors
    /// When the operator cannot be applied to `inputs`.
    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError>;

    /// Multiply-adds, of convolutions and linear layers alone.
    fn macs(&self, _inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        0
    }

    /// Numbers of workspace that a run needs.
    fn workspace(&self, _inputs: &[Shape], _outputs: &[Shape]) -> usize {
        0
    }

    /// Whether output `i` is left out where nobody reads it; else it is computed and lost.
    fn optional(&self, _output: usize) -> bool {
        false
    }

    /// Whether the result depends on the run's [key](crate::RunKey), so that it is computed
    /// in every run, whatever it reads.
    fn random(&self) -> bool {
        false
    }

    /// The way that a run takes where there are several, in a few words for people:
    /// `winograd avx512`. `None` where there is only one.
    fn algorithm(
        &self,
        _kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        None
    }

    /// How memory may be shared.
    fn aliasing(&self) -> Aliasing {
        Aliasing::None
    }

    /// Records the backward operators and returns the gradient of each input, `None` for
    /// those that have none or that nobody asked for ([`Tape::needs`]).
    ///
    /// # Errors
    /// [`GraphError::NotDifferentiable`] unless overridden.
    fn differentiate(
        &self,
        _tape: &mut Tape<'_>,
        node: &Node,
        _grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        Err(GraphError::NotDifferentiable {
            path: node.path.to_string(),
            op: self.name(),
        })
    }

    /// Computes the outputs.
    fn run<T: Element>(&self, io: Io<'_, T>)
    where
        Self: Sized;
}

/// The list of operators: an enum with one variant each, and the way from the variant to
/// the operator.
macro_rules! operators {
    ($($name:ident),* $(,)?) => {
        /// Every operator, forward and backward.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each variant holds the operator of its name")]
        pub enum Op {
            $($name($name)),*
        }

        impl Op {
            /// The operator behind the variant.
            pub fn operator(&self) -> &dyn Operator {
                match self {
                    $(Self::$name(op) => op),*
                }
            }

            /// Computes the outputs.
            pub(crate) fn run<T: Element>(&self, io: Io<'_, T>) {
                match self {
                    $(Self::$name(op) => op.run(io)),*
                }
            }
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Self {
                Self::$name(op)
            }
        })*
    };
}

operators!(
    AdaptiveAvgPool,
    AdaptiveAvgPoolBackward,
    AvgPool,
    AvgPoolBackward,
    BatchNorm,
    BatchNormBackward,
    BatchNormEval,
    BatchNormFold,
    BatchNormUpdate,
    Concat,
    Conv2d,
    Conv2dBackwardInput,
    Conv2dBackwardWeight,
    CrossEntropy,
    CrossEntropyBackward,
    Dropout,
    Fill,
    Linear,
    LinearBackwardInput,
    LinearBackwardWeight,
    Load,
    Lrn,
    LrnBackward,
    MaxPool,
    MaxPoolBackward,
    PackStored,
    PackWeight,
    Relu,
    ReluBackward,
    Reshape,
    Softmax,
    Split,
    Store,
    StoredAdaptiveAvgPool,
    StoredAvgPool,
    StoredConv2d,
    StoredMaxPool,
    Sum,
);

impl Op {
    /// Whether operand `i` is a map of which each image makes its own image of the outputs, so that
    /// a batch may be cut into slices, if all other operands are the same for every image.
    pub(crate) fn by_image(&self, i: usize) -> bool {
        match self {
            Self::Concat(_) | Self::Sum(_) => true,
            Self::AdaptiveAvgPool(_)
            | Self::AvgPool(_)
            | Self::BatchNormEval(_)
            | Self::Conv2d(_)
            | Self::Load(_)
            | Self::Lrn(_)
            | Self::MaxPool(_)
            | Self::Relu(_)
            | Self::Store(_)
            | Self::StoredAdaptiveAvgPool(_)
            | Self::StoredAvgPool(_)
            | Self::StoredConv2d(_)
            | Self::StoredMaxPool(_) => i == 0,
            _ => false,
        }
    }

    /// Whether the forward operator sets negative numbers of its outputs to zero.
    pub(crate) fn rectifies(&self) -> bool {
        let activation = match self {
            Self::Relu(_) => return true,
            Self::BatchNorm(op) => op.activation,
            Self::BatchNormEval(op) => op.activation,
            Self::Conv2d(op) => op.activation,
            Self::Linear(op) => op.activation,
            Self::Sum(op) => op.activation,
            _ => Activation::None,
        };
        activation == Activation::Relu
    }
}
