//! What was noticed while data were opened.

use std::collections::BTreeMap;
use std::fmt;

/// Something that was skipped or deserves a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Notice {
    /// A file that is no image by its name: left out.
    OtherFile,
    /// A FIFO, socket, device or folder where an image was expected: left out, not opened.
    NotAFile,
    /// A symbolic link that leads out of the root: left out.
    LinkOutside,
    /// A symbolic link that leads nowhere: left out.
    LinkDangling,
    /// A link to a folder that was already read, or that contains itself: left out.
    LinkRepeated,
    /// A symbolic link left out because links are not followed.
    LinkIgnored,
    /// A symbolic link that was followed.
    LinkFollowed,
    /// A class folder without images, kept as a class.
    EmptyClass,
    /// A class folder whose name begins with a dot.
    HiddenClass,
    /// Class names that differ only in case or in how Unicode composes a letter.
    TwinClasses,
    /// Files with the same content.
    DuplicateContent,
    /// An archive that ends without the two empty blocks that mark its end.
    ArchiveEnd,
    /// The split that was asked for does not exist; another stands in for it.
    SplitReplaced,
}

impl Notice {
    /// Whether data were left out.
    pub fn is_skip(self) -> bool {
        matches!(
            self,
            Self::OtherFile
                | Self::NotAFile
                | Self::LinkOutside
                | Self::LinkDangling
                | Self::LinkRepeated
                | Self::LinkIgnored
        )
    }

    /// The notice in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::OtherFile => "skipped: not named like a JPEG, PNG or WebP image",
            Self::NotAFile => "skipped: not a regular file",
            Self::LinkOutside => "skipped: symbolic link out of the data set's folder",
            Self::LinkDangling => "skipped: symbolic link that leads nowhere",
            Self::LinkRepeated => "skipped: link to a folder that was read already",
            Self::LinkIgnored => "skipped: symbolic link",
            Self::LinkFollowed => "symbolic link followed",
            Self::EmptyClass => "class without images",
            Self::HiddenClass => "class folder whose name begins with a dot",
            Self::TwinClasses => "class names that look alike",
            Self::DuplicateContent => "files with the same content",
            Self::ArchiveEnd => "archive without the two empty blocks at its end",
            Self::SplitReplaced => "split replaced by another",
        }
    }
}

/// How often a [`Notice`] occurred, and the first few names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The first [`Report::EXAMPLES`] names, escaped.
    pub examples: Vec<String>,
}

/// Everything that was noticed: counts, and names that are safe to print.
///
/// The library prints nothing; a program shows [`Report::lines`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    tallies: BTreeMap<Notice, Tally>,
}

impl Report {
    /// The most names that are kept for one notice.
    pub const EXAMPLES: usize = 20;

    /// Counts `notice` once, for `name`, which must be escaped.
    pub fn add(&mut self, notice: Notice, name: impl Into<String>) {
        let tally = self.tallies.entry(notice).or_default();
        tally.count += 1;
        if tally.examples.len() < Self::EXAMPLES {
            tally.examples.push(name.into());
        }
    }

    /// How often `notice` occurred.
    pub fn count(&self, notice: Notice) -> u64 {
        self.tallies.get(&notice).map_or(0, |t| t.count)
    }

    /// The notices that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Notice, &Tally)> {
        self.tallies.iter().map(|(&n, t)| (n, t))
    }

    /// How many entries were left out.
    pub fn skipped(&self) -> u64 {
        self.iter()
            .filter(|(n, _)| n.is_skip())
            .map(|(_, t)| t.count)
            .sum()
    }

    /// Whether nothing was noticed.
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    /// Adds everything that `other` noticed.
    pub(crate) fn merge(&mut self, other: Self) {
        for (notice, tally) in other.tallies {
            let mine = self.tallies.entry(notice).or_default();
            mine.count += tally.count;
            let room = Self::EXAMPLES.saturating_sub(mine.examples.len());
            mine.examples.extend(tally.examples.into_iter().take(room));
        }
    }

    /// A line of text for each notice: `3 × skipped: symbolic link (a, b, c)`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.iter().map(|(notice, tally)| {
            let more = if tally.count as usize > tally.examples.len() {
                ", …"
            } else {
                ""
            };
            let names = tally.examples.join(", ");
            format!("{} × {} ({names}{more})", tally.count, notice.text())
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.lines().enumerate() {
            let separator = if i > 0 { "\n" } else { "" };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_after_the_names_are_full() {
        let mut report = Report::default();
        for i in 0..25 {
            report.add(Notice::NotAFile, format!("f{i}"));
        }
        report.add(Notice::HiddenClass, ".x");
        assert_eq!(report.count(Notice::NotAFile), 25);
        assert_eq!(report.skipped(), 25);
        let lines: Vec<String> = report.lines().collect();
        assert!(lines[0].starts_with("25 × skipped: not a regular file (f0, f1,"));
        assert!(lines[0].ends_with("f19, …)"));
        assert_eq!(
            lines[1],
            "1 × class folder whose name begins with a dot (.x)"
        );
    }
}
