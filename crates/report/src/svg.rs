//! Drawings as text.

use std::fmt::Write as _;

/// A drawing in the making; its colours are classes that the page's style knows.
pub(crate) struct Svg {
    body: String,
    width: f64,
    height: f64,
    label: String,
}

/// Where a text is held.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty drawing; `label` says what it shows to those who cannot see it.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        Self {
            body: String::new(),
            width,
            height,
            label: escape(label),
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.body.write_fmt(text).expect("a text takes any text");
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(crate) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let step = if i == 0 { 'M' } else { 'L' };
            write!(d, "{step}{x:.1} {y:.1}").expect("a text takes any text");
        }
        self.push(format_args!("<path class=\"{class}\" d=\"{d}\"/>"));
    }

    pub(crate) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, title: &str) {
        self.push(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\">\
             <title>{}</title></circle>",
            escape(title)
        ));
    }

    /// A rectangle that is filled to a share from 0 to 1.
    pub(crate) fn cell(&mut self, class: &str, at: Rect, strength: f64, title: &str) {
        let Rect { x, y, w, h } = at;
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" \
             height=\"{h:.1}\" fill-opacity=\"{strength:.3}\"><title>{}</title></rect>",
            escape(title)
        ));
    }

    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        ));
    }

    /// A text that rises to its end.
    pub(crate) fn slanted(&mut self, (x, y): (f64, f64), text: &str) {
        self.push(format_args!(
            "<text class=\"tick\" text-anchor=\"end\" \
             transform=\"translate({x:.1} {y:.1}) rotate(-45)\">{}</text>",
            escape(text)
        ));
    }

    pub(crate) fn finish(self) -> String {
        let Self {
            body,
            width,
            height,
            label,
        } = self;
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{label}\" \
             style=\"max-width:{width:.0}px\">{body}</svg>"
        )
    }
}

/// Place and size.
#[derive(Clone, Copy)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) w: f64,
    pub(crate) h: f64,
}

/// A text from outside as text of a page: control characters spelled out, then HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inception_data::escape(text.as_ref()).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A text of at most `most` characters.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{head}…")
}

/// A number as people write it.
pub(crate) fn figure(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{x:.1e}")
    } else if size >= 100.0 {
        format!("{x:.0}")
    } else if size >= 1.0 {
        trimmed(format!("{x:.2}"))
    } else {
        trimmed(format!("{x:.4}"))
    }
}

fn trimmed(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_leave_neither_the_text_nor_an_attribute() {
        let hostile = "</title><script>alert('\"&\u{1b}[31m\u{202e}";
        let text = escape(hostile);
        assert!(
            !text.contains(['<', '>', '"', '\'', '\u{1b}', '\u{202e}']),
            "{text}"
        );
        assert!(
            text.contains("&lt;/title&gt;") && text.contains("u{1b}"),
            "{text}"
        );
    }

    #[test]
    fn figures_are_short() {
        let numbers = [0.0, 0.05, 1.5, 2.0, 123.4, 1e-5, 2.5e7, -0.25];
        let texts = numbers.map(figure);
        assert_eq!(
            texts,
            ["0", "0.05", "1.5", "2", "123", "1.0e-5", "2.5e7", "-0.25"]
        );
    }
}
