//! `portkeeper run`: what the command is told, what it gets, and who stays outside.

mod command;
mod fallback;
mod fds;
mod rivals;
mod servers;
mod signals;
mod terminal;

use std::net::SocketAddr;

use portkeeper_tests::{Ports, Sandbox};

/// A script that starts a server again whenever it is killed, and ends when the test does.
fn restarting(sandbox: &Sandbox, address: &str) -> String {
    format!("until {} serve {address}:$PORT; do :; done", sandbox.stand_in_path())
}

fn address(ip: &str, ports: &Ports) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), ports.first())
}
