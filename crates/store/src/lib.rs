//! Named arrays on disk: strict safetensors, digests, atomic and durable writes.
#![forbid(unsafe_code)]
