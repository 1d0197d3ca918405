//! `--hold`: what it asks for, and what makes it happen.

use clap::Args;

use super::{CommandError, Context};
use crate::explain::{Whose, run_line};
#[cfg(target_os = "linux")]
use crate::fs::describe;
use crate::hold::HoldDirectory;
use crate::model::{HoldKind, Protocols, Reservation};
use crate::prepare::Mode;
use crate::registry::FileStore;
use crate::reserve::{Granted, Machine, ReserveError};
use crate::who::Reach;

/// Whether the port is held by sockets.
#[derive(Debug, Default, Args)]
pub(crate) struct HoldArgs {
    /// Hold the port with sockets, so that no other program can bind it: a small process in the background holds them until the
    /// port is released. KIND is exclusive (only `portkeeper run` can bind it), gated (the same, for `portkeeper run --handover
    /// gated`), or soft (your server can bind it, as can any program that sets SO_REUSEADDR; it keeps out bind(0),
    /// outgoing connections, and programs without SO_REUSEADDR) [default: exclusive]
    #[arg(long, help_heading = "Lifetime options", value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "exclusive")]
    hold: Option<HoldKind>,
}

impl HoldArgs {
    pub(crate) fn kind(&self) -> Option<HoldKind> {
        self.hold
    }

    /// The kind, if all of the protocols can be held in that way.
    pub(crate) fn kind_for(&self, protocols: Protocols) -> Result<Option<HoldKind>, CommandError> {
        match self.hold {
            Some(kind) if protocols.iter().any(|protocol| kind.over(protocol) != kind) => {
                Err(ReserveError::NotOverUdp(kind).into())
            }
            kind => Ok(kind),
        }
    }
}

impl Context {
    /// This machine, with the holders of the registry.
    pub(crate) fn machine(&self, store: &FileStore<'_>) -> Result<Machine, CommandError> {
        Ok(Machine::here()?.with_holds(HoldDirectory::beside(store.path())))
    }

    /// The same, able to start a holder if there is something to hold.
    pub(crate) fn machine_for(&self, store: &FileStore<'_>, hold: &HoldArgs) -> Result<Machine, CommandError> {
        if hold.kind().is_some() { self.holding_machine(store) } else { self.machine(store) }
    }

    /// The same, able to start a holder.
    #[cfg(target_os = "linux")]
    pub(crate) fn holding_machine(&self, store: &FileStore<'_>) -> Result<Machine, CommandError> {
        use std::rc::Rc;

        use crate::hold::Background;

        // This very program, even if its file was replaced meanwhile.
        let program = std::path::Path::new("/proc/self/exe");
        let program = if program.exists() {
            program.to_owned()
        } else {
            let unknown = |error| {
                CommandError::environment(format_args!("portkeeper cannot find its own program: {}", describe(&error)))
            };
            std::env::current_exe().map_err(unknown)?
        };
        let keeper = Background::new(HoldDirectory::beside(store.path()), program, [HOLDER]);
        Ok(self.machine(store)?.with_keeper(Rc::new(keeper)))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn holding_machine(&self, _: &FileStore<'_>) -> Result<Machine, CommandError> {
        Err(CommandError::usage("on this system portkeeper has no holders yet: holds work on Linux"))
    }

    /// Reports that a name has its port for one protocol less, or would have.
    pub(crate) fn tell_narrowed(&self, granted: &Granted, mode: Mode) {
        let Some(old) = granted.narrowed_from() else { return };
        let Reservation { port, protocol, .. } = granted.reservation;
        let name = granted.reservation.name().map_or("", |name| &name.name);
        self.printer.note(match mode {
            Mode::Write => format!("{name} has {port} for {protocol} now, and no longer for {old}"),
            Mode::DryRun => format!("{name} would have {port} for {protocol}, and no longer for {old}"),
        });
    }

    /// Reports a port that was to be held and cannot be, and what uses it. False when there is nothing to report.
    pub(crate) fn tell_not_held(&self, granted: &Granted, all: &[Granted]) -> bool {
        if !granted.hold_failed {
            return false;
        }
        let Reservation { port, protocol, .. } = granted.reservation;
        let what = match granted.reservation.name() {
            Some(name) => format!("{} keeps {port}", name.name),
            None => format!("{port} stays reserved"),
        };
        let half = other_half(granted, all).map(|_| format!(" for {protocol}")).unwrap_or_default();
        let user = granted.occupied_by.first();
        let user =
            user.map_or_else(|| "something that cannot be seen from here uses it".to_owned(), ToString::to_string);
        self.printer.warn(format_args!("{what}, but it cannot be held{half} now: {user}"));
        true
    }

    /// Reports what holds the ports now, and what to do next.
    pub(crate) fn tell_holds(&self, all: &[Granted]) {
        // A port for both protocols is named once.
        let mut firsts: Vec<&Granted> = Vec::new();
        for held in all.iter().filter(|granted| granted.newly_held) {
            if firsts.iter().all(|first| Some(first.reservation.id) != held.twin_of) {
                firsts.push(held);
            }
        }
        let Some(hold) = firsts.first().and_then(|granted| granted.reservation.hold.as_ref()) else { return };
        let (pid, ports) = (hold.holder.pid, listed(&firsts, |granted| granted.reservation.port.to_string()));
        let release =
            format!("`portkeeper release {ports}` gives {} back", if firsts.len() == 1 { "it" } else { "them" });
        // A port whose other half is in use can be handed to no server.
        let is_half = |granted: &&Granted| other_half(granted, all).is_some_and(|other| !other.held);
        if firsts.iter().any(is_half) {
            let held = listed(&firsts, |granted| {
                let Reservation { port, protocol, .. } = granted.reservation;
                if is_half(&granted) { format!("{port} ({protocol})") } else { port.to_string() }
            });
            return self.printer.note(format_args!("process {pid} holds {held}: {release}"));
        }
        self.printer.note(match hold.kind {
            HoldKind::Soft => format!(
                "process {pid} holds {ports} softly: your server can bind it if it sets SO_REUSEADDR, as most do, and so can \
                 any other; {release}"
            ),
            _ => format!("process {pid} holds {ports}: {}, {release}", self.handover_line(&firsts)),
        });
    }

    /// What hands a held port to a server.
    fn handover_line(&self, held: &[&Granted]) -> String {
        let reach = self.current_directory().ok().map(|directory| Reach::of(&directory));
        let line = |granted: &&Granted| {
            let reservation = &granted.reservation;
            reach.as_ref().map(|reach| run_line(reservation, &Whose::of(reservation, reach)))
        };
        match held {
            [one] => line(one).map_or_else(String::new, |line| format!("`{line}` hands it to a server")),
            several if several.iter().all(|granted| granted.reservation.name().is_some()) => {
                "`portkeeper run NAME -- COMMAND` hands each to a server".to_owned()
            }
            _ => "`portkeeper run --port PORT -- COMMAND` hands each to a server".to_owned(),
        }
    }
}

/// The same port for the other protocol, if it was asked for with both.
fn other_half<'a>(half: &Granted, all: &'a [Granted]) -> Option<&'a Granted> {
    let is_it =
        |other: &&Granted| half.twin_of == Some(other.reservation.id) || other.twin_of == Some(half.reservation.id);
    all.iter().find(is_it)
}

fn listed(granted: &[&Granted], text: impl Fn(&Granted) -> String) -> String {
    granted.iter().map(|granted| text(granted)).collect::<Vec<_>>().join(" ")
}

/// The command that a holder is started as. Not for users.
#[cfg(target_os = "linux")]
pub(crate) const HOLDER: &str = "holder";
