//! What scripts can rely on when a command fails: an id, fields, and one line.

mod describe;
#[cfg(test)]
mod document;
mod id;

pub(crate) use describe::describe;
pub(crate) use id::Id;

use serde::Serialize;

/// A failure, taken apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Problem {
    /// What sort of failure it is, for ever under this name.
    #[serde(serialize_with = "as_text")]
    pub(crate) id: Id,
    /// The status that the command ends with.
    pub(crate) exit: u8,
    /// Everything, in one line.
    pub(crate) message: String,
    /// The file or folder, control characters spelled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// The byte of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    /// The tensor, the image, the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<String>,
    /// The limit that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<String>,
    /// What is safe on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<String>,
}

impl Problem {
    pub(crate) fn new(id: Id, message: &str) -> Self {
        Self {
            id,
            exit: id.exit_code(),
            message: one_line(message),
            file: None,
            offset: None,
            item: None,
            expected: None,
            found: None,
            limit: None,
            kept: None,
        }
    }
}

fn as_text<S: serde::Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.text())
}

/// Lines as one; what ends a line with a colon introduces the next one.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(if line.ends_with(':') { " " } else { "; " });
        }
        line.push_str(part);
    }
    line
}
