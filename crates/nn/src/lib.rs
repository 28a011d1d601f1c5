//! Parameters, modules and the Inception family.
#![forbid(unsafe_code)]
