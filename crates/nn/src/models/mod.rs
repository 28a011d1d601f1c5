//! The classifiers of the registry, a file each.

mod alexnet;
mod googlenet;
mod inception_small;
mod simple_inception;
mod vgg16;

pub use alexnet::AlexNet;
pub use googlenet::{GoogLeNet, GoogLeNetConfig, InceptionRow, TABLE1};
pub use inception_small::InceptionSmall;
pub use simple_inception::SimpleInceptionNet;
pub use vgg16::Vgg16;
