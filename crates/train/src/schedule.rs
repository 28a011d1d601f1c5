//! The learning rate as a function of the step.

use crate::TrainError;
use crate::range::{Range, check_count};

/// The shape of the curve that the learning rate follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// The same rate all the time.
    Constant,
    /// The rate times `factor` after every `every` epochs.
    Step {
        /// What the rate is multiplied by.
        factor: f64,
        /// After how many epochs.
        every: u64,
    },
    /// `(1 − t)^power`, `t` from 0 to 1 over the run.
    Poly {
        /// The exponent; 0.5 in the quick solver of Caffe's GoogLeNet.
        power: f64,
    },
    /// `(1 + cos πt)/2`.
    Cosine,
    /// Up from `1/div` by a half cosine during the share `up` of the run, then down to
    /// `1/(div·final_div)`.
    OneCycle {
        /// The share of the run that the rate rises.
        up: f64,
        /// The highest rate over the first one.
        div: f64,
        /// The first rate over the last one.
        final_div: f64,
    },
    /// Less by 4 % every 8 epochs.
    Paper,
}

/// A curve, its height, and a linear rise before it.
///
/// A step's rate is a pure function of its number, so it needs no state to resume.
///
/// # Sources
/// Szegedy et al., "Going Deeper with Convolutions", 2015, section 6 (paper); Goyal et al.,
/// "Accurate, Large Minibatch SGD", 2017 (warm-up); Smith and Topin, "Super-Convergence",
/// 2018, in the form of `torch.optim.lr_scheduler.OneCycleLR`.
///
/// # Examples
/// ```
/// use inception_train::{Curve, Schedule, Span};
///
/// let schedule = Schedule { curve: Curve::Paper, lr: 0.1, warmup_epochs: 0.0 };
/// let span = Span { total_steps: 1000, steps_per_epoch: 10 };
/// assert_eq!(schedule.rate(79, span), 0.1);
/// assert!((schedule.rate(80, span) - 0.096).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The curve.
    pub curve: Curve,
    /// The highest rate.
    pub lr: f64,
    /// Epochs during which the rate rises from near 0.
    pub warmup_epochs: f64,
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
}

impl Schedule {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Usage`] names the first that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        Range::POSITIVE.check("lr", self.lr)?;
        Range::NOT_NEGATIVE.check("warmup-epochs", self.warmup_epochs)?;
        match self.curve {
            Curve::Constant | Curve::Cosine | Curve::Paper => Ok(()),
            Curve::Step { factor, every } => {
                Range::UP_TO_ONE.check("step-factor", factor)?;
                check_count("step-every", every, 1..=u64::MAX)
            }
            Curve::Poly { power } => Range::POSITIVE.check("poly-power", power),
            Curve::OneCycle { up, div, final_div } => {
                Range::INSIDE_UNIT.check("onecycle-up", up)?;
                Range::ABOVE_ONE.check("onecycle-div", div)?;
                Range::ABOVE_ONE.check("onecycle-final-div", final_div)?;
                if self.warmup_epochs > 0.0 {
                    return Err(TrainError::Usage(format!(
                        "warmup-epochs: onecycle begins with a rise of its own, expected 0, \
                         found {}",
                        self.warmup_epochs
                    )));
                }
                Ok(())
            }
        }
    }

    /// The rate of step `step`, counted from 0.
    ///
    /// Poly and cosine run from the end of the warm-up to the end of the run and would
    /// reach 0 one step after the last; the curves that count epochs count them from the
    /// beginning of the run.
    pub fn rate(&self, step: u64, span: Span) -> f64 {
        let warmup = (self.warmup_epochs * span.steps_per_epoch as f64).round();
        let warmup = (warmup as u64).min(span.total_steps);
        if step < warmup {
            return self.lr * (step + 1) as f64 / warmup as f64;
        }
        let left = (span.total_steps - warmup).max(1) as f64;
        let t = ((step - warmup) as f64 / left).min(1.0);
        let epoch = step / span.steps_per_epoch.max(1);
        self.lr
            * match self.curve {
                Curve::Constant => 1.0,
                Curve::Step { factor, every } => power(factor, epoch / every),
                Curve::Paper => power(0.96, epoch / 8),
                Curve::Poly { power } => (1.0 - t).powf(power),
                Curve::Cosine => half_cosine(0.0, 1.0, 1.0 - t),
                Curve::OneCycle { up, div, final_div } => {
                    let last = (span.total_steps.max(2) - 1) as f64;
                    let (now, top) = (step as f64, (up * span.total_steps as f64 - 1.0).max(0.0));
                    let low = 1.0 / div;
                    if now <= top && top > 0.0 {
                        half_cosine(low, 1.0, now / top)
                    } else {
                        let down = ((now - top) / (last - top)).min(1.0);
                        half_cosine(low / final_div, 1.0, 1.0 - down)
                    }
                }
            }
    }
}

/// From `low` at `t = 0` to `high` at `t = 1`, flat at both ends.
fn half_cosine(low: f64, high: f64, t: f64) -> f64 {
    low + (high - low) * 0.5 * (1.0 - (std::f64::consts::PI * t).cos())
}

fn power(base: f64, exponent: u64) -> f64 {
    base.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        total_steps: 1000,
        steps_per_epoch: 10,
    };

    fn rate(curve: Curve, warmup_epochs: f64, step: u64) -> f64 {
        let schedule = Schedule {
            curve,
            lr: 0.2,
            warmup_epochs,
        };
        schedule.validate().unwrap();
        schedule.rate(step, SPAN)
    }

    #[track_caller]
    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn curves_pass_through_points_computed_by_hand() {
        for step in [0, 500, 999] {
            near(rate(Curve::Constant, 0.0, step), 0.2);
        }
        near(rate(Curve::Paper, 0.0, 79), 0.2);
        near(rate(Curve::Paper, 0.0, 160), 0.2 * 0.96 * 0.96);
        let steps = Curve::Step {
            factor: 0.1,
            every: 30,
        };
        near(rate(steps, 0.0, 299), 0.2);
        near(rate(steps, 0.0, 300), 0.02);
        near(rate(steps, 0.0, 999), 0.0002);
        near(rate(Curve::Poly { power: 0.5 }, 0.0, 750), 0.1);
        near(rate(Curve::Cosine, 0.0, 500), 0.1);
        near(rate(Curve::Cosine, 0.0, 250), 0.1 * (1.0 + 0.5f64.sqrt()));
        near(rate(Curve::Cosine, 0.0, 1000), 0.0);
    }

    #[test]
    fn one_cycle_rises_to_the_top_and_falls_below_its_beginning() {
        let cycle = Curve::OneCycle {
            up: 0.3,
            div: 25.0,
            final_div: 1e4,
        };
        near(rate(cycle, 0.0, 0), 0.2 / 25.0);
        near(rate(cycle, 0.0, 299), 0.2);
        near(rate(cycle, 0.0, 999), 0.2 / 25.0 / 1e4);
        assert!(rate(cycle, 0.0, 150) > rate(cycle, 0.0, 149));
        assert!(rate(cycle, 0.0, 600) < rate(cycle, 0.0, 599));
    }

    #[test]
    fn warm_up_is_linear_and_ends_at_the_full_rate() {
        near(rate(Curve::Cosine, 5.0, 0), 0.2 / 50.0);
        near(rate(Curve::Cosine, 5.0, 24), 0.1);
        near(rate(Curve::Cosine, 5.0, 49), 0.2);
        near(rate(Curve::Cosine, 5.0, 50), 0.2);
        near(rate(Curve::Cosine, 5.0, 525), 0.1);
        near(rate(Curve::Constant, 1e9, 999), 0.2);
    }

    #[test]
    fn rates_stay_between_zero_and_the_highest_for_every_short_run() {
        let curves = [
            Curve::Constant,
            Curve::Paper,
            Curve::Cosine,
            Curve::Poly { power: 2.0 },
            Curve::OneCycle {
                up: 0.3,
                div: 25.0,
                final_div: 1e4,
            },
        ];
        for curve in curves {
            for total_steps in 1..20 {
                let span = Span {
                    total_steps,
                    steps_per_epoch: 3,
                };
                for step in 0..total_steps {
                    let schedule = Schedule {
                        curve,
                        lr: 1.0,
                        warmup_epochs: 0.0,
                    };
                    let rate = schedule.rate(step, span);
                    assert!((0.0..=1.0).contains(&rate), "{curve:?} {span:?} {step}");
                }
            }
        }
    }

    #[test]
    fn rates_that_are_no_rates_are_refused_by_name() {
        for lr in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let schedule = Schedule {
                curve: Curve::Constant,
                lr,
                warmup_epochs: 0.0,
            };
            let text = schedule.validate().unwrap_err().to_string();
            assert_eq!(
                text,
                format!("lr: expected a finite number above 0, found {lr}")
            );
        }
        let huge = Schedule {
            curve: Curve::Constant,
            lr: 1e38,
            warmup_epochs: 0.0,
        };
        assert!(huge.validate().is_ok());
    }
}
