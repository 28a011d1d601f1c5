//! From an error to its id and fields.

use super::{Id, Problem};
use crate::exit::{Failure, MALFORMED};
use anyhow::Error;
use inception_data::{DataError, ErrorKind, escape_path};
#[cfg(feature = "hub")]
use inception_deploy::hub::HubError;
use inception_deploy::{DeployError, onnx::ImportError};
use inception_formats::FormatError;
use inception_nn::NnError;
use inception_store::StoreError;
use inception_tensor::{KernelError, PoolError};
use inception_train::TrainError;
use std::path::Path;

/// Takes an error apart: the first of its causes that is known decides.
pub(crate) fn describe(error: &Error) -> Problem {
    let mut text = error.to_string();
    for (outer, cause) in error.chain().zip(error.chain().skip(1)) {
        // What an item's text tells of its cause lacks the path, which stands before it.
        let is_told = is_item(outer);
        let cause = cause.to_string();
        if !is_told && !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let mut problem = Problem::new(Id::Other, &text);
    let known = error.chain().any(|cause| name(cause, &mut problem));
    if known {
        problem.exit = problem.id.exit_code();
    }
    if problem.expected.is_none() {
        (problem.expected, problem.found) = comparison(&problem.message);
    }
    problem
}

/// Whether an error is that of one item of a data set.
fn is_item(error: &(dyn std::error::Error + 'static)) -> bool {
    let data = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(TrainError::Data(data)), _) | (_, Some(DeployError::Data(data))) => Some(data),
        _ => error.downcast_ref::<DataError>(),
    };
    matches!(data, Some(DataError::Item { .. }))
}

/// Enters what a cause says; whether it is known.
fn name(cause: &(dyn std::error::Error + 'static), problem: &mut Problem) -> bool {
    if let Some(error) = cause.downcast_ref::<Failure>() {
        problem.id = Id::of_code(error.code);
    } else if let Some(error) = cause.downcast_ref::<TrainError>() {
        train(error, problem);
    } else if let Some(error) = cause.downcast_ref::<DeployError>() {
        deploy(error, problem);
    } else if let Some(error) = cause.downcast_ref::<DataError>() {
        data(error, problem);
    } else if let Some(error) = cause.downcast_ref::<FormatError>() {
        format(error, problem);
    } else if let Some(error) = cause.downcast_ref::<StoreError>() {
        store(error, problem);
    } else if cause.is::<inception_autograd::ExecError>() {
        problem.id = Id::Memory;
    } else if cause.is::<NnError>() {
        problem.id = Id::Model;
    } else if cause.is::<PoolError>() || cause.is::<KernelError>() {
        problem.id = Id::Processor;
    } else if cause.is::<std::io::Error>() {
        problem.id = Id::OtherIo;
    } else {
        return false;
    }
    true
}

fn file(problem: &mut Problem, path: &Path) {
    problem.file = Some(escape_path(path));
}

fn format(error: &FormatError, problem: &mut Problem) {
    match error {
        FormatError::Store(error) => store(error, problem),
        FormatError::Malformed(fault) => {
            problem.id = Id::Foreign;
            file(problem, &fault.file);
            problem.offset = fault.offset;
            problem.item.clone_from(&fault.item);
            problem.expected = Some(fault.expected.clone());
            problem.found = Some(fault.found.clone());
        }
        other => problem.id = Id::of_code(other.exit_code()),
    }
}

fn store(error: &StoreError, problem: &mut Problem) {
    match error {
        StoreError::Malformed(fault) => {
            problem.id = Id::of_rule(fault.rule);
            file(problem, &fault.file);
            problem.offset = fault.offset;
            problem.item.clone_from(&fault.item);
            problem.expected = Some(fault.expected.clone());
            problem.found = Some(fault.found.clone());
        }
        StoreError::Limit(excess) => {
            problem.id = Id::ArchiveLimit;
            file(problem, &excess.file);
            problem.item.clone_from(&excess.item);
            problem.expected = Some(format!("at most {}", excess.allowed));
            problem.found = Some(excess.found.to_string());
            problem.limit = Some(excess.limit.to_owned());
        }
        StoreError::Io { path, .. } => {
            problem.id = Id::StoreIo;
            file(problem, path);
        }
        StoreError::Target { path, found } => {
            problem.id = Id::Target;
            file(problem, path);
            problem.expected = Some("a regular file, or none".to_owned());
            problem.found = Some((*found).to_owned());
        }
        StoreError::Locked { path, .. } => {
            problem.id = Id::Locked;
            file(problem, path);
        }
        StoreError::Usage { item, .. } => {
            problem.id = Id::ArchiveContent;
            problem.item = Some(item.clone());
        }
        other => problem.id = Id::of_code(other.exit_code()),
    }
}

fn data(error: &DataError, problem: &mut Problem) {
    match error {
        DataError::Io { path, .. } => {
            problem.id = Id::DataIo;
            file(problem, path);
        }
        DataError::Malformed { path, .. } => {
            problem.id = Id::Data;
            file(problem, path);
        }
        DataError::Limit { path, .. } => {
            problem.id = Id::DataLimit;
            file(problem, path);
        }
        DataError::Usage(_) => problem.id = Id::DataSetting,
        DataError::Item { origin, source, .. } => {
            data(source, problem);
            if problem.id == Id::Data {
                problem.id = Id::Item;
            }
            problem.item = Some(origin.clone());
        }
        DataError::Panicked { origin, .. } => {
            problem.id = Id::Decoder;
            problem.item = Some(origin.clone());
        }
        DataError::TooManyBad {
            skipped,
            at_most,
            source,
        } => {
            data(source, problem);
            problem.id = Id::TooManyBad;
            problem.expected = Some(format!("at most {at_most}"));
            problem.found = Some(skipped.to_string());
        }
        other => {
            problem.id = match other.kind() {
                ErrorKind::Usage => Id::DataSetting,
                ErrorKind::Limit => Id::DataLimit,
                ErrorKind::Malformed => Id::Data,
                ErrorKind::Io => Id::DataIo,
            }
        }
    }
}

fn deploy(error: &DeployError, problem: &mut Problem) {
    match error {
        DeployError::Store(error) => store(error, problem),
        DeployError::Format(error) => format(error, problem),
        DeployError::Data(error) => data(error, problem),
        DeployError::Import { path, source } => {
            problem.id = match source {
                ImportError::TooLarge { .. } => Id::ModelLimit,
                _ => Id::Foreign,
            };
            file(problem, path);
        }
        DeployError::Model(_) => problem.id = Id::Model,
        DeployError::Meta { path, .. } | DeployError::Description { path, .. } => {
            problem.id = Id::Description;
            file(problem, path);
        }
        DeployError::Misfit { path, .. } => {
            problem.id = Id::Misfit;
            file(problem, path);
        }
        DeployError::TooLarge {
            path,
            found,
            allowed,
            ..
        } => {
            problem.id = Id::ModelLimit;
            file(problem, path);
            problem.expected = Some(format!("at most {allowed}"));
            problem.found = Some(found.to_string());
            problem.limit = Some("max_numbers".to_owned());
        }
        DeployError::Memory { .. } => problem.id = Id::Memory,
        DeployError::Usage(_) => problem.id = Id::WeightsSetting,
        #[cfg(feature = "hub")]
        DeployError::Hub(error) => hub(error, problem),
        other => problem.id = Id::of_code(other.exit_code()),
    }
}

#[cfg(feature = "hub")]
fn hub(error: &HubError, problem: &mut Problem) {
    match error {
        HubError::Name { .. } | HubError::NoCache => problem.id = Id::HubName,
        HubError::Answer { .. } => problem.id = Id::HubDigest,
        HubError::Digest {
            path,
            expected,
            found,
        } => {
            problem.id = Id::HubDigest;
            file(problem, path);
            problem.expected = Some(expected.clone());
            problem.found = Some(found.clone());
        }
        HubError::File(error) => data(error, problem),
        HubError::Store(error) => store(error, problem),
        HubError::Io { path, .. } => {
            problem.id = Id::StoreIo;
            file(problem, path);
        }
        _ => problem.id = Id::Hub,
    }
}

fn train(error: &TrainError, problem: &mut Problem) {
    match error {
        TrainError::Usage(_) => problem.id = Id::Setting,
        TrainError::Model(_) => {
            problem.id = match error.kind().exit_code() {
                MALFORMED => Id::Misfit,
                _ => Id::Model,
            }
        }
        TrainError::Data(error) => data(error, problem),
        TrainError::Store(error) => store(error, problem),
        TrainError::Memory(_) => problem.id = Id::Memory,
        TrainError::Io { path, .. } => {
            problem.id = Id::RunIo;
            file(problem, path);
        }
        TrainError::Checkpoint { path, .. } => {
            problem.id = Id::Checkpoint;
            file(problem, path);
        }
        TrainError::Differs(differences) => {
            problem.id = Id::Differs;
            file(problem, &differences.path);
            let fields = |value: fn(&inception_train::Difference) -> &String| {
                let all = differences.fields.iter();
                let all = all.map(|d| format!("{} {}", d.field, value(d)));
                Some(all.collect::<Vec<_>>().join(", "))
            };
            problem.expected = fields(|d| &d.saved);
            problem.found = fields(|d| &d.given);
        }
        TrainError::NoCheckpoint { folder, .. } => {
            problem.id = Id::NoCheckpoint;
            file(problem, folder);
        }
        TrainError::Numeric(diverged) => {
            problem.id = Id::Diverged;
            problem.item = Some(format!("step {}", diverged.step));
            problem.found = Some(match &diverged.layer {
                Some(layer) => format!("{}, first in {layer}", diverged.what),
                None => diverged.what.clone(),
            });
            problem.expected = Some("finite numbers".to_owned());
            problem.kept = Some(diverged.kept.clone());
        }
        other => problem.id = Id::of_code(other.kind().exit_code()),
    }
}

/// What a message says was expected and found, where its error keeps it as text alone.
fn comparison(message: &str) -> (Option<String>, Option<String>) {
    let parts = message
        .split_once("expected ")
        .and_then(|(_, rest)| rest.split_once(", found "));
    let Some((expected, rest)) = parts else {
        return (None, None);
    };
    let end = rest.find("; ").unwrap_or(rest.len());
    (Some(expected.to_owned()), Some(rest[..end].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_store::{ArchiveBuilder, Limits, parse};

    fn problem(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
        describe(&Error::new(error))
    }

    #[test]
    fn a_malformed_file_is_told_with_all_its_fields() {
        let mut builder = ArchiveBuilder::new();
        builder.f32("w", &[2], vec![1.0, 2.0]).unwrap();
        let text = String::from_utf8_lossy(&builder.build().unwrap()[..64]).into_owned();
        assert!(text.contains("[0,8]"));
        let bytes = builder.build().unwrap();
        let at = bytes.windows(3).position(|w| w == b"[2]").unwrap();
        let mut bytes = bytes;
        bytes[at + 1] = b'3';
        let error = parse(bytes, Path::new("a\u{1b}b"), &Limits::default()).unwrap_err();
        let found = problem(DeployError::from(error));
        assert_eq!((found.id, found.exit), (Id::Offsets, 4));
        assert_eq!(found.file.as_deref(), Some("a\\u{1b}b"));
        assert_eq!(found.item.as_deref(), Some("w"));
        assert!(found.expected.is_some() && found.found.is_some());
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!((&json["id"], &json["exit"]), (&"W-104".into(), &4.into()));
        assert!(json.get("kept").is_none());
    }

    #[test]
    fn messages_of_several_lines_become_one() {
        let error = TrainError::NoCheckpoint {
            folder: "runs/a".into(),
            reasons: vec!["last.ckpt: bad".into(), "previous.ckpt: worse".into()],
        };
        let found = problem(error);
        assert_eq!(found.id, Id::NoCheckpoint);
        assert_eq!(
            found.message,
            "runs/a: no checkpoint can be used; last.ckpt: bad; previous.ckpt: worse"
        );
    }

    #[test]
    fn expected_and_found_are_read_from_text_where_no_field_has_them() {
        let text = "lr: expected a finite number above 0, found NaN; try less";
        let found = problem(TrainError::Usage(text.to_owned()));
        assert_eq!(found.expected.as_deref(), Some("a finite number above 0"));
        assert_eq!(found.found.as_deref(), Some("NaN"));
    }

    #[test]
    fn an_error_has_the_status_of_its_cause() {
        let io = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(describe(&Error::new(io).context("no file")).exit, 5);
        assert_eq!(problem(PoolError::Threads { found: 0 }).exit, 2);
        assert_eq!(describe(&crate::exit::numeric("diverged")).exit, 6);
        assert_eq!(describe(&Error::msg("something")).exit, 1);
        let data = DataError::Usage("no".into());
        assert_eq!(problem(DeployError::from(data)).exit, 2);
    }

    /// A data error of each kind, its id, and that of an item which went wrong by it.
    fn data_errors() -> [(DataError, [Id; 2]); 4] {
        let path = || "x".into();
        let source = std::io::ErrorKind::NotFound.into();
        let message = String::new;
        [
            (
                DataError::Io {
                    path: path(),
                    source,
                },
                [Id::DataIo; 2],
            ),
            (
                DataError::Malformed {
                    path: path(),
                    message: message(),
                },
                [Id::Data, Id::Item],
            ),
            (
                DataError::Limit {
                    path: path(),
                    message: message(),
                },
                [Id::DataLimit; 2],
            ),
            (DataError::Usage(message()), [Id::DataSetting; 2]),
        ]
    }

    #[test]
    fn an_item_has_the_status_of_what_it_went_wrong_by() {
        for (error, [plain, of_item]) in data_errors() {
            let exit = match error.kind() {
                ErrorKind::Usage => 2,
                ErrorKind::Limit => 3,
                ErrorKind::Malformed => 4,
                ErrorKind::Io => 5,
            };
            let mut found = Problem::new(Id::Other, "");
            data(&error, &mut found);
            assert_eq!((found.id, found.id.exit_code()), (plain, exit));
            let item = DataError::Item {
                item: 3,
                origin: "x.jpg".into(),
                source: Box::new(error),
            };
            data(&item, &mut found);
            assert_eq!((found.id, found.id.exit_code()), (of_item, exit));
            let many = DataError::TooManyBad {
                skipped: 2,
                at_most: 1,
                source: Box::new(item),
            };
            let found = problem(many);
            assert_eq!((found.id, found.exit), (Id::TooManyBad, 4));
            assert_eq!(found.item.as_deref(), Some("x.jpg"));
            assert_eq!(found.found.as_deref(), Some("2"));
        }
    }

    #[test]
    fn a_graph_that_is_not_read_is_a_foreign_file() {
        let error = |source| DeployError::Import {
            path: "x.onnx".into(),
            source,
        };
        let found = problem(error(ImportError::Unsupported(vec!["Loop".to_owned()])));
        assert_eq!((found.id, found.exit), (Id::Foreign, 4));
        assert_eq!(found.file.as_deref(), Some("x.onnx"));
        assert_eq!(found.found.as_deref(), Some("Loop"));
        let large = ImportError::TooLarge {
            node: "add".to_owned(),
            allowed: 1,
            found: 2,
        };
        let found = problem(error(large));
        assert_eq!((found.id, found.exit), (Id::ModelLimit, 3));
    }
}
