//! `cargo xtask test`: every test of the workspace with all its features, lowest layer first.
//!
//! Everything is built at once, so that no package is built twice with different features;
//! then the test programs run one after the other, and the documentation's examples last.

mod outcome;

use crate::cargo;
use crate::manifest::{Manifest, members};
use crate::step::{seconds, show};
use anyhow::{Context, Result, bail};
use outcome::Outcome;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Options of `cargo xtask test`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`, such as `-p inception-ops`.
    #[arg(allow_hyphen_values = true, value_name = "CARGO ARGS")]
    cargo: Vec<String>,
    /// Passed on to every test program, such as part of a test's name; shows its output.
    #[arg(last = true, value_name = "TEST ARGS")]
    harness: Vec<String>,
}

impl Args {
    /// The same with what stands behind `--` where it belongs: a `--` behind another word is
    /// a word to the parser.
    fn split(&self) -> Self {
        let mut words = self.cargo.iter().cloned();
        let cargo = words.by_ref().take_while(|word| word != "--").collect();
        let harness = words.chain(self.harness.iter().cloned()).collect();
        Self { cargo, harness }
    }
}

/// A test program that cargo has built.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    folder: PathBuf,
    target: String,
    executable: PathBuf,
}

/// A line of the summary.
#[derive(Debug)]
struct Row {
    name: String,
    outcome: Outcome,
    time: Duration,
}

/// Builds and runs the tests of the workspace at `root`.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let args = &args.split();
    let mut programs = build(root, args)?;
    let members = members(root)?;
    let place = |program: &Program| members.iter().position(|m| is_of(root, m, program));
    programs.sort_by_key(|program| (place(program), program.target.clone()));
    let mut rows = Vec::new();
    for program in &programs {
        let of = members.iter().find(|m| is_of(root, m, program));
        let name = of.map_or("?", |m| m.name.as_str());
        let mut command = Command::new(&program.executable);
        command
            .current_dir(&program.folder)
            .env("CARGO_MANIFEST_DIR", &program.folder)
            .args(&args.harness);
        let row = observe(format!("{name} {}", program.target), &mut command, args)?;
        rows.push(row);
    }
    // Only libraries have examples that are tested.
    if programs
        .iter()
        .any(|program| program.target.starts_with("lib "))
    {
        let mut docs = cargo(root);
        docs.args(selection(args)).args(["--quiet", "--doc", "--"]);
        docs.args(&args.harness);
        let name = "examples in documentation".to_owned();
        rows.push(observe(name, &mut docs, args)?);
    }
    sum_up(&rows)
}

fn is_of(root: &Path, member: &Manifest, program: &Program) -> bool {
    root.join(&member.folder) == program.folder
}

/// `test --locked` and what is tested.
fn selection(args: &Args) -> Vec<String> {
    let mut words = vec!["test".to_owned(), "--locked".to_owned()];
    let named = |word: &String| word.starts_with("-p") || word.starts_with("--package");
    if !args.cargo.iter().any(named) {
        words.extend(["--workspace", "--all-features"].map(str::to_owned));
    }
    words.extend(args.cargo.iter().cloned());
    words
}

/// Has cargo build the test programs.
fn build(root: &Path, args: &Args) -> Result<Vec<Program>> {
    let mut command = cargo(root);
    command.args(selection(args));
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let shown = show(&command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| shown.clone())?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(program).collect())
}

/// The test program that a message of cargo tells of, if it tells of one.
fn program(message: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool() == Some(true);
    if !is_test || message["reason"] != "compiler-artifact" {
        return None;
    }
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let target = &message["target"];
    Some(Program {
        folder: manifest.parent()?.to_path_buf(),
        target: format!(
            "{} {}",
            target["kind"][0].as_str()?,
            target["name"].as_str()?
        ),
        executable: message["executable"].as_str()?.into(),
    })
}

/// Runs a command, shows what it prints if it fails or is asked for, and reads its counts.
fn observe(name: String, command: &mut Command, args: &Args) -> Result<Row> {
    eprint!("{name:<48}");
    std::io::stderr().flush()?;
    let start = Instant::now();
    let shown = show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| shown.clone())?;
    let stdout = child.stdout.take().context("the output is piped")?;
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if !args.harness.is_empty() {
            println!("{line}");
        }
        lines.push(line);
    }
    let status = child.wait()?;
    let mut outcome = Outcome::of(lines.iter().map(String::as_str));
    if !status.success() && outcome.failed.is_empty() {
        outcome.failed.push(format!("{shown} ({status})"));
    }
    let time = start.elapsed();
    eprintln!(" {:>5} passed {:>9}", outcome.passed, seconds(time));
    if !outcome.failed.is_empty() && args.harness.is_empty() {
        println!("{}", lines.join("\n"));
    }
    Ok(Row {
        name,
        outcome,
        time,
    })
}

/// Prints totals and failures; an error if there is one.
fn sum_up(rows: &[Row]) -> Result<()> {
    let passed: usize = rows.iter().map(|row| row.outcome.passed).sum();
    let ignored: usize = rows.iter().map(|row| row.outcome.ignored).sum();
    let failed: usize = rows.iter().map(|row| row.outcome.failed.len()).sum();
    let time: Duration = rows.iter().map(|row| row.time).sum();
    eprintln!();
    for row in rows.iter().filter(|row| !row.outcome.failed.is_empty()) {
        eprintln!("failed in {}:", row.name);
        for test in &row.outcome.failed {
            eprintln!("    {test}");
        }
    }
    let time = seconds(time);
    eprintln!("{passed} passed, {failed} failed, {ignored} ignored in {time}");
    if failed > 0 {
        bail!("{failed} tests failed; the names are above");
    }
    if passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_read_from_cargos_message_and_other_artifacts_are_not() {
        let message = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/crates/ops/Cargo.toml",
                "target":{{"kind":["test"],"name":"conv2d"}},"profile":{{"test":{test}}},
                "executable":{executable}}}"#
            )
        };
        let expected = Program {
            folder: "/w/crates/ops".into(),
            target: "test conv2d".to_owned(),
            executable: "/w/target/conv2d".into(),
        };
        let found = program(&message(true, r#""/w/target/conv2d""#));
        assert_eq!(found, Some(expected));
        assert_eq!(program(&message(false, r#""/w/target/inception""#)), None);
        assert_eq!(program(&message(true, "null")), None);
        assert_eq!(
            program(r#"{"reason":"build-finished","success":true}"#),
            None
        );
    }

    #[test]
    fn a_package_that_is_asked_for_is_tested_alone() {
        let args = |words: &[&str]| Args {
            cargo: words.iter().map(|&word| word.to_owned()).collect(),
            harness: Vec::new(),
        };
        let all = selection(&args(&[]));
        assert_eq!(all, ["test", "--locked", "--workspace", "--all-features"]);
        let one = selection(&args(&["-p", "inception-ops"]));
        assert_eq!(one, ["test", "--locked", "-p", "inception-ops"]);
    }

    #[test]
    fn words_behind_two_dashes_go_to_the_test_programs() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let split = |words: &[&str]| {
            let line = <Line as clap::Parser>::try_parse_from([&["test"], words].concat());
            let args = line.map(|line| line.args.split()).unwrap();
            [args.cargo.join(" "), args.harness.join(" ")]
        };
        assert_eq!(split(&[]), ["", ""]);
        assert_eq!(split(&["-p", "a"]), ["-p a", ""]);
        assert_eq!(split(&["--", "--exact", "b"]), ["", "--exact b"]);
        assert_eq!(
            split(&["-p", "a", "--", "b", "--exact"]),
            ["-p a", "b --exact"]
        );
    }

    #[test]
    fn a_run_without_tests_or_with_a_failure_is_an_error() {
        let row = |passed, failed: &[&str]| Row {
            name: "a".to_owned(),
            outcome: Outcome {
                passed,
                ignored: 0,
                failed: failed.iter().map(|&name| name.to_owned()).collect(),
            },
            time: Duration::ZERO,
        };
        assert!(sum_up(&[row(3, &[])]).is_ok());
        assert!(sum_up(&[row(0, &[])]).is_err());
        assert!(sum_up(&[row(3, &[]), row(2, &["b"])]).is_err());
    }
}
