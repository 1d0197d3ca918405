//! `portkeeper holder`: what a hold's process runs. Not for users.

use std::process::ExitCode;

use crate::hold::be_holder;

/// There is nobody to tell of a failure: whoever started the holder sees it hang up.
pub(crate) fn run() -> ExitCode {
    if be_holder().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
