//! Real sockets: the server's, ours, and rivals of every kind.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::GuardedPort;
use crate::hold::{Claim, claim};
use crate::model::{HoldKind, Port, Protocol};
use crate::skip::ipv6_or_skip;

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn keep(addresses: &[IpAddr]) -> GuardedPort {
    let mut ports = std::iter::repeat_with(|| Port::new(fastrand::u16(20_000..32_000)).unwrap());
    let held = ports.find_map(|port| match claim(HoldKind::Gated, Protocol::Tcp, port, addresses, false).unwrap() {
        Claim::Held(held) => Some(held),
        Claim::NotHeld(_) => None,
    });
    GuardedPort::new(held.unwrap()).unwrap()
}

fn address(ip: &str, port: &GuardedPort) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port.port.get())
}

fn socket(address: SocketAddr) -> Socket {
    Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap()
}

/// Whether a program with these options could bind, or even listen.
fn gets_in(address: SocketAddr, reuse_address: bool, reuse_port: bool) -> bool {
    let rival = socket(address);
    rival.set_reuse_address(reuse_address).unwrap();
    rival.set_reuse_port(reuse_port).unwrap();
    match rival.bind(&address.into()) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{address}");
            false
        }
        Ok(()) => true,
    }
}

#[track_caller]
fn keeps_everyone_out(port: &GuardedPort) {
    for ip in ["127.0.0.1", "0.0.0.0", "::"] {
        for (reuse_address, reuse_port) in [(false, false), (true, false), (false, true), (true, true)] {
            let address = address(ip, port);
            assert!(!gets_in(address, reuse_address, reuse_port), "{address}, {reuse_address}, {reuse_port}");
        }
    }
}

fn connect(port: &GuardedPort) -> io::Result<TcpStream> {
    TcpStream::connect(address("127.0.0.1", port))
}

#[test]
fn a_wildcard_server_joins_and_then_keeps_the_port_by_itself() {
    if !ipv6_or_skip() {
        return;
    }
    for ip in ["0.0.0.0", "::"] {
        let mut port = keep(&LOOPBACK);
        port.listen_early(&LOOPBACK[..1]).unwrap();
        keeps_everyone_out(&port);
        let wanted = address(ip, &port);
        let server = socket(wanted);
        let joined = port.join(server.try_clone().unwrap(), wanted).unwrap();
        assert!(port.sockets[joined].is(&server) && port.sockets[joined].listens());
        assert_eq!(port.sockets.len(), if ip == "::" { 1 } else { 2 }, "what it covers is closed");
        keeps_everyone_out(&port);
        connect(&port).unwrap();
        drop(server);
        keeps_everyone_out(&port);
        // It comes again, and finds the socket of its predecessor.
        let again = port.listen(port.position(wanted, false).unwrap()).unwrap();
        assert!(port.sockets[again].listens());
        connect(&port).unwrap();
    }
}

#[test]
fn a_server_on_one_address_joins_beside_a_wildcard_that_stays() {
    let mut port = keep(&[Ipv4Addr::UNSPECIFIED.into()]);
    port.listen_early(&[Ipv4Addr::UNSPECIFIED.into()]).unwrap();
    let wanted = address("127.0.0.1", &port);
    let server = socket(wanted);
    port.join(server.try_clone().unwrap(), wanted).unwrap();
    assert_eq!(port.sockets.len(), 3, "0.0.0.0 and :: go on keeping the other addresses");
    connect(&port).unwrap();
    let elsewhere = SocketAddr::new("127.0.0.2".parse().unwrap(), port.port.get());
    assert_eq!(TcpStream::connect(elsewhere).unwrap_err().kind(), ErrorKind::ConnectionRefused, "not its server's");
    assert!(!gets_in(elsewhere, true, true));
    keeps_everyone_out(&port);
    // The next one wants the wildcard after all.
    drop(server);
    let wildcard = port.position(address("0.0.0.0", &port), false).unwrap();
    port.listen(wildcard).unwrap();
    keeps_everyone_out(&port);
    connect(&port).unwrap();
    TcpStream::connect(elsewhere).unwrap();
}

#[test]
fn whoever_cannot_join_changes_nothing() {
    if !ipv6_or_skip() {
        return;
    }
    let mut port = keep(&LOOPBACK);
    port.listen_early(&LOOPBACK[..1]).unwrap();
    // Another program on an address that is not ours.
    let foreign = socket(address("127.0.0.3", &port));
    foreign.bind(&address("127.0.0.3", &port).into()).unwrap();
    let wanted = address("0.0.0.0", &port);
    let error = port.join(socket(wanted), wanted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    connect(&port).unwrap();
    keeps_everyone_out(&port);
}

#[test]
fn refused_clients_come_again_whatever_lingers() {
    if !ipv6_or_skip() {
        return;
    }
    let port = keep(&LOOPBACK);
    let kept = &port.sockets[0];
    kept.listen().unwrap();
    // One connection that is open on both sides, and one that its server has closed first.
    let _client = connect(&port).unwrap();
    let _server = kept.socket.accept().unwrap();
    let closed_first = connect(&port).unwrap();
    drop(kept.socket.accept().unwrap());
    drop(closed_first);
    kept.refuse();
    assert_eq!(connect(&port).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    keeps_everyone_out(&port);
    kept.listen().unwrap();
    connect(&port).unwrap();
    keeps_everyone_out(&port);
}

#[test]
fn clients_of_nobody_are_refused_when_patience_ends() {
    if !ipv6_or_skip() {
        return;
    }
    let mut port = keep(&LOOPBACK);
    port.listen_early(&LOOPBACK[..1]).unwrap();
    let start = Instant::now();
    port.refuse_unserved(start + Duration::from_secs(9), Duration::from_secs(10), Duration::ZERO);
    connect(&port).unwrap();
    port.refuse_unserved(start + Duration::from_secs(11), Duration::from_secs(10), Duration::ZERO);
    assert_eq!(connect(&port).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    keeps_everyone_out(&port);
}

/// Clients that come and go leave connections on the port that are just being made or unmade when a server joins.
#[test]
fn a_server_that_joins_under_load_brings_nobody_with_it() {
    if !ipv6_or_skip() {
        return;
    }
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    let (held, wins) = (AtomicU32::new(0), AtomicU32::new(0));
    let over = AtomicBool::new(false);
    let first = keep(&LOOPBACK);
    let number = first.port;
    drop(first);
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), number.get());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = TcpStream::connect(at("127.0.0.1"));
                }
            });
        }
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // Odd while the port is held.
                let before = held.load(Ordering::SeqCst);
                let rival = socket(at("0.0.0.0"));
                rival.set_reuse_address(true).unwrap();
                let got_in = before % 2 == 1 && rival.bind(&at("0.0.0.0").into()).is_ok();
                if got_in && held.load(Ordering::SeqCst) == before {
                    wins.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for round in 0..300 {
            let ip = ["0.0.0.0", "::"][round % 2];
            let mut claims =
                std::iter::repeat_with(|| claim(HoldKind::Gated, Protocol::Tcp, number, &LOOPBACK, false).unwrap());
            let claimed = claims.find_map(|claim| match claim {
                Claim::Held(held) => Some(held),
                Claim::NotHeld(_) => None,
            });
            let mut port = GuardedPort::new(claimed.unwrap()).unwrap();
            held.fetch_add(1, Ordering::SeqCst);
            port.listen_early(&LOOPBACK[..1]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
            port.join(socket(at(ip)), at(ip)).unwrap();
            held.fetch_add(1, Ordering::SeqCst);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(wins.into_inner(), 0);
}
