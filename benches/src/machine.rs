//! What figures were measured on.

use inception_tensor::{Kernel, Pool};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine, the sources and the day of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as the system calls it.
    pub processor: String,
    /// Its cores.
    pub cores: usize,
    /// The micro-kernels in use.
    pub kernel: String,
    /// The last commit that changed more than documents, with `+` behind it where such files had
    /// been changed since.
    pub commit: String,
    /// `2026-03-09`, in UTC.
    pub date: String,
}

impl Machine {
    /// This machine, and the sources at `root`.
    pub fn here(root: &Path) -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH);
        let days = seconds.map_or(0, |time| time.as_secs() / 86_400);
        Self {
            processor: processor(),
            cores: Pool::available(),
            kernel: Kernel::active().name().to_owned(),
            commit: commit(root),
            date: date(days),
        }
    }
}

/// The processor, as the system calls it.
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split(':').nth(1));
        value.map(|value| value.trim().to_owned())
    };
    let name = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    // Virtual machines hide the model's name; family and number tell generations apart.
    match (field("cpu family"), field("model\t")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name,
    }
}

/// The most memory that this process had so far; `None` where the system does not tell.
pub fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn commit(root: &Path) -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(words).output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    const SOURCES: [&str; 4] = ["--", ".", ":!docs", ":!*.md"];
    let about_sources = |words: &[&str]| git(&[words, &SOURCES].concat());
    let name = about_sources(&["log", "-1", "--format=%h", "--abbrev=9"]);
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return "unknown".to_owned();
    };
    match about_sources(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => name,
        _ => name + "+",
    }
}

/// The day that lies `days` after 1 January 1970, in the Gregorian calendar.
///
/// # Sources
/// Howard Hinnant, *chrono-compatible low-level date algorithms*, `civil_from_days`: years
/// begin in March, so that the leap day is their last.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates_of_the_gregorian_calendar() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_454, "2026-01-01"),
            (20_818, "2026-12-31"),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn a_folder_without_a_repository_has_no_commit() {
        assert_eq!(Machine::here(Path::new("/")).commit, "unknown");
    }
}
