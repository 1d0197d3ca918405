//! What a run reports: one line for each port on stderr, or a file for programs.

use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::ports::Ports;
use crate::app::answers::{RunReport, RunningPort};
use crate::app::{Context, Printer, seconds};
use crate::fs::write_to;
use crate::handover::{LeftProcess, Method, Run, RunEvent, RunObserver};
use crate::model::{Guarantee, Port, Protocol, Reservation};
use crate::os::inspect;

/// What an open gate means.
const RIVAL: &str = "until the server listens, any program that sets SO_REUSEADDR can take the port; one that does not set it cannot, \
                     the server included";

/// Writes down whose the ports are, and reports what happens to them.
pub(super) struct Reporter<'a, 'b> {
    printer: &'a Printer,
    ports: &'a mut Ports<'b>,
    path: Option<PathBuf>,
    program: String,
    queue_early: bool,
    pid: u32,
    /// What has become of each port.
    states: Vec<State>,
    told: HashSet<(String, Method)>,
    /// Why it is not by a stronger method.
    notes: Vec<String>,
}

#[derive(Clone, Copy)]
struct State {
    method: Method,
    guarantee: Guarantee,
    server: Option<u32>,
}

impl<'a, 'b> Reporter<'a, 'b> {
    pub(super) fn new(context: &'a Context, ports: &'a mut Ports<'b>, path: Option<&Path>, run: &Run) -> Self {
        let program = &run.command[0];
        let name = Path::new(program).file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        Self {
            printer: &context.printer,
            ports,
            // The command may run elsewhere; we stay where we are.
            path: path.map(Path::to_owned),
            program: name,
            queue_early: run.queue_early,
            pid: 0,
            states: Vec::new(),
            told: HashSet::new(),
            notes: Vec::new(),
        }
    }

    /// Which process has an address, how it got it, and why it was not by a better way: one line, and only once, because servers restart.
    fn tell(&mut self, address: &str, method: Method, guarantee: Guarantee, pid: u32, why: Option<&str>) {
        if !self.told.insert((address.to_owned(), method)) {
            return;
        }
        // What was only just started may not be the command yet.
        let is_started = matches!(method, Method::Fds | Method::Release);
        let seen = if is_started { None } else { inspect::command(pid) };
        let program = seen.unwrap_or_else(|| self.program.clone());
        let promise = self.promise(guarantee, method);
        let reason = why.map(|why| format!(" ({why})")).unwrap_or_default();
        self.notes.extend(why.map(|why| format!("{address} is {program}'s by {method}: {why}")));
        if self.path.is_none() {
            self.printer.note(format!("{address} is {program}'s (pid {pid}) by {method}: {promise}{reason}"));
        }
    }

    /// A guarantee in a few words.
    fn promise(&self, guarantee: Guarantee, method: Method) -> &'static str {
        match guarantee {
            Guarantee::Exclusive if method == Method::Adopt && !self.queue_early => {
                "never free, and clients wait while it restarts"
            }
            Guarantee::Exclusive => "never free, and early clients wait",
            Guarantee::Gated => "never free for others",
            Guarantee::Soft => "not free while it listens",
            Guarantee::Advisory if method == Method::Release => "let go just before it started",
            Guarantee::Advisory => "no guarantee",
        }
    }

    /// Something that matters to who reads along, and to who reads the report.
    fn note(&mut self, note: String) {
        self.printer.note(&note);
        self.notes.push(note);
        // Before the start there is nothing else to report yet.
        if !self.states.is_empty() {
            self.write();
        }
    }

    /// A port that is kept less well than was said, in the report and in the registry.
    fn step_down(&mut self, protocol: Protocol, ports: &[Port], guarantee: Guarantee, why: &str) {
        let method = if guarantee == Guarantee::Advisory { Method::Release } else { Method::Gated };
        for (state, port) in self.states.iter_mut().zip(&self.ports.ports) {
            let Reservation { protocol: its, port, .. } = &port.reservation;
            if *its == protocol && ports.contains(port) && guarantee < state.guarantee {
                *state = State { method, guarantee, server: state.server };
            }
        }
        if let Err(error) = self.ports.weaken(protocol, ports, guarantee) {
            self.printer.warn(error);
        }
        let consequence = if guarantee == Guarantee::Advisory { "so the port was let go" } else { RIVAL };
        self.note(format!("{}: {why}. {}", labeled(list(ports), protocol), capitalized(consequence)));
    }

    /// What goes on when the command has ended.
    fn tell_left(&self, left: &LeftProcess) {
        let LeftProcess { pid, command, own_session, uncertain, ports } = left;
        self.printer.note(match (ports.is_empty(), own_session) {
            (true, _) if *uncertain => format!(
                "{command} (pid {pid}) goes on: it may come from {}, or from what was started before that",
                self.program
            ),
            (false, _) => format!("{command} (pid {pid}) still listens on {}; nothing keeps it now", list(ports)),
            (true, true) => format!("{command} (pid {pid}) has a session of its own and goes on"),
            (true, false) => format!("{command} (pid {pid}) could not be ended and goes on"),
        });
    }

    fn position(&self, protocol: Protocol, port: Port) -> Option<usize> {
        let is_it = |port_: &super::ports::RunningPort| {
            (port_.reservation.protocol, port_.reservation.port) == (protocol, port)
        };
        self.ports.ports.iter().position(is_it)
    }

    fn write(&self) {
        let Some(path) = &self.path else { return };
        let text = format!("{}\n", json!(self.report()));
        if let Err(error) = write_to(path, text.as_bytes()) {
            self.printer.warn(format_args!("the report cannot be written: {error}"));
        }
    }

    fn report(&self) -> RunReport<'_> {
        let weakest = self.states.iter().min_by_key(|state| state.guarantee);
        let ports = self.ports.ports.iter().zip(&self.states).map(|(port, state)| RunningPort {
            name: &port.keys[0],
            host: &port.reservation.host,
            port: port.reservation.port,
            protocol: port.reservation.protocol,
            method: state.method,
            guarantee: state.guarantee,
            server: state.server,
        });
        RunReport {
            pid: self.pid,
            method: weakest.map(|state| state.method),
            guarantee: weakest.map(|state| state.guarantee),
            ports: ports.collect(),
            notes: &self.notes,
        }
    }
}

impl RunObserver for Reporter<'_, '_> {
    fn before_exec(&mut self, pid: u32, guarantee: Guarantee) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.ports.belong_to(pid, guarantee)?)
    }

    fn news(&mut self, news: RunEvent) {
        match news {
            RunEvent::FellBack { from, why } => {
                let mut protocols = self.ports.ports.iter().map(|port| port.reservation.protocol);
                let has_gate = protocols.any(|protocol| protocol == Protocol::Tcp);
                let consequence = if has_gate { RIVAL } else { "so the port is let go just before the server starts" };
                self.note(format!("no {from} here: {why}. {}", capitalized(consequence)));
            }
            RunEvent::Starting { pid, method, guarantee } => {
                self.pid = pid;
                let server = (method == Method::Fds).then_some(pid);
                self.states = vec![State { method, guarantee, server }; self.ports.ports.len()];
                if matches!(method, Method::Fds | Method::Release) {
                    for address in self.addresses() {
                        self.tell(&address, method, guarantee, pid, None);
                    }
                }
                self.write();
            }
            RunEvent::HandedOver { protocol, address, method, guarantee, pid, why } => {
                self.tell(&labeled(address, protocol), method, guarantee, pid, why.as_deref());
                if let Some(index) = Port::new(address.port()).and_then(|port| self.position(protocol, port)) {
                    let state = &mut self.states[index];
                    let first = state.server.is_none();
                    if first || guarantee < state.guarantee {
                        *state = State { method, guarantee, server: Some(pid) };
                    }
                    state.server = Some(pid);
                    self.write();
                }
            }
            RunEvent::SteppedDown { protocol, ports, guarantee, why } => {
                self.step_down(protocol, &ports, guarantee, &why);
            }
            RunEvent::NoQueue { port, pid } => {
                let program = inspect::command(pid).unwrap_or_else(|| self.program.clone());
                self.note(format!(
                    "{program} (pid {pid}) connects to {port} itself while it starts, so clients no longer wait there while it restarts"
                ));
            }
            RunEvent::PassedThrough { pid } => {
                let program = &self.program;
                self.note(format!(
                    "the sockets are meant for {program} (pid {pid}, LISTEN_PID): a server that it starts ignores them, and finds its \
                     port in use. Start the server without {program}, or leave out --handover fds"
                ));
            }
            RunEvent::NotReady { ports, after } => {
                let advice = if self.queue_early {
                    "Does it connect to the port first to see whether it is free? Then leave out --queue-early"
                } else {
                    "Is it told its port ({PORT}, or the environment's PORT)?"
                };
                self.printer.warn(format_args!(
                    "after {} s {} still does not listen on {}: clients are refused until it does. {advice}",
                    after.as_secs_f64(),
                    self.program,
                    list(&ports),
                ));
            }
            RunEvent::NotBack { ports, after } => self.printer.warn(format_args!(
                "{} has not listened on {} again for {} s: clients are refused until it does. Does it look first whether the port is \
                 free, and find the queue of waiting clients? Then give --ready-timeout 0s",
                self.program,
                list(&ports),
                after.as_secs_f64(),
            )),
            RunEvent::NeverBound { ports } => {
                let (program, ports) = (&self.program, list(&ports));
                self.note(format!(
                    "{program} failed, and none of its processes had bound {ports}, which this run kept. If a daemon binds it (docker), \
                     use --handover release"
                ));
            }
            RunEvent::Killed { pid, command, after } => self.printer.note(format_args!(
                "{command} (pid {pid}) did not end within {} s, so it was killed",
                seconds(after)
            )),
            RunEvent::LeftUnseen { ports, why } => {
                let program = &self.program;
                let listen = if ports.is_empty() {
                    String::new()
                } else {
                    format!("; something still listens on {}, and nothing keeps it now", list(&ports))
                };
                self.note(format!(
                    "what {program} may have left running cannot be looked for: {why}. It is not ended{listen}"
                ));
            }
            RunEvent::Left(left) => self.tell_left(&left),
        }
    }
}

impl Reporter<'_, '_> {
    fn addresses(&self) -> Vec<String> {
        let ports = self.ports.ports.iter().map(|port| &port.reservation);
        let address = |it: &Reservation| labeled(format_args!("{}:{}", it.host, it.port), it.protocol);
        ports.map(address).collect()
    }
}

/// The ports, each once, though it may be there for two protocols.
fn list(ports: &[Port]) -> String {
    let is_first = |&index: &usize| !ports[..index].contains(&ports[index]);
    (0..ports.len()).filter(is_first).map(|index| ports[index].to_string()).collect::<Vec<_>>().join(", ")
}

/// What is of UDP says so: the other protocol may have the same port.
fn labeled(what: impl Display, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => what.to_string(),
        Protocol::Udp => format!("{what} (udp)"),
    }
}

/// The text as a sentence of its own.
fn capitalized(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}
