//! A server that connects to its own port, to see whether it is free, before it binds it.
//!
//! While a server starts again, clients queue on the socket that it had. One of them may be the server itself, which then takes its port
//! for used.

use std::collections::HashSet;

use crate::handover::family;
use crate::model::Port;
use crate::probe;

/// The process of the command that has a connection to the port, if there is one.
pub(crate) fn self_test(port: Port) -> Option<u32> {
    // Its own descriptors first, because such a connection is closed soon.
    let members = family::members();
    let sockets: Vec<_> = members.iter().map(|member| (member.pid, family::socket_inodes(member.pid))).collect();
    let sockets: Vec<(u32, HashSet<u64>)> = sockets.into_iter().map(|(pid, inodes)| (pid, inodes.collect())).collect();
    let clients = probe::clients(port).ok()?;
    let has_client = |inodes: &HashSet<u64>| clients.iter().any(|inode| inodes.contains(inode));
    sockets.iter().find(|(_, inodes)| has_client(inodes)).map(|&(pid, _)| pid)
}
