//! `--hold`: the kernel keeps the port, and gives it back on request.

use portkeeper_tests::{HolderProcess, Sandbox, has_ipv6};
use serde_json::Value;

mod chaos;
mod config;
mod ending;
mod holder;
mod kinds;
mod library;
mod places;
mod talkers;
mod unclear;

/// Tries to bind a port in every way, and prints which ways there are: options and address.
const RIVALS: &str = "
import socket, sys
port = int(sys.argv[1])
for options in [(), ('SO_REUSEADDR',), ('SO_REUSEPORT',), ('SO_REUSEADDR', 'SO_REUSEPORT')]:
    for family, address in [(socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'), (socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')]:
        with socket.socket(family) as rival:
            if address == '::':
                rival.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            for option in options:
                rival.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
            try:
                rival.bind((address, port))
                print('+'.join(options) or 'plain', address)
            except OSError:
                pass
";

/// The ways in which a rival gets in.
#[track_caller]
pub(crate) fn ways_in(sandbox: &Sandbox, port: u16) -> Vec<String> {
    let rivals = sandbox.program("python3").words("-c").arg(RIVALS).arg(port.to_string()).ok();
    rivals.stdout.lines().map(str::to_owned).collect()
}

/// Holds the port.
#[track_caller]
pub(crate) fn hold(sandbox: &Sandbox, words: &str) -> (Value, HolderProcess) {
    let answer = sandbox.portkeeper(format!("reserve {words}")).ok().json();
    let holder = HolderProcess::of(&answer);
    (answer, holder)
}

/// Whether another program can bind the ports, on the loopback addresses that there are and without any option. (A process of its own:
/// while this one starts another, that has copies of all its sockets for a moment.)
pub(crate) fn are_bindable(sandbox: &Sandbox, ports: &[u16]) -> bool {
    let six = |port: &u16| if has_ipv6() { format!(" [::1]:{port}") } else { String::new() };
    let addresses: String = ports.iter().map(|port| format!(" 127.0.0.1:{port}{}", six(port))).collect();
    sandbox.stand_in_run(&format!("bind{addresses}")).run().code() == Some(0)
}

/// Whether another program can bind the port.
pub(crate) fn is_bindable(sandbox: &Sandbox, port: u16) -> bool {
    are_bindable(sandbox, &[port])
}
