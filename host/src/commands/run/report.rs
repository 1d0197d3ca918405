//! What a run tells: one line for each port on stderr, or a file for programs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ports::Ports;
use crate::app::{Context, Printer};
use crate::fs::write_to;
use crate::handover::{Method, RunEvent, RunObserver};
use crate::model::{Guarantee, Port, Protocol};

/// Writes down whose the ports are, and tells what happens to them.
pub(super) struct Reporter<'a, 'b> {
    printer: &'a Printer,
    ports: &'a mut Ports<'b>,
    path: Option<PathBuf>,
    program: String,
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
    pub(super) fn new(context: &'a Context, ports: &'a mut Ports<'b>, path: Option<&Path>, program: &OsStr) -> Self {
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        Self {
            printer: &context.printer,
            ports,
            // The command may run elsewhere; we stay where we are.
            path: path.map(Path::to_owned),
            program: name,
            pid: 0,
            states: Vec::new(),
            told: HashSet::new(),
            notes: Vec::new(),
        }
    }

    /// Who has an address, and how they got it: one line, and only once, because servers come again.
    fn tell(&mut self, address: String, method: Method, guarantee: Guarantee, pid: u32) {
        let (program, promise) = (&self.program, promise(guarantee, method));
        let line = format!("{address} is {program}'s (process {pid}) by {method}: {promise}");
        if self.path.is_none() && self.told.insert((address, method)) {
            self.printer.note(line);
        }
    }

    fn position(&self, protocol: Protocol, port: Port) -> Option<usize> {
        let is_it = |port_: &super::ports::RunningPort| {
            (port_.reservation.protocol, port_.reservation.port) == (protocol, port)
        };
        self.ports.ports.iter().position(is_it)
    }

    fn write(&self) {
        let Some(path) = &self.path else { return };
        let text = format!("{}\n", self.report());
        if let Err(error) = write_to(path, text.as_bytes()) {
            self.printer.warn(format_args!("the report cannot be written: {error}"));
        }
    }

    fn report(&self) -> Value {
        let weakest = self.states.iter().min_by_key(|state| state.guarantee);
        let ports = self.ports.ports.iter().zip(&self.states).map(|(port, state)| {
            json!({
                "key": port.keys[0],
                "host": port.reservation.host,
                "port": port.reservation.port,
                "protocol": port.reservation.protocol,
                "method": state.method,
                "guarantee": state.guarantee,
                "server": state.server,
            })
        });
        json!({
            "pid": self.pid,
            "method": weakest.map(|state| state.method),
            "guarantee": weakest.map(|state| state.guarantee),
            "ports": ports.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl RunObserver for Reporter<'_, '_> {
    fn before_exec(&mut self, pid: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.ports.belong_to(pid)?)
    }

    fn news(&mut self, news: RunEvent) {
        match news {
            RunEvent::FellBack { from, why } => {
                let rival = "Until the server listens, any program that sets SO_REUSEADDR can take the port";
                let note = format!("no {from} here: {why}. {rival}");
                self.printer.note(&note);
                self.notes.push(note);
            }
            RunEvent::Starting { pid, method, guarantee } => {
                self.pid = pid;
                let server = (method == Method::Fds).then_some(pid);
                self.states = vec![State { method, guarantee, server }; self.ports.ports.len()];
                if matches!(method, Method::Fds | Method::Release) {
                    for address in self.addresses() {
                        self.tell(address, method, guarantee, pid);
                    }
                }
                self.write();
            }
            RunEvent::HandedOver { protocol, address, method, guarantee, pid } => {
                self.tell(address.to_string(), method, guarantee, pid);
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
            RunEvent::NotReady { ports, after } => {
                let ports: Vec<_> = ports.iter().map(Port::to_string).collect();
                self.printer.warn(format_args!(
                    "after {} s {} still does not listen on {}: clients are refused until it does. Is it told its port \
                     ({{PORT}}, or the environment's PORT)?",
                    after.as_secs_f64(),
                    self.program,
                    ports.join(", "),
                ));
            }
        }
    }
}

impl Reporter<'_, '_> {
    fn addresses(&self) -> Vec<String> {
        let ports = self.ports.ports.iter().map(|port| &port.reservation);
        ports.map(|reservation| format!("{}:{}", reservation.host, reservation.port)).collect()
    }
}

/// A guarantee in a few words.
fn promise(guarantee: Guarantee, method: Method) -> &'static str {
    match guarantee {
        Guarantee::Exclusive => "never free, and early clients wait",
        Guarantee::Gated => "never free for others",
        Guarantee::Soft => "not free while it listens",
        Guarantee::Advisory if method == Method::Release => "let go just before it started",
        Guarantee::Advisory => "no guarantee",
    }
}
