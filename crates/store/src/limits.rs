//! How much a file may ask for.

/// What a file may ask for before it is refused.
///
/// Sizes are checked before anything of that size is allocated.
///
/// # Examples
/// ```
/// use inception_store::Limits;
///
/// let limits = Limits { max_tensors: 1_000_000, ..Limits::default() };
/// assert_eq!(limits.max_header_bytes, 16 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the JSON header; 16 MiB.
    pub max_header_bytes: u64,
    /// Tensors in one file; 65,536.
    pub max_tensors: u64,
    /// Entries of the metadata; 131,072, as a sealed file has one for each tensor.
    pub max_metadata: u64,
    /// Extents of one shape; 8.
    pub max_dims: u64,
    /// Bytes of a tensor's name; 1,024.
    pub max_name_bytes: u64,
    /// Bytes of all tensors together; 8 GiB.
    pub max_total_bytes: u64,
    /// How deep the values of unknown fields may nest; 32.
    pub max_depth: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_header_bytes: 16 << 20,
            max_tensors: 65_536,
            max_metadata: 131_072,
            max_dims: 8,
            max_name_bytes: 1_024,
            max_total_bytes: 8 << 30,
            max_depth: 32,
        }
    }
}
