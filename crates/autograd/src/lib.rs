//! Recorded graphs, differentiation, passes, a memory plan and its executor.
//!
//! A [`Graph`] is data: recording an operator computes nothing, but checks shapes where they
//! are written. [`differentiate`] appends the backward operators to the same graph, so
//! gradients are values like any other. [`Passes`] rewrite it, [`Plan::compile`] gives every
//! value a place in one arena, and an [`Executor`] runs the plan in `f32` or `f64`.
//!
//! This crate knows no names of models: a parameter is a number ([`ParamId`]) and a shape.
#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod differentiate;
mod error;
mod executor;
pub mod gradcheck;
mod graph;
mod io;
mod operator;
mod operators;
mod passes;
mod plan;
mod recompute;

pub use differentiate::{Gradients, Tape, differentiate};
pub use error::{ExecError, GraphError};
pub use executor::{Executor, Params, Rectified, StepTime};
pub use graph::{DType, Graph, Node, NodeId, ParamId, Source, Update, Value, Var};
pub use io::{Io, RunKey};
pub use operator::{Aliasing, Op, Operator, Output, Outputs};
pub use operators::*;
pub use passes::{Passes, Range, Ranges, Storage, observed, optimise, store, store_forward};
pub use plan::{Plan, PlanOptions};
pub use recompute::{Recompute, recompute};
