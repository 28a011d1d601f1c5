//! Recorded graphs, differentiation, passes, a memory plan and its executor.
#![forbid(unsafe_code)]
