//! Counts and names in the output of a test program.

/// What a test program reports.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many tests passed.
    pub(crate) passed: usize,
    /// How many were left out.
    pub(crate) ignored: usize,
    /// The names of those that failed.
    pub(crate) failed: Vec<String>,
}

impl Outcome {
    /// Reads the lines of one or several test programs.
    pub(crate) fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut outcome = Self::default();
        for line in lines {
            if let Some(counts) = line.strip_prefix("test result: ") {
                outcome.passed += count(counts, "passed");
                outcome.ignored += count(counts, "ignored");
            }
            let name = line.strip_prefix("---- ");
            if let Some(name) = name.and_then(|rest| rest.strip_suffix(" stdout ----")) {
                outcome.failed.push(name.to_owned());
            }
        }
        outcome
    }
}

/// The number in front of `word` in `ok. 12 passed; 0 failed; …`.
fn count(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';']).filter(|w| !w.is_empty()).collect();
    let found = words.windows(2).find(|pair| pair[1] == word);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_several_programs_add_up_and_failures_are_named() {
        let text = "\
test a ... ok
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out
test b::c ... FAILED
---- b::c stdout ----
thread panicked
test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 5 filtered out";
        let expected = Outcome {
            passed: 15,
            ignored: 1,
            failed: vec!["b::c".to_owned()],
        };
        assert_eq!(Outcome::of(text.lines()), expected);
    }

    #[test]
    fn a_program_that_says_nothing_has_no_tests() {
        assert_eq!(
            Outcome::of("Segmentation fault".lines()),
            Outcome::default()
        );
    }
}
