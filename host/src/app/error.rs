//! How a command ends: the one place that knows exit codes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Printer, typed};
use crate::authoring::{BuildError, FixtureError, ScaffoldError};
use crate::config::{ConfigError, Problem};
use crate::fs::{LockError, PathError, describe};
use crate::hold::HoldError;
use crate::install::InstallError;
use crate::lockfile::LockfileError;
use crate::model::{Port, Protocol};
use crate::output::FileError;
use crate::plugins::{Cause, PluginError};
use crate::prepare::PrepareError;
use crate::probe::ProbeError;
use crate::registry::RegistryError;
use crate::reserve::{PickError, ReserveError};
use crate::scan::ScanError;
use crate::trust::TrustError;

/// What a command's function returns.
pub(crate) type CommandResult = Result<ExitCode, CommandError>;

/// Why a command failed, in words for the user.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// The port that it is about, if something can be done about that.
    about: Option<About>,
    /// The file or directory that the system refused.
    refused: Option<PathBuf>,
}

/// What went wrong with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// It was asked for, and is not free. The protocol, where it is known.
    Taken(Port, Option<Protocol>),
    /// It was to be let go, and is not.
    Kept(Port),
}

/// The exit code of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 1: the answer is no.
    No = 1,
    /// 2: bad usage or bad config.
    Usage = 2,
    /// 3: the environment failed.
    Environment = 3,
    /// 125: `run` failed before the command ran, as env(1) and others say it.
    OfRun = 125,
    /// 126: the command of `run` cannot be executed.
    NotExecutable = 126,
    /// 127: there is no such command.
    NotFound = 127,
    /// 130: the user interrupted it.
    Interrupted = 130,
}

impl CommandError {
    /// The answer is no (exit code 1).
    pub(crate) fn no(message: impl fmt::Display) -> Self {
        Self::new(Kind::No, message)
    }

    /// Bad usage or bad config (exit code 2).
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The environment failed (exit code 3).
    pub(crate) fn environment(message: impl fmt::Display) -> Self {
        Self::new(Kind::Environment, message)
    }

    /// The command of `run` cannot be executed (exit code 126).
    pub(crate) fn not_executable(message: impl fmt::Display) -> Self {
        Self::new(Kind::NotExecutable, message)
    }

    /// There is no such command (exit code 127).
    pub(crate) fn not_found(message: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// The same error, as `run` has it: the codes below 125 are the command's own.
    pub(crate) fn of_run(mut self) -> Self {
        if !matches!(self.kind, Kind::NotExecutable | Kind::NotFound) {
            self.kind = Kind::OfRun;
        }
        self
    }

    /// It is done, and only the answer cannot be written: says what was done (exit code 3).
    pub(crate) fn done_but(done: impl fmt::Display, error: &io::Error) -> Self {
        Self::environment(format_args!("{done}, but the answer cannot be written: {}", describe(error)))
    }

    /// The same error, and what else has to be said.
    pub(crate) fn and(mut self, more: impl fmt::Display) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// The same error with the line that gives these ports back, if there are any.
    pub(crate) fn hint_release(self, ports: &[Port]) -> Self {
        if ports.is_empty() {
            return self;
        }
        let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
        let them = if ports.len() == 1 { "it" } else { "them" };
        self.hint(format_args!("`portkeeper release {}` gives {them} back", ports.join(" ")))
    }

    /// The user interrupted it (exit code 130).
    pub(crate) fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted; nothing was reserved")
    }

    /// The same error with a line that says what to do.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), hint: None, about: None, refused: None }
    }

    /// The port that it is about, where nothing has been said yet of what helps.
    pub(crate) fn port(&self) -> Option<About> {
        self.about.filter(|_| self.hint.is_none())
    }

    /// The same error, which is about a port. What helps is what `explain` says.
    pub(crate) fn about(mut self, about: About) -> Self {
        self.about = Some(about);
        self
    }

    /// What went wrong, without what helps.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What helps, where something has been said of it.
    pub(crate) fn help(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same error, in which the system refused this file or directory.
    fn refused(mut self, path: Option<&Path>) -> Self {
        self.refused = path.map(Path::to_owned);
        self
    }

    /// The file or directory that the system refused, where nothing has been said yet of what helps.
    pub(crate) fn refused_by_system(&self) -> Option<&Path> {
        self.refused.as_deref().filter(|_| self.hint.is_none())
    }

    /// Says it to the user. Message and hint are two texts: a line feed in the first, from a name of others, begins no second.
    pub(crate) fn print(&self, printer: &Printer) {
        printer.error(&self.message);
        self.hint.iter().for_each(|hint| printer.hint(hint));
    }

    /// Whether only the answer is no, and another question may have another answer.
    pub(crate) fn is_no(&self) -> bool {
        self.kind == Kind::No
    }

    /// The process' exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl From<ReserveError> for CommandError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Registry(error) => error.into(),
            ReserveError::Probe(error) => error.into(),
            ReserveError::Hold(error) => error.into(),
            ReserveError::NotOverUdp(_) => Self::usage(error),
            ReserveError::NotUndone { ref ports, .. } => Self::environment(&error).hint_release(ports),
            ReserveError::NotFree { port, protocol, .. } => {
                let protocol = error.reserved_by().map(|reservation| reservation.protocol).or(protocol);
                Self::no(&error).about(About::Taken(port, protocol))
            }
            ReserveError::NoneFree { .. } => Self::no(error),
        }
    }
}

impl From<PickError> for CommandError {
    fn from(error: PickError) -> Self {
        match error {
            PickError::Probe(error) => error.into(),
            PickError::NotFree { port, protocol, .. } => {
                let protocol = error.reserved_by().map(|reservation| reservation.protocol).or(protocol);
                Self::no(&error).about(About::Taken(port, protocol))
            }
            PickError::TooFew { .. } => Self::no(error),
        }
    }
}

impl From<HoldError> for CommandError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Unsupported(_) => Self::usage(error),
            HoldError::InProcess { port, .. } => Self::no(error).about(About::Kept(port)),
            HoldError::File(error) => error.into(),
            HoldError::NotStarted(_) | HoldError::GaveUp(_) | HoldError::NotAnswering { .. } => {
                Self::environment(error)
            }
        }
    }
}

impl From<PrepareError> for CommandError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Config(error) => error.into(),
            PrepareError::Plugin(error) => error.into(),
            PrepareError::Lockfile(error) => error.into(),
            PrepareError::Reserve(error) => error.into(),
            PrepareError::Probe(error) => error.into(),
            PrepareError::Occupied(_) => {
                Self::no(error).hint("without --require-free a port stays with its name, no matter what uses it")
            }
            PrepareError::Invalid(_) | PrepareError::File(FileError::NotText(_) | FileError::TooLarge(_)) => {
                Self::usage(error)
            }
            PrepareError::OverLimit(over) => {
                let failed = match over.cause() {
                    Cause::Request => Self::usage(&over),
                    Cause::Plugin | Cause::System => Self::environment(&over),
                };
                failed.hint(over.help())
            }
            PrepareError::Trust(error) => error.into(),
            PrepareError::Lock(error) => error.into(),
            PrepareError::File(FileError::Io(_))
            | PrepareError::Broken(_)
            | PrepareError::Write(_)
            | PrepareError::Directory(_)
            | PrepareError::NotUndone { .. } => Self::environment(error),
        }
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        match &error.problem {
            Problem::Unreadable(_) | Problem::Unseen(_) => Self::environment(error),
            Problem::ForeignOwner { directory, .. } => Self::usage(&error).hint(format_args!(
                "if you trust it, name it: --config {}; or trust its directory: export PORTKEEPER_TRUSTED_DIRECTORIES={}",
                typed(&error.path),
                typed(directory)
            )),
            _ => Self::usage(error),
        }
    }
}

impl From<PluginError> for CommandError {
    fn from(error: PluginError) -> Self {
        let failed = match &error {
            PluginError::Unknown { .. }
            | PluginError::WrongDigest { .. }
            | PluginError::NotPinned { .. }
            | PluginError::NotTrusted { .. } => Self::usage(&error),
            PluginError::Unreadable { source, .. } if source.source.kind() == std::io::ErrorKind::NotFound => {
                Self::usage(&error)
            }
            _ => Self::environment(&error),
        };
        match error.help() {
            Some(help) => failed.hint(help),
            None => failed,
        }
    }
}

impl From<LockfileError> for CommandError {
    fn from(error: LockfileError) -> Self {
        match error {
            LockfileError::File(_) => Self::environment(error),
            _ => Self::usage(error),
        }
    }
}

impl From<InstallError> for CommandError {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::Lockfile(error) => error.into(),
            InstallError::NotThere { .. } => Self::no(error),
            InstallError::NoTypes { .. } | InstallError::Taken { .. } | InstallError::Place(_) => Self::usage(error),
            InstallError::Lock(error) => error.into(),
            InstallError::File(error) => error.into(),
        }
    }
}

impl From<ScaffoldError> for CommandError {
    fn from(error: ScaffoldError) -> Self {
        match error {
            ScaffoldError::File(_) => Self::environment(error),
            _ => Self::usage(error),
        }
    }
}

impl From<BuildError> for CommandError {
    fn from(error: BuildError) -> Self {
        let failed = match &error {
            BuildError::NoCrate(_) | BuildError::NoCdylib | BuildError::Several(_) => Self::usage(&error),
            BuildError::Failed => Self::no(&error),
            BuildError::NoProgram(_) | BuildError::NoTarget | BuildError::Plugin(_) | BuildError::File(_) => {
                Self::environment(&error)
            }
        };
        match error.help() {
            Some(help) => failed.hint(help),
            None => failed,
        }
    }
}

impl From<FixtureError> for CommandError {
    fn from(error: FixtureError) -> Self {
        match error {
            FixtureError::File(_) => Self::environment(error),
            _ => Self::usage(error),
        }
    }
}

impl From<ScanError> for CommandError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::NoSuchInterface { .. } | ScanError::TooLarge { .. } | ScanError::Unresolved { .. } => {
                Self::usage(error)
            }
            ScanError::NoNetwork { .. }
            | ScanError::InterfaceDown { .. }
            | ScanError::Interfaces(_)
            | ScanError::Sockets(_) => Self::environment(error),
        }
    }
}

impl From<TrustError> for CommandError {
    fn from(error: TrustError) -> Self {
        Self::environment(&error).refused(error.refused_path())
    }
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> Self {
        Self::environment(&error).refused(error.path())
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        match &error {
            RegistryError::NotTakenBack { ports, .. } => Self::environment(&error).hint_release(ports),
            _ => Self::environment(&error).refused(error.refused_path()),
        }
    }
}

impl From<PathError> for CommandError {
    fn from(error: PathError) -> Self {
        Self::environment(&error).refused(Some(&error.path))
    }
}

impl From<ProbeError> for CommandError {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Unresolved { .. } | ProbeError::NotLocal { .. } => Self::usage(error),
            _ => Self::environment(error),
        }
    }
}
