//! From the words of a command line to a command and its exit status.

use crate::exit::{self, Outcome};
use crate::{commands, config_file, output};
use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use inception_tensor::Kernel;
use std::ffi::OsString;
use std::process::ExitCode;

/// Train, evaluate and use Inception classifiers on CPUs.
///
/// Without anything else, `inception train` trains a small network on drawn shapes: nothing
/// to download, about a minute on two cores.
#[derive(Debug, Parser)]
#[command(
    name = "inception",
    version,
    args_override_self = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 done; 2 usage; 3 a limit; 4 malformed input; 5 input and \
                  output; 6 numeric failure; 130, 143 stopped by a signal after saving; 1 \
                  anything else."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<commands::train::TrainArgs>),
    Eval(commands::eval::EvalArgs),
    Predict(commands::predict::PredictArgs),
    Features(commands::features::FeaturesArgs),
    Summary(commands::summary::SummaryArgs),
    Bench(commands::bench::BenchArgs),
    Models(commands::models::ModelsArgs),
    Recipes(commands::recipes::RecipesArgs),
    Convert(Box<commands::convert::ConvertCommand>),
    Data(commands::data::DataCommand),
    Report(commands::report::ReportArgs),
    Doctor(commands::doctor::DoctorArgs),
    Completions(commands::completions::CompletionsArgs),
}

/// Runs the command that this process was started with.
///
/// A panic is an error of this program: it ends with one line and status 1.
pub fn run() -> ExitCode {
    exit::install_panic_hook();
    let words: Vec<OsString> = std::env::args_os().collect();
    let outcome = std::panic::catch_unwind(|| execute(words));
    match outcome {
        Ok(Ok(outcome)) => outcome.status(),
        Ok(Err(error)) => ExitCode::from(exit::report(&error)),
        Err(_) => {
            exit::report_panic();
            ExitCode::from(exit::OTHER)
        }
    }
}

fn execute(words: Vec<OsString>) -> Result<Outcome> {
    // Before anything can fail: what is typed wrong is told in the format that is asked for.
    output::set_format(&words);
    let mut definition = Cli::command();
    definition.build();
    // A kernel that is forced and cannot run must not be replaced in silence.
    Kernel::select()?;
    let words = config_file::expand(&definition, words)?;
    output::set_format(&words);
    let cli = match parse(definition, words) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            output::print(&error.render().to_string())?;
            return Ok(Outcome::Done);
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::complain(error.render().to_string().trim_end());
            return Ok(Outcome::Found(exit::USAGE));
        }
        Err(error) => return Err(exit::usage(exit::one_line(&error))),
    };
    match cli.command {
        Command::Train(args) => commands::train::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Features(args) => commands::features::run(&args),
        Command::Summary(args) => commands::summary::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Models(args) => commands::models::run(&args),
        Command::Recipes(args) => commands::recipes::run(&args),
        Command::Convert(command) => commands::convert::run(&command),
        Command::Data(command) => commands::data::run(&command),
        Command::Report(args) => commands::report::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}

fn parse(definition: clap::Command, words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let matches = definition.try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches)
}
