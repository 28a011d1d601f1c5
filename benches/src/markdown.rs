//! Tables of Markdown, and how figures look in them.

use std::fmt;

/// A table whose first column is text and whose others are figures, unless told otherwise.
///
/// # Examples
/// ```
/// use inception_benches::markdown::Table;
///
/// let mut table = Table::new(&["module", "params"]);
/// table.row(["3a".to_owned(), "163,696".to_owned()]);
/// assert_eq!(
///     table.to_string(),
///     "| module |  params |\n|:-------|--------:|\n| 3a     | 163,696 |\n"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    texts: Vec<usize>,
}

impl Table {
    /// A table with these headings.
    pub fn new(heading: &[&str]) -> Self {
        let heading = heading.iter().map(|&text| text.to_owned()).collect();
        Self {
            rows: vec![heading],
            texts: vec![0],
        }
    }

    /// The same with text in column `column`, which is set from the left.
    pub fn text(mut self, column: usize) -> Self {
        self.texts.push(column);
        self
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When it has not as many cells as the heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.rows[0].len(), "{cells:?}");
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(2)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (i, row) in self.rows.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match self.texts.contains(&column) {
                    true => write!(f, "| {cell:<width$} ")?,
                    false => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if i == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(width + 1);
                    match self.texts.contains(&column) {
                        true => write!(f, "|:{dashes}")?,
                        false => write!(f, "|{dashes}:")?,
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `128.0`, for millions.
pub fn millions(n: u64) -> String {
    format!("{:.1}", n as f64 / 1e6)
}

/// `2.37×`: how many times `base` goes into `n`.
pub fn times(n: u64, base: u64) -> String {
    format!("{:.2}×", n as f64 / base as f64)
}

/// `28×28×192`.
pub fn extent(extent: [usize; 3]) -> String {
    let [a, b, c] = extent;
    format!("{a}×{b}×{c}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three_from_the_right() {
        let shown = [0, 999, 1000, 123_456, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
