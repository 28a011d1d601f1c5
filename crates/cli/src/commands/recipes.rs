//! `inception recipes`.

use crate::args::Common;
use crate::exit::Outcome;
use crate::output;
use crate::table::pairs;
use anyhow::Result;
use clap::Args;
use inception_train::Recipe;
use serde::Serialize;

/// List the recipes of training, or print one with its sources
#[derive(Args, Debug)]
pub(crate) struct RecipesArgs {
    /// Print this one: TOML to change and to give to `inception train --config`
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report {
    recipes: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

pub(crate) fn run(args: &RecipesArgs) -> Result<Outcome> {
    let chosen = match &args.name {
        Some(name) => std::slice::from_ref(Recipe::find(name)?),
        None => Recipe::all(),
    };
    if args.common.json {
        let row = |recipe: &Recipe| Row {
            name: recipe.name,
            about: recipe.about(),
            text: recipe.text,
        };
        let recipes = chosen.iter().map(row).collect();
        output::json(&Report { recipes })?;
    } else if args.name.is_some() {
        output::print(&to_change(&chosen[0]))?;
    } else {
        let rows: Vec<(&str, String)> = chosen
            .iter()
            .map(|recipe| (recipe.name, recipe.about().to_owned()))
            .collect();
        output::print(&pairs(&rows))?;
    }
    Ok(Outcome::Done)
}

/// The file, and the name for what it does not name: otherwise that would follow from the data.
fn to_change(recipe: &Recipe) -> String {
    format!("{}recipe = \"{}\"\n", recipe.text, recipe.name)
}
