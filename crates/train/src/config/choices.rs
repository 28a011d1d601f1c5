//! Settings that are one of several words.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An update rule by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Gradient descent with momentum.
    Sgd,
    /// The same, looking ahead.
    Nesterov,
    /// PyTorch's RMSprop.
    Rmsprop,
    /// TensorFlow's, as the Inception papers have it.
    #[serde(rename = "rmsprop-tf")]
    RmspropTf,
    /// Adam with decoupled weight decay.
    Adamw,
    /// Orthogonal steps for the filters of convolutions, AdamW for all else.
    Muon,
}

/// A learning rate's curve by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleName {
    /// Less by 4 % every 8 epochs.
    Paper,
    /// A factor every so many epochs.
    Step,
    /// A power of what is left of the run.
    Poly,
    /// Half a cosine.
    Cosine,
    /// Up and down once.
    Onecycle,
    /// No change.
    Constant,
}

/// Whether auxiliary classifiers are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuxHeads {
    /// Where the model has them.
    Keep,
    /// Never.
    Drop,
}

/// The order of training images: `shuffled`, `sequential` or `shards:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Order {
    /// Another random one in each epoch.
    Shuffled,
    /// The data set's.
    Sequential,
    /// Shards in another random order in each epoch, the images of so many at a time shuffled.
    Shards(usize),
}

/// Which symbolic links in folders of images are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Links {
    /// Those whose target lies in the data set's folder.
    Inside,
    /// All.
    Everywhere,
    /// None.
    Never,
}

/// Which maps of a forward pass are made again in the backward pass instead of kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// None.
    Nothing,
    /// Those of normalisations and pools.
    Cheap,
    /// All but those between the stages of the network.
    Stages,
}

impl From<Recompute> for inception_autograd::Recompute {
    fn from(what: Recompute) -> Self {
        match what {
            Recompute::Nothing => Self::Nothing,
            Recompute::Cheap => Self::Cheap,
            Recompute::Stages => Self::Stages,
        }
    }
}

/// What the maps of the forward pass are kept in until the backward pass has read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Numbers of 32 bits.
    F32,
    /// Numbers of 16 bits; products of them are summed in 32. Weights, statistics and
    /// gradients keep 32 bits.
    Bf16,
}

/// Whether a file of weights must fit the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitMode {
    /// Exactly; a difference is an error.
    Strict,
    /// Everything but the classifiers, which may be for another number of classes and then
    /// begin at random; auxiliary ones may be missing.
    Head,
    /// What fits is taken, the rest begins at random.
    Partial,
}

/// How first weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitializerName {
    /// So that signals keep their size through each layer and its ReLU.
    He,
    /// Caffe's, as BVLC's GoogLeNet has it.
    Xavier,
    /// Normal with a standard deviation of 0.01, as torchvision's GoogLeNet has it.
    Normal,
}

/// What happens to training images that cannot be read: `fail` or `skip:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum BadImages {
    /// The first ends the run.
    Fail,
    /// Up to so many in an epoch are left out of their batches.
    Skip(u64),
}

/// What happens when a loss, a gradient or a weight stops being a number:
/// `skip:N,rollback:M,abort`.
///
/// A step whose loss or gradient is not finite is left out, weights as they were; after
/// `skip` such steps in a row the run goes back to its last checkpoint with half the
/// learning rate, at most `rollback` times; then it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NonFinitePolicy {
    /// How many steps in a row may be left out.
    pub skip: u64,
    /// How often the run may go back.
    pub rollback: u64,
}

impl Default for NonFinitePolicy {
    fn default() -> Self {
        Self {
            skip: 5,
            rollback: 2,
        }
    }
}

impl fmt::Display for BadImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => write!(f, "fail"),
            Self::Skip(n) => write!(f, "skip:{n}"),
        }
    }
}

impl FromStr for BadImages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "fail" => Some(Self::Fail),
            Some(("skip", n)) => n.parse().ok().map(Self::Skip),
            _ => None,
        }
        .ok_or_else(|| format!("on-bad-image: expected fail or skip:N, found {text:?}"))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shuffled => write!(f, "shuffled"),
            Self::Sequential => write!(f, "sequential"),
            Self::Shards(n) => write!(f, "shards:{n}"),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once(':')) {
            ("shuffled", _) => Some(Self::Shuffled),
            ("sequential", _) => Some(Self::Sequential),
            (_, Some(("shards", n))) => n.parse().ok().filter(|&n| n > 0).map(Self::Shards),
            _ => None,
        }
        .ok_or_else(|| format!("order: expected shuffled, sequential or shards:N, found {text:?}"))
    }
}

impl fmt::Display for NonFinitePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { skip, rollback } = self;
        write!(f, "skip:{skip},rollback:{rollback},abort")
    }
}

impl FromStr for NonFinitePolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("on-nonfinite: expected abort, or skip:N,rollback:N,abort, found {text:?}");
        let mut policy = Self {
            skip: 0,
            rollback: 0,
        };
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let Some((&"abort", actions)) = parts.split_last() else {
            return Err(refuse());
        };
        for action in actions {
            let (name, n) = action.split_once(':').ok_or_else(refuse)?;
            let n = n.parse().map_err(|_| refuse())?;
            match name {
                "skip" => policy.skip = n,
                "rollback" => policy.rollback = n,
                _ => return Err(refuse()),
            }
        }
        Ok(policy)
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

as_text!(BadImages, NonFinitePolicy, Order);
