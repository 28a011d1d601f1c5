//! The program that shows the values of a network.

use crate::program::unmerged;
use crate::{Mode, Model, NnError};
use inception_autograd::{Graph, Passes, Plan, PlanOptions, Var, observed, optimise};
use inception_tensor::Element;

/// Inference that keeps every value whose range [`Storage::Int8`] needs.
///
/// [`Storage::Int8`]: inception_autograd::Storage::Int8
#[derive(Clone, Debug)]
pub struct ObserveProgram {
    /// The graph.
    pub graph: Graph,
    /// Input `[n, h, w, c]`.
    pub images: Var,
    /// Values, with the names of their ranges.
    pub values: Vec<(String, Var)>,
}

impl ObserveProgram {
    /// Records inference of `model` on batches of `batch_size` images.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn record(model: &Model, batch_size: usize) -> Result<Self, NnError> {
        let mut graph = Graph::new();
        let images = model.images(&mut graph, batch_size);
        let outputs = model.forward(images, &mut model.context(&mut graph, Mode::Eval))?;
        optimise(&mut graph, &[outputs.logits], &PASSES);
        Ok(Self {
            values: observed(&graph),
            graph,
            images,
        })
    }

    /// The plan of the program in `T`.
    pub fn compile<T: Element>(&self) -> Plan {
        let keep: Vec<Var> = self.values.iter().map(|&(_, var)| var).collect();
        let options = PlanOptions {
            passes: PASSES,
            element_bytes: size_of::<T>(),
            ..PlanOptions::default()
        };
        Plan::compile(&self.graph, &keep, &options)
    }
}

/// Those that run before maps are stored, so that values have the same names.
const PASSES: Passes = unmerged(Passes::INFERENCE);
