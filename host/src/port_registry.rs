//! The front door for programs that reserve ports for themselves.

#[cfg(feature = "plugins")]
mod files;
#[cfg(feature = "scan")]
mod network;

use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use thiserror::Error;

use crate::hold::{HeldPort, HoldFolder, InProcess};
use crate::model::{
    HoldKind, Host, HostError, Lease, LeaseName, Name, Port, PortError, PortRange, PortSpec, Project, Protocol,
    Reservation,
};
use crate::os;
use crate::probe::local_addresses;
use crate::registry::{FileStore, RegistryError, Store};
use crate::reserve::{
    Choice, GRACE, Granted, Machine, Naming, NamingRules, Outcome, Pick, PickError, Request, ReserveError, Stale,
    World, collect, names_of, pick, release, reserve, reserve_names,
};
use crate::settings::Settings;

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
#[error("there is no home folder: set HOME, or open a registry with PortRegistry::at")]
pub struct SetupError;

impl PortRegistry {
    /// The user's own registry; `PORTKEEPER_REGISTRY` chooses another file.
    ///
    /// # Errors
    /// [`SetupError`] when there is no home folder.
    pub fn open() -> Result<Self, SetupError> {
        match std::env::var_os("PORTKEEPER_REGISTRY") {
            Some(path) => Ok(Self::at(path)),
            None => {
                let settings = Settings::from_environment().ok_or(SetupError)?;
                Ok(Self::with(FileStore::in_private_folder(settings.state)))
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
    fn machine(&self) -> Machine {
        Machine::here().with_holds(HoldFolder::beside(self.store.path()))
    }

    /// Reserves a port for as long as the answer is kept, and this process runs.
    ///
    /// # Errors
    /// [`ReserveError`]: no port is free, the host is none of this machine, or the registry can't be used.
    pub fn reserve(&self, selection: &Selection) -> Result<Reserved<'_>, ReserveError> {
        let mut reserved = self.reserve_many(selection, 1)?;
        Ok(reserved.remove(0))
    }

    /// Reserves `count` ports, all or none.
    ///
    /// # Errors
    /// As [`PortRegistry::reserve`].
    pub fn reserve_many(&self, selection: &Selection, count: usize) -> Result<Vec<Reserved<'_>>, ReserveError> {
        let (keeper, machine) = self.keeping_machine();
        let outcome = reserve(&self.store, &machine, &vec![selection.request()?; count])?;
        Ok(self.guards(outcome, &keeper))
    }

    /// This machine, with something that holds ports for this process.
    fn keeping_machine(&self) -> (Rc<InProcess>, Machine) {
        let keeper = Rc::new(InProcess::new());
        let machine = self.machine().with_keeper(keeper.clone());
        (keeper, machine)
    }

    fn guards(&self, outcome: Outcome, keeper: &InProcess) -> Vec<Reserved<'_>> {
        let mut held = keeper.take().into_iter();
        let guard = |granted: Granted| Reserved {
            registry: self,
            held: if granted.newly_held { held.next() } else { None },
            reservation: granted.reservation,
            kept: false,
        };
        outcome.granted.into_iter().map(guard).collect()
    }

    /// Ends the reservations of these ports, with their holds, and returns those that have ended. What another program holds for
    /// itself stays, and so does what a holder does not let go of.
    ///
    /// # Errors
    /// [`RegistryError`]; then nothing has changed.
    pub fn release(&self, ports: &[Port]) -> Result<Vec<Reservation>, RegistryError> {
        Ok(release(&self.store, &self.machine(), |reservation| ports.contains(&reservation.port))?.released)
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
        let released = collect(&self.store, &self.machine())?;
        Ok(released.into_iter().map(|released| (released.reservation, released.why)).collect())
    }
}

/// Ports with names, as the command line has them.
impl PortRegistry {
    /// The port of the name: the one that it has, or a new one. It lasts until it is released, or the project's folder is gone; unlike
    /// with [`PortRegistry::reserve`], dropping the answer changes nothing.
    ///
    /// A name that has a port keeps it, whoever uses it, unless the selection asks for another one.
    ///
    /// # Errors
    /// As [`PortRegistry::reserve`].
    pub fn reserve_name(&self, name: &Name, of: &NameOf, selection: &Selection) -> Result<Reservation, ReserveError> {
        let host = Host::default();
        let addresses = local_addresses(&host)?;
        let rules = NamingRules { host: (host, addresses), moves: false, require_free: false };
        let namings = [selection.naming(name, of)?];
        let mut outcome = reserve_names(&self.store, &self.machine(), &namings, &rules)?;
        Ok(outcome.granted.remove(0).reservation)
    }

    /// Ends a name, and returns what it had; none when there was no such name.
    ///
    /// # Errors
    /// [`RegistryError`]; then nothing has changed.
    pub fn release_name(&self, name: &Name, of: &NameOf) -> Result<Option<Reservation>, RegistryError> {
        let is_it = |other: &LeaseName| other.name == name.as_str() && other.belongs_to(of.0.as_deref());
        let mut outcome = release(&self.store, &self.machine(), |one| one.name().is_some_and(is_it))?;
        Ok(outcome.released.pop())
    }

    /// The names and their ports, by name.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn names(&self, of: &NameOf) -> Result<Vec<(String, Port)>, RegistryError> {
        let snapshot = self.store.snapshot()?;
        let names = names_of(&snapshot, &Machine::here(), of.0.as_deref());
        Ok(names.iter().filter_map(|one| Some((one.name()?.name.clone(), one.port))).collect())
    }
}

/// Ports that are only picked: nothing is reserved, so somebody else may take them at any time.
impl PortRegistry {
    /// A TCP port for the loopback addresses that nobody has reserved and nobody uses: any of those that are meant.
    ///
    /// # Errors
    /// [`GetPortError`]: none of them is free, or the registry or the kernel can't be asked.
    pub fn get_port(&self, among: &PortSpec) -> Result<Port, GetPortError> {
        self.select_random(among, &PortSpec::none())
    }

    /// The same, but none of `except`.
    ///
    /// # Errors
    /// As [`PortRegistry::get_port`].
    pub fn select_random(&self, among: &PortSpec, except: &PortSpec) -> Result<Port, GetPortError> {
        let addresses = local_addresses(&Host::default()).map_err(PickError::from)?;
        let wish = Pick { count: 1, among, except, random: true, protocol: Protocol::Tcp, addresses: &addresses };
        let picked = pick(&self.store.snapshot()?, &self.machine(), &wish)?;
        Ok(picked[0])
    }
}

/// Whose names are meant.
#[derive(Debug, Clone)]
pub struct NameOf(Option<Arc<Project>>);

impl NameOf {
    /// The user's own, the same in every folder.
    #[must_use]
    pub fn user() -> Self {
        Self(None)
    }

    /// Those of the project in this very folder. (The command line looks for the folder with the config, or the worktree's root.)
    ///
    /// # Errors
    /// What the system reports about the folder; a path that is not Unicode.
    pub fn project(folder: impl AsRef<Path>) -> std::io::Result<Self> {
        Ok(Self(Some(Arc::new(Project::at(folder.as_ref())?))))
    }
}

/// Why there is no port.
#[derive(Debug, Error)]
pub enum GetPortError {
    /// None is free.
    #[error(transparent)]
    Pick(#[from] PickError),
    /// The registry can't be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Why there is no listener on a reserved port.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The system refuses.
    #[error("can't listen on the reserved port: {0}")]
    Listen(std::io::Error),
    /// The registry can't be told that the port is in use.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Which port to reserve. Without anything said: one of the policy's good ports on the loopback addresses, for TCP.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    exactly: Option<Port>,
    preferred: Option<Port>,
    range: Option<PortRange>,
    host: Option<Host>,
    protocol: Option<Protocol>,
    owner: Option<String>,
    hold: Option<HoldKind>,
}

impl Selection {
    /// Any good port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This port or none.
    ///
    /// # Errors
    /// [`PortError`] for 0.
    pub fn port(mut self, port: u16) -> Result<Self, PortError> {
        self.exactly = Some(port.try_into()?);
        Ok(self)
    }

    /// This port if it is free.
    ///
    /// # Errors
    /// [`PortError`] for 0.
    pub fn preferred(mut self, port: u16) -> Result<Self, PortError> {
        self.preferred = Some(port.try_into()?);
        Ok(self)
    }

    /// One of the ports from `first` to `last`, ascending.
    ///
    /// # Errors
    /// [`PortError`] for 0, and for a range that runs backwards.
    pub fn range(mut self, first: u16, last: u16) -> Result<Self, PortError> {
        self.range = Some(PortRange::new(first.try_into()?, last.try_into()?)?);
        Ok(self)
    }

    /// On this address, or on those of this name.
    ///
    /// # Errors
    /// [`HostError`] for text that can be neither.
    pub fn host(mut self, host: &str) -> Result<Self, HostError> {
        self.host = Some(host.parse()?);
        Ok(self)
    }

    /// For this protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// For this owner: shown by `portkeeper status`.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    fn naming(&self, name: &Name, of: &NameOf) -> Result<Naming, ReserveError> {
        let host = self.host.clone().map(|host| local_addresses(&host).map(|addresses| (host, addresses)));
        let says_which = self.preferred.is_some() || self.range.is_some();
        let choice = match self.exactly {
            Some(port) => Some(Choice::whoever_uses_it(port)),
            None => says_which.then(|| Choice::new(self.preferred, self.range)),
        };
        Ok(Naming {
            name: name.clone(),
            project: of.0.clone(),
            choice,
            host: host.transpose()?,
            protocol: self.protocol,
            owner: self.owner.clone(),
            hold: None,
        })
    }

    /// Held by sockets of this process from the moment it is chosen, so that no other program can bind it. See
    /// [`Reserved::into_listener`].
    #[must_use]
    pub fn hold(mut self, kind: HoldKind) -> Self {
        self.hold = Some(kind);
        self
    }

    fn request(&self) -> Result<Request, ReserveError> {
        let choice = match self.exactly {
            Some(port) => Choice::exactly(port),
            None => Choice::new(self.preferred, self.range),
        };
        let host = self.host.clone().unwrap_or_default();
        let addresses = local_addresses(&host)?;
        Ok(self.request_on(host, addresses, choice))
    }

    fn request_on(&self, host: Host, addresses: Vec<IpAddr>, choice: Choice) -> Request {
        // Where the platform tells nothing of our own process, a grace has to do.
        let lease = os::process_id(std::process::id()).map_or(Lease::Grace { length: GRACE }, Lease::Process);
        let (protocol, owner) = (self.protocol.unwrap_or_default(), self.owner.clone());
        Request { host, addresses, protocol, choice, owner, lease, hold: self.hold }
    }
}

/// A reserved port, released when this is dropped.
///
/// With [`Selection::hold`] it has the sockets that keep the port.
#[derive(Debug)]
pub struct Reserved<'a> {
    registry: &'a PortRegistry,
    reservation: Reservation,
    held: Option<HeldPort>,
    kept: bool,
}

impl Reserved<'_> {
    /// The port.
    #[must_use]
    pub fn port(&self) -> Port {
        self.reservation.port
    }

    /// The host, as it was asked for.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.reservation.host
    }

    /// The reservation.
    #[must_use]
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// The sockets that keep the port; none when it is not held.
    #[must_use]
    pub fn held(&self) -> Option<&HeldPort> {
        self.held.as_ref()
    }

    /// The listener of the first of the port's addresses, for the default host 127.0.0.1. The others are let go.
    ///
    /// A port that is held has never been free between its choice and this listener. One that is not is bound now, and
    /// somebody else may have been faster. The reservation lasts for as long as the listener does, as after [`Reserved::keep`].
    ///
    /// # Errors
    /// [`ListenError`]; then the port is released.
    pub fn into_listener(mut self) -> Result<TcpListener, ListenError> {
        if let Some(held) = &mut self.held {
            held.sockets.truncate(1);
        }
        let first = self.reservation.addresses.first().copied();
        let listener = self.listen(first)?.pop();
        listener.ok_or_else(|| ListenError::Listen(std::io::ErrorKind::AddrNotAvailable.into()))
    }

    /// A listener for each of the port's addresses: for the default host both loopback addresses, for a wildcard both families.
    /// Otherwise as [`Reserved::into_listener`].
    ///
    /// # Errors
    /// [`ListenError`]; then the port is released.
    pub fn into_listeners(self) -> Result<Vec<TcpListener>, ListenError> {
        let all = self.reservation.addresses.clone();
        self.listen(all)
    }

    fn listen(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Result<Vec<TcpListener>, ListenError> {
        let port = self.port().get();
        let listeners = match self.held.take() {
            Some(held) => held.into_listeners(),
            None => addresses.into_iter().map(|address| TcpListener::bind((address, port))).collect(),
        };
        let listeners = listeners.map_err(ListenError::Listen)?;
        self.keep()?;
        Ok(listeners)
    }

    /// Lets the reservation outlive this value and this process: while something listens on the port, and for a minute in any case.
    /// What this process holds is let go.
    ///
    /// # Errors
    /// [`RegistryError`]; then it is released as if it had been dropped.
    pub fn keep(mut self) -> Result<(), RegistryError> {
        let machine = self.registry.machine();
        self.registry.store.transaction(|transaction| {
            if let Some(index) = transaction.reservations().iter().position(|other| self.is(other)) {
                let now = machine.now();
                let lease = Lease::Grace { length: GRACE };
                let (created, created_since_boot) = (now.wall, now.since_boot);
                transaction.replace(
                    index,
                    Reservation { lease, hold: None, created, created_since_boot, ..self.reservation.clone() },
                );
            }
            Ok::<_, RegistryError>(())
        })?;
        self.kept = true;
        Ok(())
    }

    fn is(&self, other: &Reservation) -> bool {
        (other.port, other.created, &other.lease)
            == (self.reservation.port, self.reservation.created, &self.reservation.lease)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        // The sockets first: what is released can be bound.
        self.held = None;
        if !self.kept {
            // Nobody is there to hear of a failure; the lease ends with this process at the latest.
            let removed = self.registry.store.transaction(|transaction| Ok(transaction.remove(|other| self.is(other))));
            drop::<Result<_, RegistryError>>(removed);
        }
    }
}
