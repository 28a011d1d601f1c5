//! Tar archives, read where they lie: entries are found by their headers and read at their
//! offsets, nothing is ever extracted.

mod file;
mod header;
mod items;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use file::open_regular;
#[cfg(feature = "parquet")]
pub(crate) use file::read_exact_at;
pub use items::Archived;
pub(crate) use items::{Builder, Member};
pub(crate) use walk::{Entry, Found, Walk, shown};

/// What an archive may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Entries of one archive: 20 million.
    pub entries: u64,
    /// Bytes of an entry: 64 MiB.
    pub entry_bytes: u64,
    /// Bytes of an entry that is an archive itself: 64 GiB.
    pub archive_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            entries: 20_000_000,
            entry_bytes: 64 << 20,
            archive_bytes: 64 << 30,
        }
    }
}
