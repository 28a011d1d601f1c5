//! The end of every network of the family.

use super::{AdaptiveAvgPool2d, Dropout, Linear};
use crate::{AuxOutput, Builder, Ctx, Module, Outputs, Resolved};
use inception_autograd::{GraphError, Var};

/// The average over all pixels, dropout, and one linear layer.
///
/// # Shapes
/// `[n, h, w, c]` → features `[n, 1, 1, c]`, logits `[n, 1, 1, classes]`.
#[derive(Debug)]
pub struct PooledClassifier {
    avgpool: AdaptiveAvgPool2d,
    dropout: Dropout,
    fc: Linear,
}

impl PooledClassifier {
    /// Registers the linear layer under `key`.
    pub fn new(b: &mut Builder<'_>, key: &str, channels: usize, options: &Resolved) -> Self {
        Self {
            avgpool: AdaptiveAvgPool2d::global(&b.at("avgpool")),
            dropout: Dropout::new(&b.at("dropout"), options.dropout),
            fc: Linear::new(&mut b.at(key), channels, options.classes),
        }
    }

    /// Records the classifier on `x`, beside auxiliary heads that were recorded before.
    ///
    /// # Errors
    /// As [`Module::forward`].
    pub fn forward(
        &self,
        x: Var,
        aux: Vec<AuxOutput>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Outputs, GraphError> {
        let features = self.avgpool.forward(x, ctx)?; // [n, 1, 1, c]
        let x = self.dropout.forward(features, ctx)?; // [n, 1, 1, c]
        let logits = self.fc.forward(x, ctx)?; // [n, 1, 1, classes]
        Ok(Outputs {
            features,
            logits,
            aux,
        })
    }
}
