//! The `inception` command: arguments, progress, printing. Everything that computes is in
//! the crates below.
#![forbid(unsafe_code)]

mod app;
mod args;
mod commands;
mod config_file;
mod defaults;
mod errors;
mod exit;
mod hub;
mod numbers;
mod output;
mod pictures;
mod progress;
mod signals;
mod table;

pub use app::run;
