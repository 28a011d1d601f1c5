//! Comparison helpers and golden fixtures for tests.
#![forbid(unsafe_code)]
