//! Numbers for people.

/// `1 234 567`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1.58 G`.
pub(crate) fn scaled(n: u64) -> String {
    let units = [(1e9, " G"), (1e6, " M"), (1e3, " k")];
    let x = n as f64;
    match units.iter().find(|(unit, _)| x >= *unit) {
        Some((unit, name)) => format!("{:.2}{name}", x / unit),
        None => n.to_string(),
    }
}

/// `12.5 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| n >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", n as f64 / *unit as f64),
        None => format!("{n} B"),
    }
}

/// `93.51 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `95 s`, `4 min 10 s`, `2 h 05 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..=99 => format!("{s} s"),
        100..=3599 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s / 60 % 60),
    }
}

/// `3×224×224`.
pub(crate) fn shape(extents: &[usize]) -> String {
    let texts: Vec<String> = extents.iter().map(ToString::to_string).collect();
    texts.join("×")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(13_378_280), "13 378 280");
        assert_eq!(scaled(1_583_000_000), "1.58 G");
        assert_eq!(scaled(999), "999");
        assert_eq!(bytes(3 << 19), "1.5 MiB");
        assert_eq!(duration(250.2), "4 min 10 s");
        assert_eq!(duration(7500.0), "2 h 05 min");
        assert_eq!(shape(&[3, 224, 224]), "3×224×224");
    }
}
