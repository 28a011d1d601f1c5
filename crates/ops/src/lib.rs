//! Every operator as a forward and a backward function beside a naive reference.
#![forbid(unsafe_code)]
