//! The real world: this machine, through the kernel.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use super::world::{Occupied, Presence, World, presence};
use crate::fs::PathError;
use crate::hold::{HeldByFiles, HoldBackend, HoldDirectory, HoldError};
use crate::model::{Caller, Hold, HoldId, Moment, Place, Port, ProcessId, Project, Protocol};
use crate::os::{self, Liveness};
use crate::policy::{KernelPorts, good_ports};
use crate::probe::{self, Occupant, PortState, ProbeError, Processes, SocketState, Sockets};

/// This machine, as seen from this process.
///
/// The kernel's socket tables are read at most once per protocol, and the processes behind all sockets in one walk, when
/// something first asks: make a new `Machine` for a new look.
#[derive(Debug)]
pub struct Machine {
    place: Arc<Place>,
    tables: Tables,
    /// What shows listeners only.
    listeners: Tables,
    processes: OnceCell<Processes>,
    /// All network namespaces; none where not all can be seen.
    networks: OnceCell<Option<HashSet<u64>>>,
    holds: Option<HoldDirectory>,
    /// One holder may have many ports, and is looked at only once.
    holders: RefCell<HashMap<HoldId, Liveness>>,
    keeper: Option<Rc<dyn HoldBackend>>,
}

/// The kernel's socket tables, as they were when something first asked.
#[derive(Debug, Default)]
struct Tables {
    tcp: OnceCell<Option<Sockets>>,
    udp: OnceCell<Option<Sockets>>,
}

impl Tables {
    fn of(&self, protocol: Protocol) -> &OnceCell<Option<Sockets>> {
        match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        }
    }
}

impl Machine {
    /// Looks where we are. Holders cannot be seen: see [`Machine::with_holds`].
    ///
    /// # Errors
    /// Where we are could not be read.
    pub fn here() -> Result<Self, PathError> {
        Ok(Self {
            place: Arc::new(os::place()?),
            tables: Tables::default(),
            listeners: Tables::default(),
            processes: OnceCell::new(),
            networks: OnceCell::new(),
            holds: None,
            holders: RefCell::default(),
            keeper: None,
        })
    }

    /// The same, with the holders of a registry.
    #[must_use]
    pub fn with_holds(mut self, directory: HoldDirectory) -> Self {
        self.holds = Some(directory);
        self
    }

    /// The same, able to hold.
    #[must_use]
    pub fn with_keeper(mut self, keeper: Rc<dyn HoldBackend>) -> Self {
        self.keeper = Some(keeper);
        self
    }

    /// The kernel's socket tables; none where they cannot be read.
    pub fn sockets(&self, protocol: Protocol) -> Option<&Sockets> {
        self.tables.of(protocol).get_or_init(|| Sockets::read(protocol).ok()).as_ref()
    }

    /// What is known of listeners, with as little reading as possible.
    fn listening_sockets(&self, protocol: Protocol) -> Option<&Sockets> {
        let read = || self.listeners.of(protocol).get_or_init(|| Sockets::read_listeners(protocol).ok()).as_ref();
        self.tables.of(protocol).get().map_or_else(read, Option::as_ref)
    }

    /// Who listens at the port now.
    pub fn listeners(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Vec<Occupied> {
        let sockets = self.listening_sockets(protocol);
        let mut occupants = sockets.map(|sockets| sockets.occupants(port, &ours(addresses))).unwrap_or_default();
        occupants.retain(|occupant| occupant.state == SocketState::Listening);
        occupants.into_iter().map(|occupant| self.occupied(port, &occupant)).collect()
    }

    fn occupied(&self, port: Port, occupant: &Occupant) -> Occupied {
        let process = occupant.inode.and_then(|inode| self.processes().of(inode, occupant.uid));
        Occupied {
            address: SocketAddr::new(occupant.address, port.get()),
            state: occupant.state,
            uid: occupant.uid,
            pid: process.as_ref().map(|process| process.pid),
            command: process.map(|process| process.command),
        }
    }

    /// The processes behind all sockets.
    pub fn processes(&self) -> &Processes {
        self.processes.get_or_init(Processes::read)
    }
}

fn ours(addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().copied().filter(|&address| probe::is_local(address)).collect()
}

impl World for Machine {
    fn place(&self) -> &Arc<Place> {
        &self.place
    }

    fn now(&self) -> Moment {
        os::now()
    }

    fn probe(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
        probe::probe(protocol, port, addresses)
    }

    fn probe_from_tables(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
        let Some(sockets) = self.sockets(protocol) else { return self.probe(protocol, port, addresses) };
        let occupants = sockets.occupants(port, addresses);
        if occupants.is_empty() {
            // The tables of older kernels lack sockets that are bound and nothing else, and do not show permissions.
            let free = probe::can_bind(protocol, port, addresses)?;
            return Ok(if free { PortState::Free } else { PortState::Taken });
        }
        let lingering = occupants.iter().all(|occupant| occupant.state == SocketState::Remnant);
        Ok(if lingering { PortState::Lingering } else { PortState::Taken })
    }

    fn is_listening(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> bool {
        // Nothing here can listen on another machine's address, whatever the wildcards say.
        let ours = ours(addresses);
        !ours.is_empty() && self.listening_sockets(protocol).is_none_or(|sockets| sockets.listening(port, &ours))
    }

    fn occupied_by(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Vec<Occupied> {
        let addresses = ours(addresses);
        let mut occupants =
            self.sockets(protocol).map(|sockets| sockets.occupants(port, &addresses)).unwrap_or_default();
        // Remnants belong to no process. A listener, which people look for, comes first.
        occupants.retain(|occupant| occupant.state != SocketState::Remnant);
        occupants.sort();
        occupants.into_iter().map(|occupant| self.occupied(port, &occupant)).collect()
    }

    fn liveness(&self, process: &ProcessId) -> Liveness {
        os::liveness(process)
    }

    fn is_network_gone(&self, inode: u64) -> bool {
        let all = self.networks.get_or_init(os::network_namespaces);
        all.as_ref().is_some_and(|all| !all.contains(&inode))
    }

    fn presence(&self, project: &Project) -> Presence {
        presence(project)
    }

    fn good_ports(&self, protocol: Protocol) -> Box<dyn Iterator<Item = Port> + '_> {
        Box::new(good_ports(protocol, &KernelPorts::here(), fastrand::u64(..)))
    }

    fn caller(&self) -> Option<Caller> {
        os::parent()
    }

    fn hold_file(&self, id: HoldId) -> Liveness {
        let Some(directory) = &self.holds else { return Liveness::Unknown };
        *self.holders.borrow_mut().entry(id).or_insert_with(|| directory.liveness(id))
    }

    fn held(&self, except: &HashSet<HoldId>) -> Result<HeldByFiles, PathError> {
        self.holds.as_ref().map_or_else(|| Ok(HeldByFiles::default()), |directory| directory.held(except))
    }

    #[cfg(target_os = "linux")]
    fn release_hold(&self, hold: &Hold, ports: &[(Protocol, Port)]) -> Result<(), HoldError> {
        match &self.holds {
            Some(directory) => crate::hold::forget(directory, hold, ports),
            None => Err(in_process(hold, ports)),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn release_hold(&self, hold: &Hold, ports: &[(Protocol, Port)]) -> Result<(), HoldError> {
        Err(in_process(hold, ports))
    }

    fn sweep(&self) -> Result<(), PathError> {
        self.holds.iter().try_for_each(HoldDirectory::sweep)
    }

    fn keeper(&self) -> Option<&dyn HoldBackend> {
        self.keeper.as_deref()
    }
}

/// Without hold files every hold is that of a program that holds for itself.
fn in_process(hold: &Hold, ports: &[(Protocol, Port)]) -> HoldError {
    match ports.first() {
        Some(&(_, port)) => HoldError::InProcess { port, pid: hold.holder.pid },
        None => HoldError::GaveUp("no port was named".to_owned()),
    }
}
