//! The command lines of this engine and of its peers.

use super::works::{Mode, Peer, Work};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the programs and files of a comparison lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The workspace.
    pub root: PathBuf,
    /// Folder of this engine's optimised binaries.
    pub binaries: PathBuf,
    /// A Python with what `benches/peers/requirements.txt` lists.
    pub python: PathBuf,
    /// Folder for exported networks.
    pub exports: PathBuf,
}

impl Programs {
    /// The program of the engines in Rust.
    pub fn rust_peers(&self) -> PathBuf {
        self.root.join("target/peers/release/peers")
    }

    /// The file that a work's network is exported to.
    pub fn export(&self, work: &Work, precision: &str) -> PathBuf {
        let Work {
            model, batch_size, ..
        } = work;
        self.exports
            .join(format!("{model}-{precision}-b{batch_size}.onnx"))
    }

    fn script(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.root.join("benches/peers/peers.py"));
        command
    }
}

/// How `peer`, or this engine, does the work; exports the network where that is needed.
///
/// # Errors
/// When a program is missing or an export fails.
pub fn peer_command(
    programs: &Programs,
    work: &Work,
    peer: Option<Peer>,
    threads: usize,
    reps: usize,
) -> Result<Command> {
    let mut command = match peer {
        None => ours(programs, work, work.model)?,
        Some(Peer::BatchNormLineage) => ours(programs, work, "googlenet-bn")?,
        Some(Peer::TorchEager) => torch(programs, work, "eager"),
        Some(Peer::TorchChannelsLast) => torch(programs, work, "channels_last"),
        Some(Peer::TorchCompile) => torch(programs, work, "compile"),
        Some(Peer::OnnxRuntime) => onnx(programs.script(), programs, work, "onnxruntime")?,
        Some(Peer::OpenVino) => onnx(programs.script(), programs, work, "openvino")?,
        Some(Peer::Tract) => onnx(rust(programs)?, programs, work, "tract")?,
        Some(Peer::Rten) => onnx(rust(programs)?, programs, work, "rten")?,
        Some(Peer::Burn) => {
            let mut command = rust(programs)?;
            command.args(["burn", "--model", work.model, "--mode", work.mode.name()]);
            command
        }
    };
    for (flag, number) in [
        ("--batch-size", work.batch_size),
        ("--threads", threads),
        ("--reps", reps),
    ] {
        command.args([flag, &number.to_string()]);
    }
    Ok(command)
}

fn ours(programs: &Programs, work: &Work, model: &str) -> Result<Command> {
    if model == "module-3a" {
        let mut command = Command::new(binary(&programs.binaries, "module")?);
        command.args(["--mode", work.mode.name()]);
        return Ok(command);
    }
    let mut command = Command::new(binary(&programs.binaries, "inception")?);
    command.args([
        "bench",
        "--json",
        "--model",
        model,
        "--mode",
        work.mode.name(),
    ]);
    command.args(["--precision", work.precision, "--recompute", work.recompute]);
    if let Some(input) = work.input {
        command.args(["--input", input]);
    }
    // Inference has no use for the heads; training measures them.
    if work.mode == Mode::Infer {
        command.arg("--no-aux");
    }
    Ok(command)
}

fn binary(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    ensure!(path.exists(), "{} is not built", path.display());
    Ok(path)
}

fn torch(programs: &Programs, work: &Work, layout: &str) -> Command {
    let mut command = programs.script();
    command.args(["torch", "--layout", layout, "--model", work.model]);
    command.args(["--mode", work.mode.name(), "--precision", work.precision]);
    command
}

fn rust(programs: &Programs) -> Result<Command> {
    let path = programs.rust_peers();
    ensure!(path.exists(), "missing: {}", Peer::Tract.hint());
    Ok(Command::new(path))
}

fn onnx(mut command: Command, programs: &Programs, work: &Work, engine: &str) -> Result<Command> {
    let file = exported(programs, work)?;
    command.args([engine, "--file"]).arg(file);
    if engine == "openvino" {
        let precision = if work.precision == "bf16" {
            "bf16"
        } else {
            "f32"
        };
        command.args(["--precision", precision]);
    }
    Ok(command)
}

/// The network of a work as ONNX, exported once.
fn exported(programs: &Programs, work: &Work) -> Result<PathBuf> {
    std::fs::create_dir_all(&programs.exports)?;
    // Reduced precision of floating point is the engines' own: they read single precision.
    let plain = programs.export(work, "f32");
    if !is_newer(&plain, &programs.root.join("benches/peers/models.py")) {
        let mut command = programs.script();
        command.args(["export", "--model", work.model, "--batch-size"]);
        command.arg(work.batch_size.to_string()).arg("--out");
        write(command, &plain)?;
    }
    if work.precision != "int8" {
        return Ok(plain);
    }
    let quantised = programs.export(work, "int8");
    if !is_newer(&quantised, &plain) {
        let mut command = programs.script();
        command
            .args(["quantise", "--file"])
            .arg(&plain)
            .arg("--out");
        write(command, &quantised)?;
    }
    Ok(quantised)
}

/// Whether a file is there and not older than what it was made from.
fn is_newer(path: &Path, source: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    time(path).is_some_and(|made| time(source).is_none_or(|source| source <= made))
}

/// Runs a command that writes a file, which is there whole or not at all.
fn write(mut command: Command, path: &Path) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let output = command.arg(&unfinished).output();
    let output = output.with_context(|| format!("missing: {}", Peer::OnnxRuntime.hint()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    ensure!(
        output.status.success(),
        "export of {}: {last}",
        path.display()
    );
    Ok(std::fs::rename(&unfinished, path)?)
}
