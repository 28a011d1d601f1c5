//! Optimisers, schedules, metrics, checkpoints and the training loop.
#![forbid(unsafe_code)]
