//! Pictures that the user names.

use crate::exit::{self, usage};
use anyhow::Result;
use inception_data::{DecodeOptions, Image, Preprocess, ResizeSpec, escape_path, read_image};
use std::path::{Path, PathBuf};

/// Weights of a data set of small images know no resize, but a user's picture has any size.
/// `--no-resize` takes pictures as they are.
pub(crate) fn adapt_resize(preprocess: &mut Preprocess, no_resize: bool) {
    let [_, height, width] = preprocess.input;
    if no_resize {
        preprocess.resize = None;
    } else if preprocess.resize.is_none() {
        preprocess.resize = Some(ResizeSpec::Shorter(height.max(width)));
    }
}

/// The files that the user named, and those in the folders that the user named.
pub(crate) fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        inside.retain(|p| p.is_file() && inception_data::Format::of_name(p).is_some());
        inside.sort();
        if inside.is_empty() {
            return Err(usage(format!(
                "{}: no .jpg, .png or .webp file in this folder",
                escape_path(path)
            )));
        }
        files.extend(inside);
    }
    Ok(files)
}

/// The pictures that can be read and have a size that the network takes. The others are
/// complained about, each in a line; the first one's status is the command's.
pub(crate) fn read<'a>(
    files: &'a [PathBuf],
    preprocess: &Preprocess,
    worst: &mut Option<u8>,
) -> (Vec<&'a Path>, Vec<Image>) {
    let mut good = Vec::new();
    let mut pictures = Vec::new();
    for file in files {
        let picture = read_image(file, &DecodeOptions::default()).and_then(|decoded| {
            let size = inception_data::Size::of(&decoded.image);
            preprocess.place(size)?;
            Ok(decoded.image)
        });
        match picture {
            Ok(picture) => {
                good.push(file.as_path());
                pictures.push(picture);
            }
            Err(error) => {
                let file = escape_path(file);
                let text = error.to_string();
                let named = if text.starts_with(&file) {
                    text
                } else {
                    format!("{file}: {text}")
                };
                let code = exit::report(&anyhow::Error::new(error).context(named));
                worst.get_or_insert(code);
            }
        }
    }
    (good, pictures)
}
