//! Parameters, modules and the Inception family.
//!
//! A [`Model`] is built by name from the [`registry`]: plain structs whose fields are
//! children, so that a field's path is the parameter's key in a state dict. Recording its
//! forward pass writes operators into a graph; [`TrainProgram`] and [`EvalProgram`] are whole
//! graphs with loss, gradients or probabilities. [`Parameters`] holds the numbers, apart from
//! the model.
//!
//! This crate knows no files and no command lines.
#![forbid(unsafe_code)]

mod builder;
mod context;
mod error;
mod init;
mod layout;
mod meta;
mod model;
pub mod models;
pub mod modules;
mod observe;
mod parameters;
mod pattern;
mod program;
mod registry;
mod spec;
mod state_dict;
mod summary;

pub use builder::Builder;
pub use context::{AuxOutput, Ctx, Mode, Module, Network, Outputs};
pub use error::{Mismatch, NnError, StateDictDifference};
pub use init::{Init, Initializer};
pub use layout::Layout;
pub use meta::{MetaError, WeightsMeta};
pub use model::{Aux, Model, ModelOptions, Resolved};
pub use observe::ObserveProgram;
pub use parameters::Parameters;
pub use pattern::Pattern;
pub use program::{
    Answers, AuxLoss, EvalProgram, FeaturesProgram, ParamGrad, Targets, TrainConfig, TrainProgram,
};
pub use registry::{ModelInfo, find, registry};
pub use spec::{ParamSpec, Role, Specs};
pub use state_dict::{LoadMode, LoadReport, StateEntry, StateTensor};
pub use summary::{LayerRow, ModuleRow, Summary, SummaryConfig};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
