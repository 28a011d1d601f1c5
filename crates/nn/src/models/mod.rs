//! The classifiers of the registry, a file each, or one for those that share a table.

mod bn_inception;
mod googlenet;
mod inception_mini;
mod inception_resnet;
mod inception_small;
mod inception_v3;
mod inception_v4;
mod plain;
mod simple_inception;

pub use bn_inception::BnInception;
pub use googlenet::{GoogLeNet, GoogLeNetConfig, InceptionRow, Padding, TABLE1};
pub use inception_mini::InceptionMini;
pub use inception_resnet::{InceptionResNet, Version};
pub use inception_small::InceptionSmall;
pub use inception_v3::InceptionV3;
pub use inception_v4::InceptionV4;
pub use plain::{PlainConfig, PlainNet};
pub use simple_inception::SimpleInceptionNet;
