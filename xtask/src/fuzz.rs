//! `cargo xtask fuzz`: runs the fuzz targets of `fuzz/`, which libFuzzer guides by coverage.
//!
//! The compiler's passes are reached through flags that stable Rust has, so that no other
//! toolchain is needed.

use crate::cargo;
use crate::step::{exec, step};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What tells libFuzzer which edges an input reached and what it was compared with.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Where everything goes, below the workspace.
const OUTPUT: &str = "target/fuzz";
/// Where files in memory may lie.
const MEMORY: &str = "/dev/shm";

/// Options of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target; every one where none is given.
    target: Option<String>,
    /// How many inputs each target is given.
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// The longest input, in bytes.
    #[arg(long, default_value_t = 4096)]
    max_len: u32,
    /// Where random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Try this input alone.
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

/// Builds and runs the fuzz targets of the workspace at `root`.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let targets = chosen(targets(root)?, args.target.as_deref())?;
    let host = host()?;
    step("build", || exec(&mut build(root, &host)))?;
    let files = Files::new(root)?;
    for target in &targets {
        eprintln!("── {target}");
        let mut command = fuzzer(root, &host, target, args)?;
        // Parsers of files are given one file after another; the targets use one thread.
        command
            .env("TMPDIR", &files.0)
            .env("RAYON_NUM_THREADS", "1");
        exec(&mut command).with_context(|| format!("target {target}"))?;
    }
    Ok(())
}

/// A folder for files of the targets, which are gone in the end.
struct Files(PathBuf);

impl Files {
    fn new(root: &Path) -> Result<Self> {
        let memory = Path::new(MEMORY);
        let parent = match memory.is_dir() {
            true => memory.to_path_buf(),
            false => root.join(OUTPUT),
        };
        let folder = parent.join(format!("inception-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Names of the targets, sorted.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/src/bin");
    let shown = || folder.display().to_string();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(shown)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rs") {
            names.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// The target that was asked for, or all.
fn chosen(all: Vec<String>, asked: Option<&str>) -> Result<Vec<String>> {
    match asked {
        None => Ok(all),
        Some(name) if all.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!("expected a target of {}, found {name}", all.join(", ")),
    }
}

/// The machine that the compiler builds for.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .output()
        .context("rustc -vV")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

/// The targets with counters on their edges.
fn build(root: &Path, host: &str) -> Command {
    let mut build = cargo(root);
    build.args(["build", "--locked", "--release", "--bins"]);
    build.args(["--manifest-path", "fuzz/Cargo.toml"]);
    // Where a target is named, build scripts and macros are built without the flags.
    build.args(["--target", host, "--target-dir", OUTPUT]);
    build.env("RUSTFLAGS", COVERAGE);
    build
}

/// A run of one target.
fn fuzzer(root: &Path, host: &str, target: &str, args: &Args) -> Result<Command> {
    let output = root.join(OUTPUT);
    let (corpus, failed) = (output.join("corpus").join(target), output.join("failed"));
    for folder in [&corpus, &failed] {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut command = Command::new(output.join(host).join("release").join(target));
    command.current_dir(root);
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=1024"]);
    command.arg(format!("-artifact_prefix={}/{target}-", failed.display()));
    if let Some(input) = &args.input {
        command.arg(std::path::absolute(input)?);
        return Ok(command);
    }
    command.arg(format!("-runs={}", args.runs));
    command.arg(format!("-max_len={}", args.max_len));
    command.arg(format!("-seed={}", args.seed));
    command.arg("-print_final_stats=1");
    let words = root.join(format!("fuzz/words/{target}.dict"));
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    // What is new goes to the first folder.
    command
        .arg(corpus)
        .arg(root.join("fuzz/seeds").join(target));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_target_has_seeds() {
        let root = crate::root();
        let targets = targets(&root).unwrap();
        assert!(targets.contains(&"pickle".to_owned()), "{targets:?}");
        for target in targets {
            let seeds = root.join("fuzz/seeds").join(&target);
            let count = std::fs::read_dir(&seeds).map_or(0, Iterator::count);
            assert!(count > 0, "{}: expected seeds, found none", seeds.display());
        }
    }

    #[test]
    fn a_target_is_chosen_by_name_and_an_unknown_one_is_an_error() {
        let all = names(&["caffe", "zip"]);
        assert_eq!(chosen(all.clone(), None).unwrap(), all);
        assert_eq!(chosen(all.clone(), Some("zip")).unwrap(), ["zip"]);
        let error = chosen(all, Some("rar")).unwrap_err().to_string();
        assert_eq!(error, "expected a target of caffe, zip, found rar");
    }

    #[test]
    fn the_build_names_a_machine_and_its_flags() {
        let build = build(Path::new("/w"), "x86_64-unknown-linux-gnu");
        let words = crate::step::show(&build);
        assert!(
            words.contains("--target x86_64-unknown-linux-gnu"),
            "{words}"
        );
        let flags = build.get_envs().find(|(name, _)| *name == "RUSTFLAGS");
        let flags = flags.and_then(|(_, value)| value?.to_str()).unwrap();
        assert!(
            flags
                .split_whitespace()
                .any(|f| f == "-Cpasses=sancov-module"),
            "{flags}"
        );
    }

    #[test]
    fn a_run_reads_words_and_seeds_and_an_input_runs_alone() {
        let args = |input: Option<&str>| Args {
            target: Some("pickle".to_owned()),
            runs: 7,
            max_len: 9,
            seed: 3,
            input: input.map(PathBuf::from),
        };
        let root = tempfile::tempdir().unwrap();
        let words = root.path().join("fuzz/words");
        std::fs::create_dir_all(&words).unwrap();
        std::fs::write(words.join("pickle.dict"), "").unwrap();
        let shown = |args| crate::step::show(&fuzzer(root.path(), "m", "pickle", &args).unwrap());
        let found = shown(args(None));
        for word in [
            "-runs=7",
            "-max_len=9",
            "-seed=3",
            "words/pickle.dict",
            "seeds/pickle",
        ] {
            assert!(found.contains(word), "{word}: {found}");
        }
        assert!(root.path().join("target/fuzz/corpus/pickle").is_dir());
        let found = shown(args(Some("failing")));
        assert!(
            found.ends_with("/failing") && !found.contains("-runs"),
            "{found}"
        );
    }
}
