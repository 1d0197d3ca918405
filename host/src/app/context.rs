//! What a command works with.

use std::cell::LazyCell;
use std::path::{Path, PathBuf};

use super::args::GlobalArgs;
use super::{CommandError, Printer, typed};
use crate::config::{Config, Found, Owners};
use crate::fs::{LockOptions, Waiting, describe};
use crate::model::Host;
use crate::registry::{FileStore, Notice};
use crate::settings::Settings;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) printer: Printer,
    pub(crate) globals: GlobalArgs,
    /// Whose configs are used without being named.
    pub(crate) owners: LazyCell<Owners>,
}

/// What the environment says of them.
fn owners_of_environment() -> Owners {
    let variable = |name| std::env::var_os(name);
    Owners::of_variables(variable("SUDO_UID").as_deref(), variable("PORTKEEPER_TRUSTED_DIRECTORIES").as_deref())
}

/// A note while waiting for a lock. A plain function, because waiting happens below every room that has a printer.
static ANNOUNCE: fn(&Waiting) = |waiting| Printer::new(None, false).note(format_args!("waiting: {waiting}"));

impl Context {
    pub(crate) fn new(globals: GlobalArgs) -> Self {
        Self {
            printer: Printer::new(globals.format(), globals.quiet),
            globals,
            owners: LazyCell::new(owners_of_environment),
        }
    }

    /// Goes where `-C` says, before anything else is done.
    pub(crate) fn enter_directory(&self) -> Result<(), CommandError> {
        let Some(directory) = &self.globals.working_directory else { return Ok(()) };
        std::env::set_current_dir(directory)
            .map_err(|error| CommandError::usage(format_args!("-C {}: {}", typed(directory), describe(&error))))
    }

    /// The user's directories.
    pub(crate) fn settings(&self) -> Result<Settings, CommandError> {
        Settings::from_environment().ok_or_else(|| {
            CommandError::environment("there is no home directory")
                .hint("set HOME or XDG_STATE_HOME, choose a file with --registry, or give a systemd unit StateDirectory=portkeeper")
        })
    }

    /// How long to wait for a lock, and how a long wait is announced.
    pub(crate) fn patience(&self) -> LockOptions<'static> {
        LockOptions { timeout: self.globals.lock_timeout, announce: &ANNOUNCE }
    }

    /// The registry.
    pub(crate) fn store(&self) -> Result<FileStore<'static>, CommandError> {
        let store = match &self.globals.registry {
            Some(path) => FileStore::new(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            None => FileStore::in_private_directory(self.settings()?.state),
        };
        let store = match &self.globals.lock {
            Some(lock) => store.with_lock(lock),
            None => store,
        };
        Ok(store.with_patience(self.patience()))
    }

    /// The host of requests that name none.
    pub(crate) fn default_host(&self) -> Result<Host, CommandError> {
        match std::env::var_os("PORTKEEPER_HOST") {
            None => Ok(Host::default()),
            Some(host) => host
                .to_string_lossy()
                .parse()
                .map_err(|error| CommandError::usage(format_args!("PORTKEEPER_HOST: {error}"))),
        }
    }

    /// The current directory.
    pub(crate) fn current_directory(&self) -> Result<PathBuf, CommandError> {
        std::env::current_dir().map_err(|error| {
            CommandError::environment(format_args!("the current directory cannot be found: {}", describe(&error)))
        })
    }

    /// The config that the user names. If it is another user's, that is said.
    pub(crate) fn named_config(&self, path: &Path) -> Result<Config, CommandError> {
        let found = Found::named(path, &self.owners)?;
        if let Some(strange) = found.stranger() {
            self.printer.note(format_args!("using {}: {strange}", path.display()));
        }
        Ok(found.load()?)
    }

    /// Reports what the registry noticed.
    pub(crate) fn tell_notices(&self, notices: &[Notice]) {
        for notice in notices {
            match notice {
                Notice::Unkept { port, .. } => {
                    self.printer.warn(format_args!("{notice}; portkeeper explain {port} says how to end it"));
                }
                Notice::MadeDirectory { .. } => self.printer.note(notice),
                _ => self.printer.warn(notice),
            }
        }
    }
}
