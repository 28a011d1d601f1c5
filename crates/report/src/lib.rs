#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod chart;
mod confusion;
mod heat;
mod history;
mod page;
mod reliability;
mod svg;
mod thumbnail;

pub use history::{History, Point};
pub use page::render;
pub use thumbnail::thumbnail;

/// What a page shows. What is empty or absent is left out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The run's name.
    pub title: String,
    /// What was trained, on what.
    pub subtitle: String,
    /// What the log tells.
    pub history: History,
    /// What the best weights answer.
    pub assessment: Option<Assessment>,
    /// Settings by name.
    pub settings: Vec<Setting>,
    /// What a reader should know about the page itself.
    pub notes: Vec<String>,
}

/// A setting of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What a network answers on a set of images.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// Images.
    pub images: u64,
    /// Share of right answers.
    pub top1: f64,
    /// Share of labels among the five best.
    pub top5: f64,
    /// Mean cross-entropy.
    pub loss: f64,
    /// Names of classes.
    pub classes: Vec<String>,
    /// By label, and in each row by answer.
    pub confusion: Vec<Vec<u64>>,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// The temperature that fits best, and the error under it.
    pub tempered: Option<Tempered>,
    /// Images by how sure the network was.
    pub bins: Vec<Bin>,
    /// The images with the least probability for their class, the worst first.
    pub worst: Vec<Mistake>,
}

/// Calibration after dividing logits by a temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempered {
    /// The temperature.
    pub temperature: f64,
    /// Expected calibration error under it.
    pub error: f64,
}

/// Images of which a network was about as sure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// How many.
    pub images: u64,
    /// Mean of the largest probability.
    pub confidence: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

/// An image that a network takes for something else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mistake {
    /// Where it comes from.
    pub origin: String,
    /// Its class.
    pub label: String,
    /// What it was taken for.
    pub answer: String,
    /// The probability given to its class.
    pub label_probability: f64,
    /// The probability of the answer.
    pub answer_probability: f64,
    /// A data URI of the picture; see [`thumbnail()`].
    pub picture: Option<String>,
}
