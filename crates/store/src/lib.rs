#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod archive;
mod atomic;
mod builder;
mod convert;
mod dtype;
mod error;
mod fs;
mod header;
mod json;
mod limits;
mod lock;
mod render;
mod seal;
#[doc(hidden)]
pub mod sim;

pub use archive::{Archive, Entry, parse, read_bytes, read_file};
pub use atomic::{Content, clean_temps, write_atomic, write_atomic_from};
pub use builder::{ArchiveBuilder, LaidOut};
pub use convert::{FinitePolicy, NonFinite};
pub use dtype::Dtype;
pub use error::{Excess, Fault, Rule, StoreError};
pub use fs::{Fs, FsFile, Kind, RealFs, create_dir_durable};
pub use limits::Limits;
pub use lock::RunLock;
pub use seal::read_sealed;
