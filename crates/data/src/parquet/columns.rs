//! Which columns hold pictures and labels, and what the classes are called.

use super::MAX_CLASSES;
use crate::{DataError, escape};
use ::parquet::basic::Type;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::schema::types::ColumnDescriptor;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What columns of pictures and of labels are called, the first that is there wins.
const IMAGES: [&str; 2] = ["image", "img"];
const LABELS: [&str; 2] = ["label", "fine_label"];

/// The two columns that are read.
pub(super) struct Columns {
    pub(super) image: String,
    pub(super) image_leaf: usize,
    pub(super) label: String,
    pub(super) label_leaf: usize,
}

impl Columns {
    pub(super) fn find(path: &Path, metadata: &ParquetMetaData) -> Result<Self, DataError> {
        let leaves = metadata.file_metadata().schema_descr().columns();
        let parts = |i: usize| leaves[i].path().parts();
        let find = |wanted: &[&[&str]]| {
            let found = |names: &[&str]| (0..leaves.len()).find(|&i| parts(i) == names);
            wanted.iter().find_map(|names| found(names))
        };
        let image = IMAGES
            .iter()
            .find_map(|&name| find(&[&[name, "bytes"], &[name]]).map(|leaf| (name, leaf)));
        let label = LABELS
            .iter()
            .find_map(|&name| find(&[&[name]]).map(|leaf| (name, leaf)));
        let (Some((image, image_leaf)), Some((label, label_leaf))) = (image, label) else {
            let names: Vec<String> = leaves.iter().map(|l| shown(l)).take(20).collect();
            let message = format!(
                "expected columns {} (binary, or a struct with one named bytes) and {} (an \
                 integer), found {}",
                IMAGES.join(" or "),
                LABELS.join(" or "),
                names.join(", ")
            );
            return Err(DataError::malformed(path, message));
        };
        let check = |leaf: usize, types: &[Type], expected: &str| {
            let column = &leaves[leaf];
            let found = column.physical_type();
            if column.max_rep_level() == 0 && types.contains(&found) {
                return Ok(());
            }
            let list = if column.max_rep_level() == 0 {
                ""
            } else {
                "a list of "
            };
            let message = format!(
                "column {}: expected {expected}, found {list}{found}",
                shown(column)
            );
            Err(DataError::malformed(path, message))
        };
        check(image_leaf, &[Type::BYTE_ARRAY], "bytes")?;
        check(label_leaf, &[Type::INT32, Type::INT64], "an integer")?;
        Ok(Self {
            image: image.to_owned(),
            image_leaf,
            label: label.to_owned(),
            label_leaf,
        })
    }
}

/// A column's path, safe to print.
fn shown(column: &ColumnDescriptor) -> String {
    escape(column.path().string().as_ref())
}

/// What a hub's library writes about a data set.
#[derive(Deserialize)]
struct Described {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    features: BTreeMap<String, serde_json::Value>,
}

/// The names of the classes of column `label`, where the file gives them.
pub(super) fn class_names(
    path: &Path,
    metadata: &ParquetMetaData,
    label: &str,
) -> Result<Option<Vec<String>>, DataError> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let described = pairs.into_iter().flatten().find(|p| p.key == "huggingface");
    let Some(text) = described.and_then(|p| p.value.as_deref()) else {
        return Ok(None);
    };
    let malformed = |what: String| {
        DataError::malformed(
            path,
            format!("metadata huggingface: {}", escape(what.as_ref())),
        )
    };
    let described: Described = serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let feature = described.info.features.get(label);
    let Some(names) = feature.and_then(|feature| feature.get("names")) else {
        return Ok(None);
    };
    let names: Vec<String> = Deserialize::deserialize(names)
        .map_err(|e| malformed(format!("names of {label}: expected texts: {e}")))?;
    if names.len() as i64 > MAX_CLASSES {
        return Err(malformed(format!(
            "{} classes, {MAX_CLASSES} are allowed",
            names.len()
        )));
    }
    Ok(Some(names.iter().map(|n| escape(n.as_ref())).collect()))
}
