//! Patterns that pick parameters by name.

/// A pattern of names, as `--freeze` takes it.
///
/// `*` stands for any run of characters. A pattern fits a name, and everything below a
/// module: `inception3a` and `inception3*` both fit `inception3a.branch1.conv.weight`, but
/// `conv1` does not fit `conv10.weight`.
///
/// # Examples
/// ```
/// use inception_nn::Pattern;
///
/// assert!(Pattern::new("inception3*.branch2").fits("inception3b.branch2.0.conv.weight"));
/// assert!(Pattern::new("*.bn").fits("conv1.bn.running_mean"));
/// assert!(!Pattern::new("conv1").fits("conv10.weight"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; any text is one.
    pub fn new(text: &str) -> Self {
        let parts = text.split('*').map(str::to_owned).collect();
        Self { parts }
    }

    /// Whether the pattern fits `name` or a module above it.
    pub fn fits(&self, name: &str) -> bool {
        let modules = name.match_indices('.').map(|(at, _)| &name[..at]);
        modules.chain([name]).any(|prefix| self.fits_whole(prefix))
    }

    /// Whether the parts follow each other in `text` from its start to its end.
    fn fits_whole(&self, text: &str) -> bool {
        let [first, rest @ ..] = &self.parts[..] else {
            unreachable!("splitting gives at least one part");
        };
        let Some(text) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let [middle @ .., last] = rest else {
            return text.is_empty();
        };
        let mut text = text;
        for part in middle {
            match text.find(part.as_str()) {
                Some(at) => text = &text[at + part.len()..],
                None => return false,
            }
        }
        text.ends_with(last.as_str())
    }
}
