//! Layers and the modules of the family, a file each.

mod basic_conv2d;
mod batch_norm;
pub mod chain;
mod conv2d;
mod dropout;
mod inception;
mod inception_aux;
mod linear;
mod lrn;
mod pool;
mod pooled_classifier;
mod relu;
mod sequential;
mod simple_inception;

pub use basic_conv2d::{BasicConv2d, ConvStyle};
pub use batch_norm::{BatchNorm2d, Scale};
pub use chain::{Block, Chain};
pub use conv2d::{Bias, Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use inception::InceptionConfig;
pub use inception_aux::{AuxPool, InceptionAux, InceptionAuxConfig};
pub use linear::Linear;
pub use lrn::LocalResponseNorm;
pub use pool::{AdaptiveAvgPool2d, AvgPool2d, Flatten, MaxPool2d};
pub use pooled_classifier::PooledClassifier;
pub use relu::Relu;
pub use sequential::Sequential;
pub use simple_inception::SimpleInception;
pub(crate) use simple_inception::plain;
