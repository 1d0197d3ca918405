//! A world without clocks, sockets or files, for the tests of this room.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::world::{Occupied, Presence, World};
use super::{PortSelector, Request};
use crate::fs::PathError;
use crate::hold::{Claims, HeldByFiles, HoldBackend, HoldError};
use crate::model::{
    Caller, Hold, HoldId, HoldKind, Host, Lease, LeaseName, Moment, NetworkNamespace, Place, Port, PortRange,
    ProcessId, Project, Protocol, Protocols, Reservation,
};
use crate::os::Liveness;
use crate::probe::{PortState, ProbeError};
use crate::registry::{RegistryError, Snapshot, Store, Transaction};

/// A world in which everything is set by hand.
pub(super) struct Simulation {
    pub(super) place: Arc<Place>,
    pub(super) now: Cell<Moment>,
    pub(super) ports: Rc<RefCell<HashMap<u16, PortState>>>,
    /// Those that are taken for UDP alone.
    pub(super) taken_for_udp: RefCell<HashSet<u16>>,
    pub(super) keeper: Holders,
    pub(super) ended: RefCell<HashSet<u32>>,
    pub(super) gone: RefCell<HashSet<String>>,
    pub(super) gone_networks: RefCell<HashSet<u64>>,
    /// How often the kernel was asked about a port.
    pub(super) probes: Cell<usize>,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let now =
            Moment { wall: Timestamp::from_second(1_800_000_000).unwrap(), since_boot: Duration::from_secs(5_000) };
        let ports: Rc<RefCell<_>> = Rc::default();
        Self {
            place: place("b", NetworkNamespace::Initial, 1),
            now: Cell::new(now),
            keeper: Holders { ports: Rc::clone(&ports), ..Holders::default() },
            ports,
            taken_for_udp: RefCell::default(),
            ended: RefCell::default(),
            gone: RefCell::default(),
            gone_networks: RefCell::default(),
            probes: Cell::default(),
        }
    }

    /// Lets time go by on both clocks.
    pub(super) fn pass(&self, seconds: u64) {
        let Moment { wall, since_boot } = self.now.get();
        let wall = wall + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
        self.now.set(Moment { wall, since_boot: since_boot + Duration::from_secs(seconds) });
    }

    /// Moves the wall clock alone.
    pub(super) fn set_clock(&self, shift: i64) {
        let now = self.now.get();
        self.now.set(Moment { wall: now.wall + SignedDuration::from_secs(shift), ..now });
    }

    /// Starts the machine anew: processes are gone, the boot clock starts at zero.
    pub(super) fn reboot(&mut self) {
        self.place = place("b2", self.place.network, 1);
        self.now.set(Moment { since_boot: Duration::from_secs(10), ..self.now.get() });
        self.ports.borrow_mut().clear();
    }

    pub(super) fn set(&self, port: u16, state: PortState) {
        self.ports.borrow_mut().insert(port, state);
    }

    fn state(&self, port: Port) -> PortState {
        self.ports.borrow().get(&port.get()).copied().unwrap_or(PortState::Free)
    }
}

impl World for Simulation {
    fn place(&self) -> &Arc<Place> {
        &self.place
    }

    fn now(&self) -> Moment {
        self.now.get()
    }

    fn probe(&self, protocol: Protocol, port: Port, _: &[IpAddr]) -> Result<PortState, ProbeError> {
        self.probes.set(self.probes.get() + 1);
        if protocol == Protocol::Udp && self.taken_for_udp.borrow().contains(&port.get()) {
            return Ok(PortState::Taken);
        }
        Ok(self.state(port))
    }

    fn is_listening(&self, _: Protocol, port: Port, _: &[IpAddr]) -> bool {
        self.state(port) == PortState::Taken
    }

    fn occupied_by(&self, _: Protocol, _: Port, _: &[IpAddr]) -> Vec<Occupied> {
        Vec::new()
    }

    fn liveness(&self, process: &ProcessId) -> Liveness {
        if self.ended.borrow().contains(&process.pid) { Liveness::Ended } else { Liveness::Alive }
    }

    fn is_network_gone(&self, inode: u64) -> bool {
        self.gone_networks.borrow().contains(&inode)
    }

    fn presence(&self, project: &Project) -> Presence {
        let gone = self.gone.borrow().contains(project.path.to_str().unwrap());
        if gone { Presence::Gone } else { Presence::There }
    }

    fn good_ports(&self, _: Protocol) -> Box<dyn Iterator<Item = Port> + '_> {
        Box::new(range(20_000, 20_099).ports())
    }

    fn caller(&self) -> Option<Caller> {
        None
    }

    fn hold_file(&self, id: HoldId) -> Liveness {
        if self.keeper.files.borrow().contains_key(&id) { Liveness::Alive } else { Liveness::Ended }
    }

    fn held(&self, except: &HashSet<HoldId>) -> Result<HeldByFiles, PathError> {
        let files = self.keeper.files.borrow();
        let reservations = files.iter().filter(|(id, _)| !except.contains(id)).flat_map(|(_, held)| held.clone());
        Ok(HeldByFiles { reservations: reservations.collect(), unclear: Vec::new() })
    }

    fn release_hold(&self, hold: &Hold, ports: &[(Protocol, Port)]) -> Result<(), HoldError> {
        let Some(id) = hold.file else {
            return Err(HoldError::InProcess { port: ports[0].1, pid: hold.holder.pid });
        };
        if let Some(held) = self.keeper.files.borrow_mut().get_mut(&id) {
            held.retain(|held| !ports.contains(&(held.protocol, held.port)));
        }
        self.keeper.files.borrow_mut().retain(|_, held| !held.is_empty());
        Ok(())
    }

    fn sweep(&self) -> Result<(), PathError> {
        Ok(())
    }

    fn keeper(&self) -> Option<&dyn HoldBackend> {
        Some(&self.keeper)
    }
}

/// Holders that are nothing but their files.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// What is on the ports, other than holds. Shared with the world.
    ports: Rc<RefCell<HashMap<u16, PortState>>>,
    pub(super) files: RefCell<HashMap<HoldId, Vec<Reservation>>>,
    claimed: RefCell<Vec<(u16, HoldKind)>>,
    /// How many holders there were.
    pub(super) begun: Cell<u64>,
    /// Whether the next holder gives up at its commit.
    pub(super) broken: Cell<bool>,
}

impl HoldBackend for Holders {
    fn claims(&self) -> &Claims {
        unreachable!("it claims without sockets")
    }

    fn claim(
        &self,
        kind: HoldKind,
        _: Protocol,
        port: Port,
        _: &[IpAddr],
        lingering: bool,
    ) -> Result<PortState, ProbeError> {
        let state = match self.ports.borrow().get(&port.get()).copied().unwrap_or(PortState::Free) {
            PortState::Lingering if lingering => PortState::Free,
            state => state,
        };
        if state == PortState::Free {
            self.claimed.borrow_mut().push((port.get(), kind));
        }
        Ok(state)
    }

    fn copy(&self, reservation: &Reservation, kind: HoldKind) -> Result<(), HoldError> {
        self.claimed.borrow_mut().push((reservation.port.get(), kind));
        Ok(())
    }

    fn begin(&self, reservations: &mut [Reservation]) -> Result<(), HoldError> {
        let claimed = self.claimed.take();
        self.begun.set(self.begun.get() + 1);
        let id = HoldId::new(self.begun.get());
        for reservation in reservations.iter_mut() {
            let &(_, kind) = claimed.iter().find(|(port, _)| *port == reservation.port.get()).expect("a claim");
            let holder = ProcessId { pid: 1000, started: self.begun.get() };
            reservation.hold = Some(Hold { kind, holder, file: Some(id) });
        }
        self.files.borrow_mut().insert(id, reservations.to_vec());
        Ok(())
    }

    fn commit(&self) -> Result<(), HoldError> {
        if self.broken.get() { Err(HoldError::GaveUp("it is broken".to_owned())) } else { Ok(()) }
    }

    fn cancel(&self) {
        self.claimed.take();
        self.files.borrow_mut().remove(&HoldId::new(self.begun.get()));
    }
}

/// A store in memory.
#[derive(Default)]
pub(super) struct Memory(RefCell<Snapshot>);

impl Memory {
    pub(super) fn ports(&self) -> Vec<u16> {
        self.0.borrow().reservations().iter().map(|reservation| reservation.port.get()).collect()
    }
}

impl Store for Memory {
    fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        Ok(self.0.borrow().clone())
    }

    fn transaction<T, E: From<RegistryError>>(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut transaction = Transaction::dry_run(self.0.borrow().clone());
        let answer = change(&mut transaction)?;
        self.0.replace((*transaction).clone());
        Ok(answer)
    }
}

pub(super) fn place(boot: &str, network: NetworkNamespace, processes: u64) -> Arc<Place> {
    Arc::new(Place { machine: "m".into(), boot: boot.into(), network, processes, time: None })
}

pub(super) fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

pub(super) fn range(first: u16, last: u16) -> PortRange {
    PortRange::new(port(first), port(last)).unwrap()
}

pub(super) fn request(choice: PortSelector, lease: Lease) -> Request {
    let host = Host::default();
    let addresses = host.literal_addresses().unwrap();
    Request { host, addresses, protocols: Protocols::Tcp, choice, owner: None, lease, hold: None }
}

pub(super) fn grace(seconds: u64) -> Lease {
    Lease::Grace { length: Duration::from_secs(seconds) }
}

pub(super) fn timed(seconds: u64) -> Lease {
    Lease::Timed { length: Duration::from_secs(seconds) }
}

pub(super) fn named(name: &str, project: &str) -> Lease {
    let project = Project { path: project.into(), device: 1, inode: 0, born: None, parent: (1, 1) };
    Lease::Named(LeaseName {
        name: name.into(),
        project: Some(Arc::new(project)),
        config: Some("pk.config.json".into()),
        provisional: true,
    })
}
