//! The `inception` command.
#![forbid(unsafe_code)]
fn main() {}
