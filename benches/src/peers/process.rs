//! One measurement: a process that prints a JSON object, and ends in time.

use serde::Deserialize;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a program measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sample {
    /// The engine and its version; absent from this one's own figures.
    pub peer: Option<String>,
    /// Median of the runs.
    pub median_ms: f64,
    /// The most memory of the process.
    pub peak_rss_bytes: Option<u64>,
    /// Memory after libraries were loaded.
    pub import_rss_bytes: Option<u64>,
}

/// What became of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is there.
    Measured(Sample),
    /// It is not, and why.
    Absent(String),
}

/// Runs `command` for at most `limit` and reads the last line that it prints.
pub fn run(command: &mut Command, limit: Duration) -> Outcome {
    match output(command, limit) {
        Ok(sample) => Outcome::Measured(sample),
        Err(reason) => Outcome::Absent(reason),
    }
}

fn output(command: &mut Command, limit: Duration) -> Result<Sample, String> {
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = spawned.map_err(|error| format!("{program}: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both pipes are emptied while the child runs, so that it never waits for a reader.
    let stdout = thread::spawn(move || text(stdout));
    let stderr = thread::spawn(move || text(stderr));
    let end = Instant::now() + limit;
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            None => {
                // It may have ended by itself just now; either way nothing is left to stop.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("took longer than {} s", limit.as_secs()));
            }
        }
    };
    let stdout = stdout.join().unwrap_or_default();
    let stderr = stderr.join().unwrap_or_default();
    if !status.success() {
        return Err(complaint(&stderr).unwrap_or_else(|| status.to_string()));
    }
    let line = stdout.lines().rfind(|line| line.starts_with('{'));
    let line = line.ok_or_else(|| format!("{program}: no JSON object in its output"))?;
    serde_json::from_str(line).map_err(|error| format!("{program}: {error}"))
}

/// What a failed program said: the line that begins with `error`, else the last one.
fn complaint(stderr: &str) -> Option<String> {
    let mut lines = stderr.lines().map(str::trim);
    let error = lines.clone().find(|line| line.starts_with("error"));
    let last = || lines.rfind(|line| !line.is_empty());
    error.or_else(last).map(str::to_owned)
}

fn text(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        run(Command::new("sh").args(["-c", script]), limit)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_last_object_that_a_program_prints_is_its_figure() {
        let found = shell(
            r#"echo noise; echo '{"peer":"p 1","median_ms":2.5,"more":1}'"#,
            LONG,
        );
        let expected = Sample {
            peer: Some("p 1".to_owned()),
            median_ms: 2.5,
            peak_rss_bytes: None,
            import_rss_bytes: None,
        };
        assert_eq!(found, Outcome::Measured(expected));
    }

    #[test]
    fn a_program_that_fails_or_prints_nothing_or_is_not_there_has_no_figure() {
        let found = shell("echo 'missing: No module named x' >&2; exit 69", LONG);
        assert_eq!(
            found,
            Outcome::Absent("missing: No module named x".to_owned())
        );
        let usage = "echo \"error: no 'bf16'\" >&2; echo 'try --help' >&2; exit 2";
        let found = shell(usage, LONG);
        assert_eq!(found, Outcome::Absent("error: no 'bf16'".to_owned()));
        let Outcome::Absent(reason) = shell("true", LONG) else {
            panic!("a figure from nothing");
        };
        assert!(reason.contains("no JSON object"), "{reason}");
        let Outcome::Absent(reason) = run(&mut Command::new("/no/such/program"), LONG) else {
            panic!("a figure from no program");
        };
        assert!(reason.starts_with("/no/such/program: "), "{reason}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = Instant::now();
        let found = run(Command::new("sleep").arg("60"), Duration::from_millis(100));
        assert!(matches!(found, Outcome::Absent(reason) if reason.starts_with("took longer")));
        assert!(start.elapsed() < LONG);
    }
}
