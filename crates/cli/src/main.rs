//! The `inception` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    inception_cli::run()
}
