//! Which model, built for what.

use super::InputShape;
use anyhow::Result;
use clap::Args;
use inception_nn::{Aux, Model, ModelOptions};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// Model by name; `inception models` lists them
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Channels, height and width of an image [default: the model's own]
    #[arg(long, value_name = "C,H,W")]
    pub(crate) input: Option<InputShape>,
    /// How many classes the model tells apart [default: the model's own]
    #[arg(long, value_name = "N")]
    pub(crate) classes: Option<usize>,
    /// Leave auxiliary classifiers away
    #[arg(long)]
    pub(crate) no_aux: bool,
}

impl ModelArgs {
    pub(crate) fn options(&self) -> ModelOptions {
        ModelOptions {
            input: self.input.map(|shape| shape.0),
            classes: self.classes,
            aux: if self.no_aux { Aux::Drop } else { Aux::Keep },
            ..ModelOptions::default()
        }
    }

    pub(crate) fn build(&self, name: &str) -> Result<Model> {
        Ok(Model::build(name, &self.options())?)
    }
}
