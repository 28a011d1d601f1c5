//! The same numbers under another shape.

use super::one;
use crate::operator::{Aliasing, Operator, Outputs};
use crate::{DType, Graph, GraphError, Io, Node, Var, differentiate::Tape, io::InIo};
use inception_ops::OpError;
use inception_tensor::{Bf16, Element, Shape};
use smallvec::{SmallVec, smallvec};

/// The operand's numbers in `[n, h, w, c]` order under another shape. A plan lets a dense
/// operand stay where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshape {
    /// The shape of the output.
    pub shape: Shape,
}

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        if inputs[0].len() != self.shape.len() {
            return Err(OpError::Shape {
                op: "reshape",
                detail: format!("{} cannot become {}", inputs[0], self.shape),
            });
        }
        Ok(one(self.shape))
    }

    fn aliasing(&self) -> Aliasing {
        Aliasing::Reshape
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let shape = tape.graph().shape(node.inputs[0]);
        let dy = grads[0].expect("the only output has a gradient");
        Ok(smallvec![Some(tape.push_one(
            node,
            Self { shape },
            &[dy]
        )?)])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        match io.output_type(0) {
            Some(DType::Bf16) => return self.run_stored::<T, Bf16>(io),
            Some(DType::Int8) => return self.run_stored::<T, u8>(io),
            _ => {}
        }
        let (x, mut y) = (io.read(0), io.write(0));
        assert!(
            x.is_dense() || y.is_dense(),
            "one side of a reshape is dense"
        );
        if x.is_dense() {
            y.copy_from(x.reshaped(y.shape()));
        } else {
            y.reshaped(x.shape()).copy_from(x);
        }
    }
}

impl Reshape {
    fn run_stored<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (x, mut y) = (io.read_stored::<S>(0), io.write_stored::<S>(0));
        let c = x.shape().c;
        for (p, line) in y.dense_mut().chunks_exact_mut(c).enumerate() {
            line.copy_from_slice(x.row(p));
        }
    }
}

impl Graph {
    /// Records `x` as `[n, 1, 1, h·w·c]`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn flatten(&mut self, path: &str, x: Var) -> Result<Var, GraphError> {
        let s = self.shape(x);
        let shape = Shape::matrix(s.n, s.h * s.w * s.c);
        self.push_one(path, Reshape { shape }, &[x])
    }
}
