//! Operators, a file each: the forward operator, its backward operators, and the method of
//! [`Graph`](crate::Graph) that records it.

mod adaptive_avg_pool;
mod avg_pool;
mod batch_norm;
mod concat;
mod conv2d;
mod cross_entropy;
mod dropout;
mod linear;
mod lrn;
mod max_pool;
mod relu;
mod reshape;
mod softmax;
mod stored;
mod sum;

pub use adaptive_avg_pool::{AdaptiveAvgPool, AdaptiveAvgPoolBackward};
pub use avg_pool::{AvgPool, AvgPoolBackward};
pub use batch_norm::{
    BatchNorm, BatchNormBackward, BatchNormEval, BatchNormFold, BatchNormOutput, BatchNormUpdate,
    RunningStatistics, Statistics,
};
pub use concat::{Concat, Split};
pub use conv2d::{Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight, PackWeight};
pub use cross_entropy::{CrossEntropy, CrossEntropyBackward, TargetKind};
pub use dropout::Dropout;
pub use linear::{Linear, LinearBackwardInput, LinearBackwardWeight};
pub use lrn::{Lrn, LrnBackward};
pub use max_pool::{MaxPool, MaxPoolBackward};
pub use relu::{Relu, ReluBackward};
pub use reshape::Reshape;
pub use softmax::Softmax;
pub use stored::{
    Encoding, Load, PackStored, Store, StoredAdaptiveAvgPool, StoredAvgPool, StoredBank,
    StoredConv2d, StoredMaxPool,
};
pub use sum::{Fill, Sum};

use crate::operator::{Output, Outputs};
use inception_ops::conv2d::Algorithm;
use inception_tensor::{Kernel, Shape};
use smallvec::smallvec;
use std::borrow::Cow;

/// The outputs of an operator that has one.
fn one(shape: Shape) -> Outputs {
    smallvec![Output::real(shape)]
}

/// How a product's sums are taken, and by which kernel: `winograd avx512`.
fn algorithm(algorithm: Algorithm, kernel: Kernel) -> Cow<'static, str> {
    Cow::Owned(format!("{} {}", algorithm.name(), kernel.vectors().name()))
}
