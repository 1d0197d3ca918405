//! The ports of a run: reserved, held, and given back in the end.

use std::net::IpAddr;
use std::rc::Rc;

use super::super::prepare::tell;
use super::super::reserve::{by_name, tell_users, write_env};
use super::taking::held_now;
use crate::app::{CommandError, Context, HoldArgs, NameArgs, PrepareEnv, SelectionArgs, env_key, typed};
use crate::config::Config;
use crate::handover::RunPort;
use crate::hold::{HeldPort, InProcess};
use crate::model::{Guarantee, Hold, HoldId, HoldKind, Lease, Port, Protocol, Reservation};
use crate::os::{self, Liveness};
use crate::prepare::{Job, Mode, prepare};
use crate::registry::{FileStore, RegistryError, Store};
use crate::reserve::{GRACE, Granted, Machine, Request, World, reserve};

/// The ports of a run, in the order in which they were asked for. Never empty.
pub(super) struct Ports<'a> {
    store: &'a FileStore<'static>,
    pub(super) ports: Vec<RunningPort>,
    origin: Origin,
}

/// What was reserved for a run before anything was held, and outlasts it.
enum Origin {
    /// Nothing: what is new ends with this process.
    Process,
    /// Names. Those that are new are given back if nothing is run.
    Names(Vec<Granted>),
    /// Names that stand in files, and stay.
    Files(Vec<Granted>),
}

impl Origin {
    /// The error of a run that did not come to be. What it leaves is given back, or named.
    fn without_run(&self, context: &Context, error: CommandError) -> CommandError {
        match self {
            Self::Process => error,
            Self::Names(granted) => context.without(granted, error),
            Self::Files(granted) => Context::beside_files(granted, error),
        }
    }
}

fn reservations(granted: &[Granted]) -> impl Iterator<Item = Reservation> {
    granted.iter().map(|granted| granted.reservation.clone())
}

/// One of them.
pub(super) struct RunningPort {
    /// What the environment calls it, the best name first.
    pub(super) keys: Vec<String>,
    pub(super) reservation: Reservation,
    held: Option<HeldPort>,
    /// How a holder kept it before this run, if one did.
    was_held: Option<HoldKind>,
}

/// A port that this process holds now.
pub(super) struct HeldNow {
    pub(super) reservation: Reservation,
    pub(super) held: HeldPort,
    pub(super) was_held: Option<HoldKind>,
}

impl HeldNow {
    fn called(self, keys: Vec<String>) -> RunningPort {
        let Self { reservation, held, was_held } = self;
        RunningPort { keys, reservation, held: Some(held), was_held }
    }
}

impl<'a> Ports<'a> {
    /// The ports that the options ask for: held by another process of this user, named, or new.
    pub(super) fn of_selection(
        context: &Context,
        store: &'a FileStore<'static>,
        selection: &SelectionArgs,
        env_keys: &[String],
    ) -> Result<Self, CommandError> {
        let requests = selection.requests(&context.default_host()?, &HoldArgs::default())?;
        let file = selection.write_env();
        let keys = keys(env_keys, file.as_ref().map(|file| file.keys.as_slice()), selection.key(), requests.len())?;
        let machine = context.machine(store)?;
        let held = match selection.exact_port() {
            Some(_) => held_by_holder(store, &machine, &requests[0], selection.says_protocols())?,
            None => Vec::new(),
        };
        let mut origin = Origin::Process;
        let reserved = match file {
            _ if !held.is_empty() => held_now(store, held)?,
            Some(file) => {
                let granted = write_env(context, &file, requests, store, &machine)?;
                let held = held_now(store, reservations(&granted));
                origin = Origin::Files(granted);
                held.map_err(|error| origin.without_run(context, error))?
            }
            None => new(context, store, machine, requests)?,
        };
        Ok(Self { store, ports: running(reserved, keys), origin })
    }

    /// The ports of names, old and new. A name that could be one is an environment variable, too.
    pub(super) fn of_names(
        context: &Context,
        store: &'a FileStore<'static>,
        names: &NameArgs,
        selection: &SelectionArgs,
        env_keys: &[String],
    ) -> Result<Self, CommandError> {
        let keys = keys(env_keys, None, selection.key(), names.names.len())?;
        let machine = context.machine(store)?;
        let mut granted = by_name(context, names, selection, &HoldArgs::default(), store, &machine)?;
        let reserved = held_now(store, reservations(&granted));
        if reserved.is_ok() {
            context.let_go(&mut granted, &machine);
        }
        let origin = Origin::Names(granted);
        let mut ports = running(reserved.map_err(|error| origin.without_run(context, error))?, keys);
        for RunningPort { keys, reservation, .. } in &mut ports {
            let name = reservation.name().map(|name| name.name.clone());
            keys.splice(0..0, name.filter(|name| env_key(name).is_ok()));
        }
        Ok(Self { store, ports, origin })
    }

    /// The ports of a config, whose files are written.
    pub(super) fn of_config(
        context: &Context,
        store: &'a FileStore<'static>,
        config: &Config,
    ) -> Result<Self, CommandError> {
        let stage = PrepareEnv::new(context, Mode::Write)?;
        let machine = context.machine(store)?;
        let report = prepare(&Job::of_config(config), &stage.surroundings(), store, &machine, Mode::Write, false)?;
        tell(context, &report, Mode::Write);
        // What was not held before this call was only held to be handed over.
        let newly_held: Vec<_> = report.granted.iter().map(|granted| granted.newly_held).collect();
        let reserved = held_now(store, reservations(&report.granted));
        let origin = Origin::Files(report.granted);
        let reserved = reserved.map_err(|error| origin.without_run(context, error))?;
        let port = |(mut port, newly_held): (HeldNow, bool)| {
            port.was_held = port.was_held.filter(|_| !newly_held);
            let key = port.reservation.name().map(|name| name.name.clone()).unwrap_or_default();
            port.called(vec![key])
        };
        Ok(Self { store, ports: reserved.into_iter().zip(newly_held).map(port).collect(), origin })
    }

    /// What the command is advertised: each port under its keys, the first of them as PORT, and the host.
    pub(super) fn values(&self) -> Vec<(String, String)> {
        let keys = self.ports.iter().flat_map(|port| port.keys.iter().map(|key| (key.as_str(), port.number())));
        let first = &self.ports[0];
        let mut values: Vec<(String, String)> = Vec::new();
        for (key, value) in keys.chain([("PORT", first.number()), ("HOST", first.reservation.host.to_string())]) {
            if values.iter().all(|(known, _)| known != key) {
                values.push((key.to_owned(), value));
            }
        }
        values
    }

    /// What keeps the ports, to hand over.
    pub(super) fn take_held(&mut self) -> Vec<RunPort> {
        let run_port = |port: &mut RunningPort| {
            let host = &port.reservation.host;
            // An address is what the command will bind. Behind a name may be several, and any of them will do.
            let advertised = match host.as_str().parse::<IpAddr>() {
                Ok(address) => vec![address.to_canonical()],
                Err(_) => port.reservation.addresses.clone(),
            };
            Some(RunPort { held: port.held.take()?, name: port.keys[0].clone(), advertised })
        };
        self.ports.iter_mut().filter_map(run_port).collect()
    }

    /// Writes down that the ports are this process' now, and how they are held by us: a name stays a name.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(super) fn belong_to(&mut self, pid: u32, guarantee: Guarantee) -> Result<(), RegistryError> {
        let (child, us) = (os::process_id(pid)?, os::process_id(std::process::id())?);
        self.change(|reservation| {
            if let (Lease::Process(_) | Lease::Held | Lease::Grace { .. }, Some(child)) = (&reservation.lease, child) {
                reservation.lease = Lease::Process(child);
            }
            let hold = |kind| us.map(|holder| Hold { kind, holder, file: None });
            reservation.hold = kind_under(guarantee, reservation.protocol).and_then(hold);
            true
        })
    }

    /// Writes down that these ports are held less well from now on.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(super) fn weaken(
        &mut self,
        protocol: Protocol,
        weakened: &[Port],
        guarantee: Guarantee,
    ) -> Result<(), RegistryError> {
        self.change(|reservation| {
            if reservation.protocol == protocol
                && weakened.contains(&reservation.port)
                && let Some(hold) = reservation.hold.take()
            {
                let kind = kind_under(guarantee, reservation.protocol);
                reservation.hold = kind.map(|kind| Hold { kind, ..hold });
            }
            true
        })
    }

    /// The error of a run whose command was never started. What it leaves is given back, or named.
    pub(super) fn without_run(&self, context: &Context, error: CommandError) -> CommandError {
        self.origin.without_run(context, error)
    }

    /// Gives the ports back. Names, and what has a time, stay.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(super) fn end(&mut self) -> Result<(), RegistryError> {
        self.change(|reservation| {
            reservation.hold = None;
            matches!(reservation.lease, Lease::Named(_) | Lease::Timed { .. })
        })
    }

    /// What is no longer held because this run has ended, and what holds it again: a line for each port that a holder kept before.
    pub(super) fn ended_holds(&self) -> impl Iterator<Item = String> {
        self.ports.iter().filter_map(|RunningPort { reservation, was_held, .. }| {
            let port = reservation.port;
            let option = match (*was_held)? {
                HoldKind::Exclusive => "--hold".to_owned(),
                kind => format!("--hold={kind}"),
            };
            let passed = "its hold had passed to this run and ended with it";
            Some(match (reservation.name(), &reservation.lease) {
                (Some(name), _) => {
                    let global = if name.project.is_none() { " --global" } else { "" };
                    let again = format!("portkeeper reserve {}{global} {option}", typed(&name.name));
                    format!("{port} ({}) is no longer held: {passed}; {again} holds it again", name.name)
                }
                (None, Lease::Timed { .. }) => format!("{port} is no longer held: {passed}"),
                _ => format!("{port} is released: {passed}"),
            })
        })
    }

    /// Changes the reservations, and removes those that are not to stay. What was released meanwhile stays released.
    fn change(&mut self, mut change: impl FnMut(&mut Reservation) -> bool) -> Result<(), RegistryError> {
        let ports = &mut self.ports;
        self.store.transaction(|transaction| {
            for RunningPort { reservation, .. } in &mut *ports {
                let mut stays = true;
                transaction.update(reservation.id, |known| stays = change(known));
                if !stays {
                    transaction.remove(|other| other.id == reservation.id);
                }
            }
            Ok(())
        })
    }
}

/// The ports under their keys. A twin, which comes after those that were asked for, is called what the other protocol's is.
fn running(reserved: Vec<HeldNow>, keys: Vec<Vec<String>>) -> Vec<RunningPort> {
    let mut ports: Vec<RunningPort> = Vec::with_capacity(reserved.len());
    let mut keys = keys.into_iter();
    for port in reserved {
        let is_twin = |other: &&RunningPort| is_twin(&other.reservation, &port.reservation);
        let twins = ports.iter().find(is_twin).map(|twin| twin.keys.clone());
        let keys = twins.or_else(|| keys.next()).unwrap_or_default();
        ports.push(port.called(keys));
    }
    ports
}

fn file_of(reservation: &Reservation) -> Option<HoldId> {
    reservation.hold?.file
}

/// Whether they are one port for two protocols.
fn is_twin(one: &Reservation, other: &Reservation) -> bool {
    one.port == other.port && one.addresses == other.addresses && one.protocol != other.protocol
}

impl RunningPort {
    fn number(&self) -> String {
        self.reservation.port.to_string()
    }
}

/// What each of the ports is called: as it was asked for, as the file calls it, and with several by number.
fn keys(
    asked: &[String],
    file: Option<&[String]>,
    usual: &str,
    count: usize,
) -> Result<Vec<Vec<String>>, CommandError> {
    let numbered = |key: &str, number: usize| if count == 1 { key.to_owned() } else { format!("{key}{number}") };
    if asked.len() > 1 && asked.len() != count {
        let (given, wanted) = (asked.len(), count);
        return Err(CommandError::usage(format_args!(
            "--env-key was given {given} times for {wanted} port{}: give it once for each, or once for all",
            if wanted == 1 { "" } else { "s" }
        )));
    }
    Ok((0..count)
        .map(|index| {
            let asked = match asked {
                [one] => Some(numbered(one, index + 1)),
                several => several.get(index).cloned(),
            };
            let file = file.and_then(|file| file.get(index).cloned());
            asked.into_iter().chain(file).chain([numbered(usual, index + 1), numbered("PORT", index + 1)]).collect()
        })
        .collect())
}

/// New reservations, held by this process.
fn new(
    context: &Context,
    store: &FileStore<'static>,
    machine: Machine,
    mut requests: Vec<Request>,
) -> Result<Vec<HeldNow>, CommandError> {
    // Ours until the command exists. Where the platform reports nothing about our own process, a grace has to do.
    let lease = os::process_id(std::process::id())?.map_or(Lease::Grace { length: GRACE }, Lease::Process);
    for request in &mut requests {
        request.lease = lease.clone();
        request.hold = Some(kind(request.protocols.first()));
    }
    let keeper = Rc::new(InProcess::new());
    let outcome = reserve(store, &machine.with_keeper(keeper.clone()), &requests)?;
    context.tell_notices(&outcome.notices);
    tell_users(context, &outcome.granted);
    let ports = outcome.granted.into_iter().zip(keeper.take());
    Ok(ports.map(|(granted, held)| HeldNow { reservation: granted.reservation, held, was_held: None }).collect())
}

/// How a port is held that is about to be handed over.
pub(super) fn kind(protocol: Protocol) -> HoldKind {
    match protocol {
        Protocol::Tcp if cfg!(target_os = "linux") => HoldKind::Gated,
        _ => HoldKind::Exclusive,
    }
}

/// How a port is held while its command runs; none: not at all.
fn kind_under(guarantee: Guarantee, protocol: Protocol) -> Option<HoldKind> {
    match guarantee {
        Guarantee::Advisory => None,
        // UDP has no gate that could be open.
        Guarantee::Soft => (protocol == Protocol::Tcp).then_some(HoldKind::Soft),
        Guarantee::Gated | Guarantee::Exclusive => Some(kind(protocol)),
    }
}

/// The reservations of a port that a holder of this user holds: for the protocols that were named, or else for all that it has.
fn held_by_holder(
    store: &FileStore<'static>,
    machine: &Machine,
    request: &Request,
    is_named: bool,
) -> Result<Vec<Reservation>, CommandError> {
    let Request { protocols, addresses, choice, .. } = request;
    let Some(port) = choice.only() else { return Ok(Vec::new()) };
    let snapshot = store.snapshot()?;
    let is_held = |reservation: &&Reservation| {
        let holder = reservation.hold.as_ref().and_then(|hold| hold.file.as_ref());
        reservation.covers(reservation.protocol, port, addresses)
            && machine.place().shares_ports_with(&reservation.place)
            && holder.is_some_and(|file| machine.hold_file(*file) == Liveness::Alive)
    };
    let held = || snapshot.reservations().iter().filter(is_held);
    let Some(first) = held().find(|held| protocols.contains(held.protocol)) else { return Ok(Vec::new()) };
    let is_wanted = |held: &&Reservation| match is_named {
        true => protocols.contains(held.protocol),
        false => held.id == first.id || is_twin(held, first) && file_of(held) == file_of(first),
    };
    let mut wanted: Vec<_> = held().filter(is_wanted).cloned().collect();
    wanted.sort_by_key(|held| held.protocol);
    match protocols.iter().find(|&protocol| wanted.iter().all(|held| held.protocol != protocol)) {
        Some(missing) => Err(CommandError::no(format_args!(
            "port {port} is held for {} alone, and was asked for with {missing} as well",
            first.protocol
        ))
        .hint(format_args!("run it with --protocol {}, or release {port} first", first.protocol))),
        None => Ok(wanted),
    }
}
