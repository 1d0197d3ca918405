//! `portkeeper holder`: what a hold's process runs. Not for users.

use std::process::ExitCode;

use crate::hold::holder_main;

/// A failure cannot be reported: the process that started the holder sees it hang up.
pub(crate) fn run() -> ExitCode {
    if holder_main().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
