#![doc = include_str!("../README.md")]

pub mod build;

use inception_data::{DataError, DecodeOptions, Decoded, ErrorKind};
use inception_formats::{Contents, FormatError};
use inception_store::{Archive, ArchiveBuilder, Limits, StoreError};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Reads a file of weights; what is refused is refused as malformed or over a limit.
pub fn read(bytes: Vec<u8>, path: &Path) -> Option<Contents> {
    let found: Result<Contents, FormatError> =
        inception_formats::parse(bytes, path, &Limits::default());
    match found {
        Ok(contents) => Some(contents),
        Err(error) => {
            refused(error.exit_code(), &error.to_string());
            None
        }
    }
}

/// An error is one line that can be printed, of status 3 or 4.
pub fn refused(code: u8, text: &str) {
    assert!(matches!(code, 3 | 4), "status {code}: {text}");
    assert!(!text.contains(['\n', '\x1b', '\0']), "{text:?}");
}

/// The same of an error about data.
pub fn refused_data(error: &DataError) {
    let code = match error.kind() {
        ErrorKind::Limit => 3,
        ErrorKind::Malformed => 4,
        other => panic!("{other:?}: {error}"),
    };
    refused(code, &error.to_string());
}

/// Everything that an archive holds, in a builder.
///
/// # Errors
/// Where the archive holds what cannot be written.
pub fn rebuilt(archive: &Archive) -> Result<ArchiveBuilder<'_>, StoreError> {
    let mut builder = ArchiveBuilder::new();
    for (key, value) in archive.metadata() {
        builder.metadata(key, value)?;
    }
    for (name, entry) in archive.iter() {
        builder.raw(name, entry.dtype, entry.shape, entry.bytes)?;
    }
    Ok(builder)
}

/// A folder of this process, for parsers that read files.
pub fn folder() -> PathBuf {
    let path = std::env::temp_dir().join(format!("inception-fuzz-{}", std::process::id()));
    fs::create_dir_all(&path).expect("a folder for files");
    path
}

/// A file whose content changes with every input.
pub struct Slot {
    file: File,
}

impl Slot {
    /// The file called `name` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        let file = File::create(folder.join(name)).expect("a file to fill");
        Self { file }
    }

    /// Gives the file this content.
    pub fn fill(&self, bytes: &[u8]) {
        self.file.set_len(bytes.len() as u64).expect("a length");
        self.file.write_all_at(bytes, 0).expect("a content");
    }
}

/// Lets panics of other people's decoders be caught, as they are in the program; one of ours
/// or of a target still ends the run.
pub fn catch_decoders() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or("", |l| l.file());
        if !place.contains("/registry/") {
            eprintln!("{info}");
            std::process::abort();
        }
    }));
}

/// Limits that keep pictures small.
pub fn small_pictures() -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.limits.side = 256;
    options.limits.pixels = 1 << 14;
    options.limits.memory = 1 << 24;
    options
}

/// A picture is decoded or refused; what is decoded has as many pixels as it says. A second
/// look gives the same.
pub fn decode(bytes: &[u8]) -> Option<Decoded> {
    let options = small_pictures();
    match inception_data::decode(bytes, &options) {
        Ok(decoded) => {
            let image = &decoded.image;
            assert_eq!(image.pixels.len(), 3 * image.width * image.height);
            assert!(image.width.max(image.height) <= 256);
            Some(decoded)
        }
        Err(failure) => {
            let text = failure.to_string();
            assert!(!text.contains(['\n', '\x1b', '\0']), "{text:?}");
            None
        }
    }
}
