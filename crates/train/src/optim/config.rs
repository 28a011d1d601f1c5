//! Which optimiser, and its settings.

use super::Trained;
use crate::TrainError;
use crate::range::Range;

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimizerKind {
    /// Gradient descent with momentum; the buffer begins as the first gradient.
    Sgd {
        /// How much of the buffer stays; 0 keeps none.
        momentum: f64,
        /// Looks one step ahead along the buffer.
        nesterov: bool,
    },
    /// Adam with weight decay apart from the gradient.
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of their squares.
        beta2: f64,
        /// Added to the root of the latter.
        eps: f64,
    },
    /// Momentum along orthogonal matrices for the filters of convolutions, AdamW for all else.
    Muon {
        /// Decay of the mean of gradients of filters.
        momentum: f64,
        /// Decay of the mean of other gradients.
        beta1: f64,
        /// Decay of the mean of their squares.
        beta2: f64,
        /// Added to the root of the latter.
        eps: f64,
    },
    /// Gradients over the root of the mean of their squares, PyTorch's form: `eps` is added
    /// after the root.
    RmsProp {
        /// Decay of the mean of squares.
        alpha: f64,
        /// Added to its root.
        eps: f64,
        /// How much of the buffer of updates stays; 0 keeps none.
        momentum: f64,
    },
    /// The same in TensorFlow's form, which the Inception papers trained with: the mean of
    /// squares begins at 1, `eps` is added under the root, and the rate enters the buffer.
    RmsPropTf {
        /// Decay of the mean of squares.
        alpha: f64,
        /// Added to it, under the root.
        eps: f64,
        /// How much of the buffer of updates stays; 0 keeps none.
        momentum: f64,
    },
}

/// An update rule and weight decay, which pulls at weights alone: not at biases nor at the
/// scale and shift of normalisations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// The rule.
    pub kind: OptimizerKind,
    /// λ: SGD and RMSProp add `λ·w` to the gradient, AdamW and Muon take `lr·λ·w` off the
    /// weight.
    pub weight_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Sgd {
                momentum: 0.9,
                nesterov: false,
            },
            weight_decay: 0.0,
        }
    }
}

impl OptimizerConfig {
    /// Names of the buffers that the rule keeps for a parameter, PyTorch's.
    pub fn slots(&self, trained: &Trained) -> &'static [&'static str] {
        match self.kind {
            OptimizerKind::Muon { .. } if trained.filters.is_some() => &["momentum_buffer"],
            OptimizerKind::Sgd { momentum: 0.0, .. } => &[],
            OptimizerKind::Sgd { .. } => &["momentum_buffer"],
            OptimizerKind::AdamW { .. } | OptimizerKind::Muon { .. } => &["exp_avg", "exp_avg_sq"],
            OptimizerKind::RmsProp { momentum: 0.0, .. }
            | OptimizerKind::RmsPropTf { momentum: 0.0, .. } => &["square_avg"],
            OptimizerKind::RmsProp { .. } | OptimizerKind::RmsPropTf { .. } => {
                &["square_avg", "momentum_buffer"]
            }
        }
    }

    /// What the first of the buffers begins as; the second begins as 0.
    pub(super) fn first_value(&self) -> f64 {
        match self.kind {
            OptimizerKind::RmsPropTf { .. } => 1.0,
            _ => 0.0,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Usage`] names the first that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        Range::NOT_NEGATIVE.check("weight-decay", self.weight_decay)?;
        match self.kind {
            OptimizerKind::Sgd { momentum, nesterov } => {
                Range::BELOW_ONE.check("momentum", momentum)?;
                if nesterov && momentum == 0.0 {
                    return Err(TrainError::Usage(
                        "momentum: nesterov needs a number above 0, found 0".into(),
                    ));
                }
                Ok(())
            }
            OptimizerKind::Muon {
                momentum,
                beta1,
                beta2,
                eps,
            } => {
                Range::BELOW_ONE.check("momentum", momentum)?;
                check_adam(beta1, beta2, eps)
            }
            OptimizerKind::AdamW { beta1, beta2, eps } => check_adam(beta1, beta2, eps),
            OptimizerKind::RmsProp {
                alpha,
                eps,
                momentum,
            }
            | OptimizerKind::RmsPropTf {
                alpha,
                eps,
                momentum,
            } => {
                Range::BELOW_ONE.check("alpha", alpha)?;
                Range::POSITIVE.check("eps", eps)?;
                Range::BELOW_ONE.check("momentum", momentum)
            }
        }
    }
}

fn check_adam(beta1: f64, beta2: f64, eps: f64) -> Result<(), TrainError> {
    Range::BELOW_ONE.check("beta1", beta1)?;
    Range::BELOW_ONE.check("beta2", beta2)?;
    Range::POSITIVE.check("eps", eps)
}
