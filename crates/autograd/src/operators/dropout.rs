//! Dropout.

use super::one;
use crate::operator::{Operator, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, dropout};
use inception_tensor::{Element, Shape, Stream, fnv1a};
use smallvec::{SmallVec, smallvec};

/// Inverted dropout. Operand: `x`. Its gradient is itself on `dy`: the mask is drawn again
/// from the run's seed and step and the operator's key.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of a zero.
    pub rate: f64,
    /// What tells this operator's mask from others'.
    pub key: u64,
}

impl Operator for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        dropout::check(self.rate)?;
        Ok(one(inputs[0]))
    }

    fn random(&self) -> bool {
        true
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let dy = grads[0].expect("the only output has a gradient");
        Ok(smallvec![Some(tape.push_one(node, self.clone(), &[dy])?)])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let stream = Stream::new(&[io.key.seed, fnv1a(b"dropout"), io.key.step, self.key]);
        let (x, y) = (io.read(0), io.write(0));
        dropout::apply(io.pool, self.rate, &stream, x, y);
    }
}

impl Graph {
    /// Records dropout of `rate`; its mask is keyed by `path`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn dropout(&mut self, path: &str, rate: f64, x: Var) -> Result<Var, GraphError> {
        let key = fnv1a(path.as_bytes());
        self.push_one(path, Dropout { rate, key }, &[x])
    }
}
