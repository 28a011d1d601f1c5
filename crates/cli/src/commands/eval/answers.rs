//! A line for each image.

use anyhow::{Context, Result};
use inception_data::{Dataset, escape_path};
use inception_deploy::{Answer, top};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A CSV file of answers, or none.
pub(super) struct AnswersFile<'a> {
    dataset: &'a dyn Dataset,
    open: Option<(PathBuf, csv::Writer<File>)>,
    /// The first line that could not be written.
    failed: Option<csv::Error>,
}

impl<'a> AnswersFile<'a> {
    /// Begins the file at `path`, if there is to be one.
    pub(super) fn create(path: Option<&Path>, dataset: &'a dyn Dataset) -> Result<Self> {
        let open = path.map(|path| -> Result<_> {
            let file = File::create(path).with_context(|| cannot_write(path))?;
            let mut writer = csv::Writer::from_writer(file);
            let columns = ["path", "class", "prediction", "probability"];
            writer
                .write_record(columns)
                .with_context(|| cannot_write(path))?;
            Ok((path.to_owned(), writer))
        });
        Ok(Self {
            dataset,
            open: open.transpose()?,
            failed: None,
        })
    }

    /// Writes the answer about one image.
    pub(super) fn add(&mut self, answer: &Answer<'_>) {
        let (Some((_, writer)), None) = (&mut self.open, &self.failed) else {
            return;
        };
        let classes = self.dataset.classes();
        let Some(best) = top(answer.log_probs, 1).next() else {
            return;
        };
        let written = writer.write_record([
            &self.dataset.origin(answer.item),
            &classes[answer.label],
            &classes[best.index],
            &format!("{:.6}", best.score.exp()),
        ]);
        self.failed = written.err();
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<()> {
        let Some((path, mut writer)) = self.open else {
            return Ok(());
        };
        if let Some(error) = self.failed {
            return Err(error).with_context(|| cannot_write(&path));
        }
        writer.flush().with_context(|| cannot_write(&path))
    }
}

fn cannot_write(path: &Path) -> String {
    format!("{}: cannot write the answers", escape_path(path))
}
