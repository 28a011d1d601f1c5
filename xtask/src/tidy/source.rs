//! Rust text without what only looks like code.

/// Words of letters, digits and underscores.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The text with comments, strings and characters blanked out, line by line as before.
pub(super) fn blank_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match skipped(&chars, at) {
            Some(end) => end.min(chars.len()),
            None => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
        out.extend(chars[at..end].iter().map(blank));
        at = end;
    }
    out
}

/// Where the comment or literal that begins at `at` ends, if one begins there.
fn skipped(chars: &[char], at: usize) -> Option<usize> {
    let starts = |text: &str| {
        text.chars()
            .enumerate()
            .all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    if starts("//") {
        return Some(find(chars, at, '\n'));
    }
    if starts("/*") {
        return Some(block_comment(chars, at));
    }
    match chars[at] {
        '"' => Some(string(chars, at + 1)),
        'r' if !follows_word(chars, at) => raw_string(chars, at + 1),
        '\'' => character(chars, at),
        _ => None,
    }
}

fn follows_word(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|i| chars[i]);
    // `br"…"` is a literal as well.
    before.is_some_and(|c| (c.is_alphanumeric() && c != 'b') || c == '_')
}

fn find(chars: &[char], from: usize, what: char) -> usize {
    let rest = chars.get(from..).unwrap_or_default();
    rest.iter()
        .position(|&c| c == what)
        .map_or(chars.len(), |i| from + i)
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `#`s, a quote, and everything up to the quote with as many `#`s.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let mut end = at + hashes + 1;
    loop {
        end = find(chars, end, '"') + 1;
        let closing = chars.get(end..end + hashes);
        if end > chars.len() || closing.is_some_and(|c| c.iter().all(|&c| c == '#')) {
            return Some(end + hashes);
        }
    }
}

/// A character literal; a lifetime is none.
fn character(chars: &[char], at: usize) -> Option<usize> {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => Some(find(chars, at + 3, '\'') + 1),
        (Some(_), Some('\'')) => Some(at + 3),
        _ => None,
    }
}
