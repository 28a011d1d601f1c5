//! Parameters that are moved otherwise than the rest.

use crate::Trained;
use inception_nn::{Layout, ParamSpec, Pattern};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What learning rate and weight decay are multiplied by for the parameters that a pattern
/// fits: `*.bias lr=2 decay=0`, as Caffe's layers have it.
///
/// Without a rule weights decay, and biases and the scales and shifts of normalisations do
/// not. Where several rules fit, their rates multiply and the last decay holds.
///
/// # Examples
/// ```
/// use inception_train::ParamRule;
///
/// let rule: ParamRule = "*.bias lr=2 decay=0".parse()?;
/// assert_eq!((rule.lr, rule.decay), (2.0, Some(0.0)));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ParamRule {
    /// Which parameters ([`Pattern`]).
    pub pattern: String,
    /// What their learning rate is multiplied by.
    pub lr: f64,
    /// What their weight decay is multiplied by, if that changes.
    pub decay: Option<f64>,
}

impl ParamRule {
    /// How the parameter of `spec` is moved under `rules`.
    pub fn apply(rules: &[Self], spec: &ParamSpec) -> Trained {
        let decay = if spec.role.decays() { 1.0 } else { 0.0 };
        let mut trained = Trained {
            decay,
            filters: matches!(spec.layout, Layout::Conv)
                .then_some([spec.shape.rows(), spec.shape.c]),
            ..Trained::new(spec.name.clone(), spec.shape.len())
        };
        let fits = |rule: &&Self| Pattern::new(&rule.pattern).fits(&spec.name);
        for rule in rules.iter().filter(fits) {
            trained.lr *= rule.lr;
            trained.decay = rule.decay.unwrap_or(trained.decay);
        }
        trained
    }

    /// The first of `rules` that fits none of the parameters.
    pub fn idle<'a>(rules: &'a [Self], trained: &[Trained]) -> Option<&'a Self> {
        rules.iter().find(|rule| {
            let pattern = Pattern::new(&rule.pattern);
            !trained.iter().any(|p| pattern.fits(&p.name))
        })
    }
}

impl fmt::Display for ParamRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lr={}", self.pattern, self.lr)?;
        match self.decay {
            Some(decay) => write!(f, " decay={decay}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ParamRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("rule: expected PATTERN lr=X decay=X, found {text:?}");
        let mut words = text.split_whitespace();
        let pattern = words.next().filter(|word| !word.contains('='));
        let mut rule = Self {
            pattern: pattern.ok_or_else(refuse)?.to_owned(),
            lr: 1.0,
            decay: None,
        };
        let mut settings = 0;
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(refuse)?;
            let value: f64 = value.parse().map_err(|_| refuse())?;
            if !(value.is_finite() && value >= 0.0) {
                return Err(refuse());
            }
            match name {
                "lr" => rule.lr = value,
                "decay" => rule.decay = Some(value),
                _ => return Err(refuse()),
            }
            settings += 1;
        }
        if settings == 0 {
            return Err(refuse());
        }
        Ok(rule)
    }
}

impl From<ParamRule> for String {
    fn from(rule: ParamRule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for ParamRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_nn::{Model, ModelOptions};

    #[test]
    fn rules_change_what_they_fit_and_nothing_else() {
        let model = Model::build("simple-inception", &ModelOptions::default()).unwrap();
        let rules = ["*.bias lr=2 decay=0", "fc lr=3", "fc.weight decay=0.5"];
        let rules = rules.map(|text| text.parse().unwrap());
        let of = |name: &str| {
            let id = model.specs().find(name).unwrap();
            let trained = ParamRule::apply(&rules, model.specs().get(id));
            (trained.lr, trained.decay)
        };
        assert_eq!(of("conv1.weight"), (1.0, 1.0));
        assert_eq!(of("conv1.bias"), (2.0, 0.0));
        assert_eq!(of("fc.bias"), (6.0, 0.0));
        assert_eq!(of("fc.weight"), (3.0, 0.5));
        let trained = [Trained::new("conv1.weight", 1)];
        let idle = ParamRule::idle(&rules, &trained).unwrap();
        assert_eq!(idle.to_string(), "*.bias lr=2 decay=0");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "fc",
            "lr=2",
            "fc lr",
            "fc rate=1",
            "fc lr=-1",
            "fc lr=nan",
        ] {
            let error = text.parse::<ParamRule>().unwrap_err();
            assert!(error.contains("expected PATTERN lr=X decay=X"), "{error}");
        }
    }
}
