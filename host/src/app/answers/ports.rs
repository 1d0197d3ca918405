//! What is said about ports: `explain`, `pick`, `kill`, `run` and `doctor`.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::ClaimView;
use crate::doctor::Finding;
use crate::explain::{KernelSettings, Verdict};
use crate::handover::Method;
use crate::kill::Ended;
use crate::model::{Guarantee, Host, Port, Protocol};
use crate::probe::SocketState;
use crate::who::{Ownership, ProcessInfo};

/// What `explain` answers for a port.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Explained<'a> {
    /// The port.
    pub(crate) port: Port,
    /// The protocol that decides.
    pub(crate) protocol: Protocol,
    /// How it stands.
    pub(crate) verdict: Verdict,
    /// The same in a sentence.
    pub(crate) summary: String,
    /// What to do about it, with commands that work here.
    pub(crate) advice: String,
    /// The reservations of the port.
    pub(crate) reservations: Vec<ClaimView<'a>>,
    /// The sockets that keep others from it.
    pub(crate) sockets: Vec<SocketView<'a>>,
    /// How many connections run over it.
    pub(crate) connections: usize,
    /// How many closed connections are left (TIME_WAIT).
    pub(crate) remnants: usize,
    /// What the kernel's settings say of it.
    pub(crate) kernel: &'a KernelSettings,
    /// Why portkeeper would not choose it, if it would not.
    pub(crate) policy: Option<String>,
    /// Other ports that are reserved for this project.
    pub(crate) yours: Vec<Yours<'a>>,
}

/// A socket on a port.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SocketView<'a> {
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// Its address and port.
    pub(crate) address: SocketAddr,
    /// What it does.
    pub(crate) state: SocketState,
    /// The user of the socket.
    pub(crate) uid: Option<u32>,
    /// What that user is called.
    pub(crate) user: Option<String>,
    /// Whether its process is the one that the port is reserved for; null where the port is not reserved.
    pub(crate) ownership: Option<Ownership>,
    /// Its process, if this user may see it.
    pub(crate) process: Option<&'a ProcessInfo>,
}

/// A port that is reserved for this project.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Yours<'a> {
    /// The port.
    pub(crate) port: Port,
    /// Its name.
    pub(crate) name: &'a str,
}

/// What `pick --why` answers for a port.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PickedWhy<'a> {
    /// The port.
    pub(crate) port: Port,
    /// Whether portkeeper would choose it.
    pub(crate) good: bool,
    /// Whether it is free now.
    pub(crate) free: bool,
    /// What speaks against choosing it.
    pub(crate) not_good: &'a [String],
    /// What keeps it from being free.
    pub(crate) not_free: &'a [String],
}

/// What `kill` answers for a port.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Killed<'a> {
    /// The port.
    pub(crate) port: Port,
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// The servers that were ended.
    pub(crate) ended: &'a [Ended],
}

/// What `doctor` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Diagnosis<'a> {
    /// How many findings are problems.
    pub(crate) problems: usize,
    /// Everything that was looked at.
    pub(crate) findings: &'a [Finding],
}

/// What `run --report` writes, anew whenever something changes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunReport<'a> {
    /// The pid of the command.
    pub(crate) pid: u32,
    /// How the port that is kept worst is handed over; null before the command starts.
    pub(crate) method: Option<Method>,
    /// What keeps other programs from that port.
    pub(crate) guarantee: Option<Guarantee>,
    /// All ports.
    pub(crate) ports: Vec<RunningPort<'a>>,
    /// What has happened, in sentences.
    pub(crate) notes: &'a [String],
}

/// A port of `run`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunningPort<'a> {
    /// Its name, or the variable that holds it.
    pub(crate) name: &'a str,
    /// The host.
    pub(crate) host: &'a Host,
    /// The port.
    pub(crate) port: Port,
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// How it is handed over.
    pub(crate) method: Method,
    /// What keeps other programs from it.
    pub(crate) guarantee: Guarantee,
    /// The pid of the process that has bound it.
    pub(crate) server: Option<u32>,
}
