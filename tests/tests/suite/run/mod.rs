//! `portkeeper run`: what the command is given, what it gets, and who stays outside.

mod binds;
mod command;
mod fallback;
mod fds;
mod left;
mod rivals;
mod self_tests;
mod servers;
mod signals;
mod terminal;
mod truth;
mod unseen;

use std::net::SocketAddr;

use portkeeper_tests::{Loop, Ports, Sandbox, tell};

const EVERYWHERE: [&str; 4] = ["127.0.0.1", "::1", "0.0.0.0", "::"];

/// A script that starts a server again whenever it is killed, and ends when the test does.
fn restarting(sandbox: &Sandbox, address: &str) -> String {
    format!("until {} serve {address}:$PORT; do :; done", sandbox.stand_in_path())
}

fn address(ip: &str, ports: &Ports) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), ports.first())
}

/// A rival on the addresses, with and without `SO_REUSEADDR`.
fn rival(ports: &Ports, ips: &[&str]) -> Loop {
    let addresses: Vec<_> = ips.iter().map(|ip| address(ip, ports)).collect();
    Loop::of_rivals(&addresses)
}

#[track_caller]
fn assert_never_won(how: &str, rival: Loop) {
    let counts = rival.stop();
    tell(format_args!("{how}: a rival tried to bind {} times and won {} times", counts.tries, counts.successes));
    assert!(counts.tries > 100, "{how}: the rival hardly tried: {counts:?}");
    assert_eq!(counts.successes, 0, "{how}: the rival");
}

/// None of the clients was refused.
#[track_caller]
fn assert_no_client_refused(how: &str, clients: Loop) {
    let counts = clients.stop();
    let refused = counts.tries - counts.successes;
    tell(format_args!("{how}: a client connected {} times and was refused {refused} times", counts.tries));
    assert!(counts.tries > 100, "{how}: the client hardly tried: {counts:?}");
    assert_eq!(refused, 0, "{how}: clients");
}
