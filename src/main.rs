//! The `carnet` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    carnet::cli::main()
}
