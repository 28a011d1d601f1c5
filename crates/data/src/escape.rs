//! Names from disk, made safe to show.

use std::ffi::OsStr;
use std::path::Path;

/// Characters that change how a terminal shows its neighbours: controls, and Unicode's
/// invisible and direction marks.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// `name` as one line of text that cannot write to a terminal.
///
/// Printable characters stay; a control character, an invisible mark and a backslash are
/// written as Rust escapes, bytes that are no UTF-8 as `\xNN`. Different names give
/// different texts.
pub fn escape(name: &OsStr) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if is_dangerous(c) => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// [`escape`] for a path.
pub fn escape_path(path: &Path) -> String {
    escape(path.as_os_str())
}

/// [`escape`] with every character outside ASCII spelled out, which tells names apart that
/// look alike.
pub(crate) fn escape_ascii(name: &OsStr) -> String {
    escape(name)
        .chars()
        .flat_map(|c| {
            let spelled = (!c.is_ascii()).then(|| c.escape_unicode());
            spelled
                .into_iter()
                .flatten()
                .chain(c.is_ascii().then_some(c))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_write_to_a_terminal_are_spelled_out() {
        assert_eq!(escape(OsStr::new("a\u{1b}[2J\nb")), "a\\u{1b}[2J\\nb");
        assert_eq!(escape(OsStr::new("x\u{202e}gpj")), "x\\u{202e}gpj");
        assert_eq!(escape(OsStr::new("-rf 'it' é")), "-rf 'it' é");
        assert_eq!(escape_ascii(OsStr::new("é")), "\\u{e9}");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_utf8_stay_distinct_from_text_that_looks_like_them() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(escape(OsStr::from_bytes(b"a\xff")), "a\\xff");
        assert_eq!(escape(OsStr::new("a\\xff")), "a\\\\xff");
    }
}
