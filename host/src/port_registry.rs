//! The front door for programs that reserve ports for themselves.

#[cfg(feature = "plugins")]
mod files;
#[cfg(feature = "scan")]
mod network;
mod reserved;
mod selection;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use thiserror::Error;

use crate::hold::{HoldDirectory, InProcess};
use crate::model::{Host, LeaseName, Name, Port, PortSpec, Project, Protocols, Reservation};
use crate::probe::local_addresses;
use crate::registry::{FileStore, RegistryError, Store};
use crate::reserve::{
    Granted, Machine, NameOptions, Outcome, Pick, PickError, ReserveError, Stale, collect, let_go, names_of, pick,
    release, reserve, reserve_names,
};
use crate::settings::Settings;

pub use reserved::{ListenError, Reserved};
pub use selection::Selection;

/// The registry of this user's ports, the same one that the command line uses.
///
/// ```no_run
/// use portkeeper::{PortRegistry, Selection};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = PortRegistry::open()?;
/// let reserved = registry.reserve(&Selection::new().preferred(8888)?.range(8888, 8988)?)?;
/// let listener = std::net::TcpListener::bind((reserved.host().as_str(), reserved.port().get()))?;
/// # drop(listener);
/// # Ok(())
/// # } // here the port is released
/// ```
#[derive(Debug)]
pub struct PortRegistry {
    store: FileStore<'static>,
    /// Where plugins and what the user trusts are.
    #[cfg(feature = "plugins")]
    settings: Option<Settings>,
}

/// Why there is no registry to open, or nowhere to keep plugins.
#[derive(Debug, Error)]
#[error("there is no home directory: set HOME, or open a registry with PortRegistry::at")]
pub struct SetupError;

impl PortRegistry {
    /// The user's own registry; `PORTKEEPER_REGISTRY` chooses another file.
    ///
    /// # Errors
    /// [`SetupError`] when there is no home directory.
    pub fn open() -> Result<Self, SetupError> {
        match std::env::var_os("PORTKEEPER_REGISTRY") {
            Some(path) => Ok(Self::at(path)),
            None => {
                let settings = Settings::from_environment().ok_or(SetupError)?;
                Ok(Self::with(FileStore::in_private_directory(settings.state)))
            }
        }
    }

    /// The registry in this file. Nothing is opened yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self::with(FileStore::new(path))
    }

    fn with(store: FileStore<'static>) -> Self {
        Self {
            store,
            #[cfg(feature = "plugins")]
            settings: Settings::from_environment(),
        }
    }

    /// This machine, with the holders of this registry.
    fn machine(&self) -> Result<Machine, RegistryError> {
        Ok(Machine::here()?.with_holds(HoldDirectory::beside(self.store.path())))
    }

    /// Reserves a port for as long as the answer is kept, and this process runs.
    ///
    /// # Errors
    /// [`ReserveError`]: no port is free, the host is none of this machine, or the registry cannot be used.
    pub fn reserve(&self, selection: &Selection) -> Result<Reserved<'_>, ReserveError> {
        let mut reserved = self.reserve_many(selection, 1)?;
        Ok(reserved.remove(0))
    }

    /// Reserves `count` ports, all or none.
    ///
    /// # Errors
    /// As [`PortRegistry::reserve`].
    pub fn reserve_many(&self, selection: &Selection, count: usize) -> Result<Vec<Reserved<'_>>, ReserveError> {
        let (keeper, machine) = self.keeping_machine()?;
        let outcome = reserve(&self.store, &machine, &vec![selection.request()?; count])?;
        Ok(self.guards(outcome, &keeper))
    }

    /// This machine, with something that holds ports for this process.
    fn keeping_machine(&self) -> Result<(Rc<InProcess>, Machine), RegistryError> {
        let keeper = Rc::new(InProcess::new());
        let machine = self.machine()?.with_keeper(keeper.clone());
        Ok((keeper, machine))
    }

    fn guards(&self, outcome: Outcome, keeper: &InProcess) -> Vec<Reserved<'_>> {
        let mut held = keeper.take().into_iter();
        let mut guards: Vec<Reserved<'_>> = Vec::with_capacity(outcome.granted.len());
        for Granted { reservation, twin_of, newly_held, .. } in outcome.granted {
            let held = if newly_held { held.next() } else { None };
            let guard = Reserved { registry: self, held, reservation, udp: None, kept: false };
            match guards.iter_mut().find(|first| Some(first.reservation.id) == twin_of) {
                Some(first) => first.udp = Some(Box::new(guard)),
                None => guards.push(guard),
            }
        }
        guards
    }

    /// Ends the reservations of these ports, with their holds, and returns those that have ended. What another program holds for
    /// itself stays, and so does what a holder does not let go of.
    ///
    /// # Errors
    /// [`RegistryError`]; then nothing has changed.
    pub fn release(&self, ports: &[Port]) -> Result<Vec<Reservation>, RegistryError> {
        Ok(release(&self.store, &self.machine()?, |reservation| ports.contains(&reservation.port))?.released)
    }

    /// All reservations, those of other machines and namespaces that share the registry included.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn reservations(&self) -> Result<Vec<Reservation>, RegistryError> {
        Ok(self.store.snapshot()?.reservations().to_vec())
    }

    /// Ends what is stale, and says why.
    ///
    /// # Errors
    /// [`RegistryError`]; then nothing has changed.
    pub fn collect(&self) -> Result<Vec<(Reservation, Stale)>, RegistryError> {
        let released = collect(&self.store, &self.machine()?)?.released;
        Ok(released.into_iter().map(|released| (released.reservation, released.why)).collect())
    }
}

/// Ports with names, as the command line has them.
impl PortRegistry {
    /// The port of the name: the one that it has, or a new one. It lasts until it is released, or the project's directory is gone; unlike
    /// with [`PortRegistry::reserve`], dropping the answer changes nothing.
    ///
    /// A name that has a port keeps it, whatever uses it, unless the selection asks for another one.
    ///
    /// # Errors
    /// As [`PortRegistry::reserve`].
    pub fn reserve_name(&self, name: &Name, of: &NameOf, selection: &Selection) -> Result<Reservation, ReserveError> {
        let host = Host::default();
        let addresses = local_addresses(&host)?;
        let rules = NameOptions { host: (host, addresses), moves: false, require_free: false };
        let namings = [selection.naming(name, of)?];
        let machine = self.machine()?;
        let mut outcome = reserve_names(&self.store, &machine, &namings, &rules)?;
        // What does not let go now is found again by its hold file.
        let _ = let_go(&mut outcome.granted, &machine);
        Ok(outcome.granted.remove(0).reservation)
    }

    /// Ends a name, and returns what it had; none when there was no such name.
    ///
    /// # Errors
    /// [`RegistryError`]; then nothing has changed.
    pub fn release_name(&self, name: &Name, of: &NameOf) -> Result<Option<Reservation>, RegistryError> {
        let is_it = |other: &LeaseName| other.name == name.as_str() && other.belongs_to(of.0.as_deref());
        let mut outcome = release(&self.store, &self.machine()?, |one| one.name().is_some_and(is_it))?;
        Ok(outcome.released.pop())
    }

    /// The names and their ports, by name.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn names(&self, of: &NameOf) -> Result<Vec<(String, Port)>, RegistryError> {
        let snapshot = self.store.snapshot()?;
        let names = names_of(&snapshot, &Machine::here().map_err(RegistryError::from)?, of.0.as_deref());
        let mut names: Vec<_> = names.iter().filter_map(|one| Some((one.name()?.name.clone(), one.port))).collect();
        // A name with both protocols is there for each of them.
        names.dedup();
        Ok(names)
    }
}

/// Ports that are only picked: nothing is reserved, so another program may take them at any time.
impl PortRegistry {
    /// A TCP port for the loopback addresses that is neither reserved nor in use: any of those that are meant.
    ///
    /// # Errors
    /// [`GetPortError`]: none of them is free, or the registry or the kernel cannot be asked.
    pub fn get_port(&self, among: &PortSpec) -> Result<Port, GetPortError> {
        self.select_random(among, &PortSpec::none())
    }

    /// The same, but none of `except`.
    ///
    /// # Errors
    /// As [`PortRegistry::get_port`].
    pub fn select_random(&self, among: &PortSpec, except: &PortSpec) -> Result<Port, GetPortError> {
        let addresses = local_addresses(&Host::default()).map_err(PickError::from)?;
        let (protocols, everywhere) = (Protocols::Tcp, true);
        let wish = Pick { count: 1, among, except, random: true, protocols, addresses: &addresses, everywhere };
        let picked = pick(&self.store.snapshot()?, &self.machine()?, &wish)?;
        Ok(picked[0])
    }
}

/// Whose names are meant.
#[derive(Debug, Clone)]
pub struct NameOf(Option<Arc<Project>>);

impl NameOf {
    /// The user's own, the same in every directory.
    #[must_use]
    pub fn user() -> Self {
        Self(None)
    }

    /// Those of the project in this very directory. (The command line looks for the directory with the config, or the worktree's root.)
    ///
    /// # Errors
    /// What the system reports about the directory; a path that is not Unicode.
    pub fn project(directory: impl AsRef<Path>) -> std::io::Result<Self> {
        Ok(Self(Some(Arc::new(Project::at(directory.as_ref())?))))
    }
}

/// Why there is no port.
#[derive(Debug, Error)]
pub enum GetPortError {
    /// None is free.
    #[error(transparent)]
    Pick(#[from] PickError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
