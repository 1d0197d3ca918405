//! Arguments about names, which several commands share.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{CommandError, Context, typed};
use crate::config::{self, ConfigError, Owners, Problem, ProjectPlace};
use crate::document::closest;
use crate::fs::PathContext;
use crate::model::{Name, Port, Project, Reservation};
use crate::probe::local_addresses;
use crate::registry::Store;
use crate::reserve::{Machine, World};
use crate::wait::{Asked, Url};
use crate::who::{Reach, seen_from};

/// Whose names are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Name options")]
pub(crate) struct ScopeArgs {
    /// Use your global names: the same ones in every directory
    #[arg(long, conflicts_with = "project")]
    pub(crate) global: bool,

    /// Use the names of the project that this directory is in; outside of any project, of the directory itself
    /// [default: the current directory's project]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) project: Option<PathBuf>,
}

impl ScopeArgs {
    /// The project that is meant; none: the user's own names.
    pub(crate) fn project(&self, context: &Context) -> Result<Option<Arc<Project>>, CommandError> {
        if self.global {
            return Ok(None);
        }
        match &self.project {
            Some(directory) => {
                let directory = directory.canonicalize().at(directory)?;
                if !directory.is_dir() {
                    return Err(CommandError::usage(format_args!(
                        "--project {}: not a directory",
                        directory.display()
                    )));
                }
                let root = config::project_directory(&directory, &Owners::everyone())?.unwrap_or(directory);
                identified(&root).map(Some)
            }
            None => match current_project(context)? {
                Some(project) => Ok(Some(project)),
                None => Err(no_project(&context.current_directory()?)),
            },
        }
    }
}

/// The project of the current directory, if it is in one. That a config of another directory makes it one is said.
pub(crate) fn current_project(context: &Context) -> Result<Option<Arc<Project>>, CommandError> {
    let here = context.current_directory()?;
    Ok(match config::find_project(&here, &context.owners).map_err(name_the_project)? {
        ProjectPlace::Config(config) => {
            context.tell_config(config.path(), &here);
            Some(identified(config.directory())?)
        }
        ProjectPlace::Worktree(root) => Some(identified(root)?),
        ProjectPlace::None => None,
    })
}

/// To use a config of another user takes naming it. Here the project is what is named.
fn name_the_project(error: ConfigError) -> CommandError {
    match &error.problem {
        Problem::ForeignOwner { directory, .. } => {
            let directory = typed(directory);
            CommandError::usage(&error).hint(format_args!(
                "if you trust it, name the project: --project {directory}; or export PORTKEEPER_TRUSTED_DIRECTORIES={directory}"
            ))
        }
        _ => error.into(),
    }
}

/// What to do where names cannot be reserved for the project, for a command that has no `--project`.
fn trust_the_project(directory: &Path, name: &str) -> String {
    let (directory, name) = (typed(directory), typed(name));
    format!(
        "if you trust it, reserve the name: portkeeper port {name} --project {directory}; \
         or export PORTKEEPER_TRUSTED_DIRECTORIES={directory}"
    )
}

fn identified(root: &Path) -> Result<Arc<Project>, CommandError> {
    Ok(Arc::new(Project::at(root).at(root)?))
}

fn no_project(directory: &Path) -> CommandError {
    CommandError::usage(format_args!(
        "a name belongs to a project, and {} is in none: neither it nor a directory above has a pk.config.json or .yaml, or is the root \
         of a version-control worktree",
        directory.display()
    ))
    .hint("--project . makes this directory the project; --global makes it a name of your own, the same in every directory")
}

impl Context {
    /// Reports which config is used, unless it is the one of the directory that the command runs in.
    pub(crate) fn tell_config(&self, config: &Path, here: &Path) {
        if config.parent() != Some(here) {
            self.printer.note(format_args!("using {}", seen_from(config, here)));
        }
    }
}

/// The names that ports are asked for by.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// What this project calls the port: the same port every time, and a different one in another project or worktree. It lasts
    /// until it is released, or the project's directory is gone
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<Name>,

    #[command(flatten)]
    pub(crate) scope: ScopeArgs,

    /// Move the name to a different port
    #[arg(long = "move", help_heading = "Name options", requires = "names", conflicts_with = "port")]
    pub(crate) moves: bool,

    /// Exit with 1 if anything uses the port of the name already, even your own server
    #[arg(long, help_heading = "Name options", requires = "names")]
    pub(crate) require_free: bool,
}

impl NameArgs {
    /// Refuses what says something about names without one, and a name that stands twice.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        if self.names.is_empty() && (self.scope.global || self.scope.project.is_some()) {
            return Err(CommandError::usage("--global and --project are about names: say which NAME"));
        }
        match self.names.iter().enumerate().find(|(index, name)| self.names[..*index].contains(name)) {
            Some((_, name)) => Err(CommandError::usage(format_args!("the name `{name}` is given twice"))),
            None => Ok(()),
        }
    }
}

/// The reservation that has the name in the project of the current directory, or among the user's own names.
///
/// # Errors
/// A usage error when there is none, with the name that was probably meant.
pub(crate) fn named_here(context: &Context, name: &str) -> Result<Reservation, CommandError> {
    let (snapshot, machine, directory) = (context.store()?.snapshot()?, Machine::here()?, context.current_directory()?);
    context.tell_notices(snapshot.notices());
    let reach = Reach::of(&directory);
    // How many steps upwards the name's project lies. The nearest counts, the user's own come last.
    let distance = |reservation: &Reservation| match &reservation.name()?.project {
        Some(project) => reach.distance(project),
        None => Some(usize::MAX),
    };
    let mine = || {
        let here = snapshot.reservations().iter().filter(|each| machine.place().shares_ports_with(&each.place));
        here.filter_map(|each| Some((each, each.name()?.name.as_str(), distance(each)?)))
    };
    let nearest = |(reservation, _, distance): &(&Reservation, _, _)| (*distance, reservation.protocol);
    let found = mine().filter(|(_, theirs, _)| *theirs == name).min_by_key(nearest);
    if let Some((reservation, ..)) = found {
        return Ok(reservation.clone());
    }
    let unknown =
        CommandError::usage(format_args!("`{name}` is no port, and no name of a port in {}", directory.display()));
    // Here the name could not be reserved either, for a reason that the user has to know.
    if let Err(refused) = config::find(&directory, &context.owners)
        && let Problem::ForeignOwner { directory, .. } = &refused.problem
    {
        return Err(unknown.and(&refused).hint(trust_the_project(directory, name)));
    }
    Err(match closest(name, mine().map(|(_, theirs, _)| theirs)) {
        Some(meant) => unknown.hint(format_args!("did you mean `{meant}`?")),
        None => unknown.hint("write a port as 8080, localhost:8080 or [::1]:8080; `portkeeper status` lists the names"),
    })
}

/// A port that a word stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortAsked {
    pub(crate) port: Port,
    /// The addresses of this machine that were named with it, if any were.
    pub(crate) addresses: Option<Vec<IpAddr>>,
}

/// The port that a word stands for: a number, a name of this project, or an address or URL of this machine.
///
/// # Errors
/// A usage error for what is none of these.
pub(crate) fn port_asked(context: &Context, word: &str) -> Result<PortAsked, CommandError> {
    let (host, port) = match word.parse()? {
        Asked::Name(name) => return Ok(PortAsked { port: named_here(context, &name)?.port, addresses: None }),
        Asked::Address(_, port) if word.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Ok(PortAsked { port, addresses: None });
        }
        Asked::Address(host, port) | Asked::Url(Url { host, port, .. }) => (host, port),
    };
    Ok(PortAsked { port, addresses: Some(local_addresses(&host)?) })
}
