//! The front door for programs that reserve ports for themselves.

use std::net::IpAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::{Host, HostError, Lease, Port, PortError, PortRange, Protocol, Reservation};
use crate::os;
use crate::probe::local_addresses;
use crate::registry::{FileStore, RegistryError, Store};
use crate::reserve::{Choice, GRACE, Machine, Request, ReserveError, Stale, World, collect, release, reserve};
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
        let outcome = reserve(&self.store, &Machine::here(), &vec![selection.request()?; count])?;
        let guard = |granted: crate::reserve::Granted| Reserved {
            registry: self,
            reservation: granted.reservation,
            kept: false,
        };
        Ok(outcome.granted.into_iter().map(guard).collect())
    }

    /// Ends the reservations of these ports, and returns those that there were.
    ///
    /// # Errors
    /// [`RegistryError`]; then nothing has changed.
    pub fn release(&self, ports: &[Port]) -> Result<Vec<Reservation>, RegistryError> {
        release(&self.store, &Machine::here(), |reservation| ports.contains(&reservation.port))
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
        let released = collect(&self.store, &Machine::here())?;
        Ok(released.into_iter().map(|released| (released.reservation, released.why)).collect())
    }
}

#[cfg(feature = "plugins")]
mod files {
    use std::path::Path;

    use serde_json::{Map, Value};

    use super::{PortRegistry, SetupError};
    use crate::fs::Patience;
    use crate::model::Host;
    use crate::plugins::{Engine, Limits};
    use crate::prepare::{Job, Mode, PrepareError, Surroundings, prepare};
    use crate::reserve::Machine;
    use crate::trust::Trust;

    impl PortRegistry {
        /// Writes values into a `.env` file. Comments, order, quoting and other names stay as they are. Whether the file changed.
        ///
        /// # Errors
        /// [`PrepareError`]; then the file is as it was.
        pub fn write_env<K: Into<String>, V: Into<String>>(
            &self,
            path: impl AsRef<Path>,
            values: impl IntoIterator<Item = (K, V)>,
        ) -> Result<bool, PrepareError> {
            let values = values.into_iter().map(|(name, value)| (name.into(), Value::String(value.into())));
            self.write(&Job::of_file(path.as_ref(), "env", &values.collect(), false))
        }

        /// Merges an object into a JSON file, deeply. Everything else in it stays as it is, comments included; the text from before
        /// the first change is kept as `NAME.bak`. Whether the file changed.
        ///
        /// # Errors
        /// [`PrepareError`]; then the file is as it was.
        pub fn update_config_json(
            &self,
            path: impl AsRef<Path>,
            values: &Map<String, Value>,
        ) -> Result<bool, PrepareError> {
            self.write(&Job::of_file(path.as_ref(), "json", values, true))
        }

        fn write(&self, job: &Job<'_>) -> Result<bool, PrepareError> {
            let settings = self.settings.as_ref().ok_or_else(|| PrepareError::Invalid(SetupError.to_string()))?;
            let trust = Trust::load(&settings.trust_file())?;
            let around = Surroundings {
                host: &Host::default(),
                environment: &|_| None,
                engine: &Engine::new(Some(settings.cache.clone()), Limits::default()),
                plugins: None,
                trust: &trust,
                patience: &Patience::default(),
            };
            let report = prepare(job, &around, &self.store, &Machine::here(), Mode::Write, false)?;
            Ok(report.outputs.iter().any(|output| output.changed))
        }
    }
}

#[cfg(feature = "scan")]
mod network {
    use super::{PortRegistry, Reserved, Selection};
    use crate::model::{Host, PortRange, PortSet};
    use crate::reserve::{Choice, reserve};
    use crate::reserve_network::{Candidate, Prefer, ReserveNetworkError, first_with_a_free_port, is_taken};
    use crate::scan::{Options, Report, ScanError, Wanted, collect_blocking};

    impl PortRegistry {
        /// Looks which hosts are in the networks of this machine, and what these ports of theirs do. It takes a second or two, and
        /// must not be called from asynchronous code: there is [`crate::scan`] for that.
        ///
        /// # Errors
        /// [`ScanError`]: there is no network, or it can't be looked at.
        pub fn scan_local_network(&self, ports: &PortSet) -> Result<Report, ScanError> {
            collect_blocking(Wanted::default().targets()?, &Options::new(ports.clone()))
        }

        /// Reserves a port on an address of this machine in the local network, or on another machine there that has one free: see
        /// [`crate::reserve_network`] for what that is worth. Without a network it is a port of 127.0.0.1; without a range one of
        /// 8000-9000. The selection's host is not asked. Not for asynchronous code.
        ///
        /// # Errors
        /// [`ReserveNetworkError`]; then nothing is reserved.
        pub fn reserve_network_port(
            &self,
            selection: &Selection,
            prefer: Prefer,
        ) -> Result<Reserved<'_>, ReserveNetworkError> {
            let targets = match Wanted::default().targets() {
                Err(ScanError::NoNetwork { .. }) => {
                    Wanted { hosts: vec![Host::default()], ..Wanted::default() }.targets()?
                }
                targets => targets?,
            };
            let choice = selection.choice_within(PortRange::usual());
            for which in prefer.order() {
                let candidates = match which {
                    Prefer::Own => Candidate::own(&targets),
                    Prefer::Remote if targets.is_own() => Vec::new(),
                    Prefer::Remote => {
                        let ports = choice.ports().unwrap_or_else(|| PortRange::usual().into());
                        Candidate::remote(&collect_blocking(targets.clone(), &Options::new(ports))?)
                    }
                };
                if let Some(reserved) = self.on_first(selection, choice, &candidates)? {
                    return Ok(reserved);
                }
            }
            Err(ReserveNetworkError::NoneFree { choice, addresses: targets.len() })
        }

        fn on_first(
            &self,
            selection: &Selection,
            choice: Choice,
            candidates: &[Candidate],
        ) -> Result<Option<Reserved<'_>>, ReserveNetworkError> {
            let attempt = |candidate: &Candidate| {
                let request = selection.request_on(candidate.host(), candidate.addresses(), choice);
                reserve(&self.store, &candidate.world(), &[request])
            };
            let first = first_with_a_free_port(candidates, attempt, is_taken)?;
            let reservation =
                first.and_then(|(mut outcome, _)| outcome.granted.pop()).map(|granted| granted.reservation);
            Ok(reservation.map(|reservation| Reserved { registry: self, reservation, kept: false }))
        }
    }

    impl Selection {
        fn choice_within(&self, default: PortRange) -> Choice {
            let range = self.range.unwrap_or(default);
            self.exactly.map_or_else(|| Choice::new(self.preferred, Some(range)), Choice::exactly)
        }
    }
}

/// Which port to reserve. Without anything said: one of the policy's good ports on the loopback addresses, for TCP.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    exactly: Option<Port>,
    preferred: Option<Port>,
    range: Option<PortRange>,
    host: Host,
    protocol: Protocol,
    owner: Option<String>,
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
        self.host = host.parse()?;
        Ok(self)
    }

    /// For this protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// For this owner: shown by `portkeeper status`.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    fn request(&self) -> Result<Request, ReserveError> {
        let choice = match self.exactly {
            Some(port) => Choice::exactly(port),
            None => Choice::new(self.preferred, self.range),
        };
        Ok(self.request_on(self.host.clone(), local_addresses(&self.host)?, choice))
    }

    fn request_on(&self, host: Host, addresses: Vec<IpAddr>, choice: Choice) -> Request {
        // Where the platform tells nothing of our own process, a grace has to do.
        let lease = os::process_id(std::process::id()).map_or(Lease::Grace { length: GRACE }, Lease::Process);
        Request { host, addresses, protocol: self.protocol, choice, owner: self.owner.clone(), lease }
    }
}

/// A reserved port, released when this is dropped.
#[derive(Debug)]
pub struct Reserved<'a> {
    registry: &'a PortRegistry,
    reservation: Reservation,
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

    /// Lets the reservation outlive this value and this process: while something listens on the port, and for a minute in any case.
    ///
    /// # Errors
    /// [`RegistryError`]; then it is released as if it had been dropped.
    pub fn keep(mut self) -> Result<(), RegistryError> {
        let machine = Machine::here();
        self.registry.store.transaction(|transaction| {
            if let Some(index) = transaction.reservations().iter().position(|other| self.is(other)) {
                let now = machine.now();
                let lease = Lease::Grace { length: GRACE };
                let (created, created_since_boot) = (now.wall, now.since_boot);
                transaction
                    .replace(index, Reservation { lease, created, created_since_boot, ..self.reservation.clone() });
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
        if !self.kept {
            // Nobody is there to hear of a failure; the lease ends with this process at the latest.
            let _ = release(&self.registry.store, &Machine::here(), |other| self.is(other));
        }
    }
}
