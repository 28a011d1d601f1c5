//! Predictor, self-describing weights, evaluation.
#![forbid(unsafe_code)]
