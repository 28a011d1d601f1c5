//! `cargo xtask cross`: the workspace on ARM processors, compiled and, under emulation, tested.

use crate::cargo;
use crate::step::{exec, step};
use anyhow::Result;
use std::path::Path;

const TARGET: &str = "aarch64-unknown-linux-gnu";
/// `TARGET` in the names of cargo's variables.
const PREFIX: &str = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU";

/// Options of `cargo xtask cross`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also run the tests of tensor and ops under qemu, with each kernel.
    #[arg(long)]
    test: bool,
}

/// Checks the workspace at `root`.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    step("check", || {
        let mut check = cargo(root);
        check.args(["check", "--locked", "--target", TARGET]);
        check.args(["-p", "inception-cli"]);
        exec(tools(&mut check, |name| std::env::var_os(name).is_some()))
    })?;
    if args.test {
        for kernel in ["neon", "portable"] {
            step(kernel, || exec(&mut tests(root, kernel)))?;
        }
    }
    Ok(())
}

/// The tests that kernels stand on.
fn tests(root: &Path, kernel: &str) -> std::process::Command {
    let mut test = cargo(root);
    test.args(["test", "--locked", "--target", TARGET]);
    test.args(["-p", "inception-tensor", "-p", "inception-ops"]);
    test.args(["--lib", "--tests"]);
    test.env("INCEPTION_KERNEL", kernel);
    tools(&mut test, |name| std::env::var_os(name).is_some());
    test
}

/// Debian's linker and emulator, where `is_set` finds no others in the environment.
fn tools(
    command: &mut std::process::Command,
    is_set: impl Fn(&str) -> bool,
) -> &mut std::process::Command {
    let defaults = [
        (format!("{PREFIX}_LINKER"), "aarch64-linux-gnu-gcc"),
        // The C library is `libc6:arm64`: threads hang with the one for cross compilers.
        (format!("{PREFIX}_RUNNER"), "qemu-aarch64 -L /"),
        (
            "CC_aarch64_unknown_linux_gnu".to_owned(),
            "aarch64-linux-gnu-gcc",
        ),
    ];
    for (name, tool) in defaults {
        if !is_set(&name) {
            command.env(name, tool);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What variable `name` is given.
    fn given(command: &std::process::Command, name: &str) -> Option<String> {
        let mut variables = command.get_envs();
        let value = variables.find(|(key, _)| *key == name)?.1?;
        Some(value.to_string_lossy().into_owned())
    }

    #[test]
    fn tools_that_the_environment_names_are_kept() {
        let (linker, runner) = (format!("{PREFIX}_LINKER"), format!("{PREFIX}_RUNNER"));
        let mut command = std::process::Command::new("cargo");
        tools(&mut command, |name| name == linker);
        assert_eq!(given(&command, &linker), None);
        let found = given(&command, &runner);
        assert_eq!(found.as_deref(), Some("qemu-aarch64 -L /"));
    }

    #[test]
    fn tests_run_for_the_other_processor_with_the_kernel_that_is_named() {
        let command = super::tests(Path::new("."), "neon");
        assert_eq!(given(&command, "INCEPTION_KERNEL").as_deref(), Some("neon"));
        assert!(command.get_args().any(|word| word == TARGET));
    }
}
