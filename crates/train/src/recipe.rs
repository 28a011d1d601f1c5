//! Settings that go together, by name.

use crate::{TrainConfig, TrainError};

/// A training run's settings under a name: a TOML file with its sources in comments.
///
/// What a recipe does not name is the [default](TrainConfig::default); what a user says goes
/// over it.
///
/// # Examples
/// ```
/// use inception_train::Recipe;
///
/// let config = Recipe::find("inception-v3")?.settings();
/// assert_eq!((config.eps, config.label_smoothing), (Some(1.0), 0.1));
/// # Ok::<(), inception_train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

const fn recipe(name: &'static str, text: &'static str) -> Recipe {
    Recipe { name, text }
}

const RECIPES: [Recipe; 11] = [
    recipe("shapes", include_str!("../recipes/shapes.toml")),
    recipe(
        "fashion-mnist",
        include_str!("../recipes/fashion-mnist.toml"),
    ),
    recipe("cifar", include_str!("../recipes/cifar.toml")),
    recipe("photographs", include_str!("../recipes/photographs.toml")),
    recipe(
        "fashion-mnist-long",
        include_str!("../recipes/fashion-mnist-long.toml"),
    ),
    recipe("fine-tune", include_str!("../recipes/fine-tune.toml")),
    recipe(
        "googlenet-paper",
        include_str!("../recipes/googlenet-paper.toml"),
    ),
    recipe(
        "googlenet-bvlc",
        include_str!("../recipes/googlenet-bvlc.toml"),
    ),
    recipe(
        "googlenet-bvlc-quick",
        include_str!("../recipes/googlenet-bvlc-quick.toml"),
    ),
    recipe("googlenet-bn", include_str!("../recipes/googlenet-bn.toml")),
    recipe("inception-v3", include_str!("../recipes/inception-v3.toml")),
];

impl Recipe {
    /// Every recipe: the first four are chosen by what the data are.
    pub fn all() -> &'static [Self] {
        &RECIPES
    }

    /// The recipe called `name`.
    ///
    /// # Errors
    /// [`TrainError::Usage`] names those there are.
    pub fn find(name: &str) -> Result<&'static Self, TrainError> {
        let found = RECIPES.iter().find(|recipe| recipe.name == name);
        found.ok_or_else(|| {
            let names = RECIPES.map(|recipe| recipe.name).join(", ");
            TrainError::Usage(format!(
                "recipe: expected one of {names}, found \"{}\"",
                name.escape_debug()
            ))
        })
    }

    /// What it is for, in one line.
    pub fn about(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches('#').trim()
    }

    /// The settings.
    pub fn settings(&self) -> TrainConfig {
        TrainConfig::from_toml(self.text).expect("recipes are tested to be settings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Curve, OptimizerKind, Span};

    #[test]
    fn every_recipe_is_valid_and_says_what_it_is() {
        for recipe in Recipe::all() {
            let config = TrainConfig::from_toml(recipe.text).unwrap();
            config
                .validate()
                .unwrap_or_else(|e| panic!("{}: {e}", recipe.name));
            assert!(config.epochs.is_some(), "{}", recipe.name);
            assert!(recipe.text.starts_with("# ") && recipe.about().ends_with('.'));
            assert_eq!(Recipe::find(recipe.name).unwrap(), recipe);
        }
        let error = Recipe::find("fast").unwrap_err().to_string();
        assert!(error.starts_with("recipe: expected one of shapes, fashion-mnist"));
    }

    #[test]
    fn published_numbers_are_in_their_recipes() {
        let of = |name| Recipe::find(name).unwrap().settings();
        let v3 = of("inception-v3");
        assert_eq!(
            v3.optimizer_config().kind,
            OptimizerKind::RmsPropTf {
                alpha: 0.9,
                eps: 1.0,
                momentum: 0.9
            }
        );
        let span = Span {
            total_steps: 1000,
            steps_per_epoch: 10,
        };
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(v3.schedule().rate(45, span), 0.045 * 0.94 * 0.94);
        let bvlc = of("googlenet-bvlc");
        near(bvlc.schedule().rate(80, span), 0.0096);
        assert_eq!(bvlc.rule[0].to_string(), "*.bias lr=2 decay=0");
        let quick = of("googlenet-bvlc-quick");
        assert_eq!(quick.schedule().curve, Curve::Poly { power: 0.5 });
        assert_eq!(of("googlenet-paper").schedule().curve, Curve::Paper);
    }
}
