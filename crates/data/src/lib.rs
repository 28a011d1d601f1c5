//! Datasets, decoding, augmentation and a loader whose order depends on the seed alone.
#![forbid(unsafe_code)]
