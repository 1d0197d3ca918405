//! Why a hold could not be made, shared or ended.

use std::io;

use thiserror::Error;

use crate::fs::{PathError, describe};
use crate::model::Port;

/// Why a hold could not be made, shared or ended.
#[derive(Debug, Error)]
pub enum HoldError {
    /// The platform cannot do it.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The holder's program did not start.
    #[error("the holder process cannot be started: {}", describe(.0))]
    NotStarted(io::Error),
    /// The holder said no, or ended.
    #[error("the holder process gave up: {0}")]
    GaveUp(String),
    /// The hold file or the control socket cannot be made or read.
    #[error(transparent)]
    File(#[from] PathError),
    /// The holder does not answer, and it is not certain enough which process it is to end it.
    #[error(
        "the holder of port {port}, process {pid}, does not answer ({why}). Look at it with `ps -fp {pid}`; when it is \
         portkeeper's, `kill {pid}` ends it, and with it all of its holds"
    )]
    NotAnswering {
        /// A port that it holds.
        port: Port,
        /// Its pid, as it was recorded.
        pid: u32,
        /// What happened instead of an answer.
        why: String,
    },
    /// A program holds the port for itself.
    #[error("process {pid} holds port {port} itself, and only it can let go")]
    InProcess {
        /// The port.
        port: Port,
        /// The process.
        pid: u32,
    },
}
