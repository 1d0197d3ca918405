//! Rivals of every kind against real sockets.

use socket2::{Domain, Type};

use super::*;
use crate::skip::ipv6_or_skip;

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// A free port, held.
fn hold(kind: HoldKind, protocol: Protocol, addresses: &[IpAddr]) -> HeldPort {
    let mut ports = std::iter::repeat_with(|| Port::new(fastrand::u16(20_000..32_000)).unwrap());
    ports
        .find_map(|port| match claim(kind, protocol, port, addresses, false).unwrap() {
            Claim::Held(held) => Some(held),
            Claim::NotHeld(_) => None,
        })
        .unwrap()
}

/// Another socket on the port, with the options that make the difference.
fn rival(address: &str, port: Port, kind: Type, reuse_address: bool, reuse_port: bool) -> io::Result<Socket> {
    let address = SocketAddr::new(address.parse().unwrap(), port.get());
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_reuse_address(reuse_address)?;
    socket.set_reuse_port(reuse_port)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[test]
fn a_closed_gate_keeps_every_rival_out() {
    if !ipv6_or_skip() {
        return;
    }
    for addresses in [&LOOPBACK[..], &[Ipv4Addr::UNSPECIFIED.into()]] {
        let held = hold(HoldKind::Gated, Protocol::Tcp, addresses);
        for address in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
            for (reuse_address, reuse_port) in [(false, false), (true, false), (false, true), (true, true)] {
                let in_use = rival(address, held.port, Type::STREAM, reuse_address, reuse_port);
                assert_eq!(
                    in_use.unwrap_err().kind(),
                    ErrorKind::AddrInUse,
                    "{address}, {reuse_address}, {reuse_port}"
                );
            }
        }
    }
}

#[test]
fn a_server_binds_through_the_open_gate_and_stays_when_it_closes() {
    if !ipv6_or_skip() {
        return;
    }
    let held = hold(HoldKind::Gated, Protocol::Tcp, &LOOPBACK);
    held.open_gate().unwrap();
    assert!(rival("127.0.0.1", held.port, Type::STREAM, false, false).is_err(), "only with SO_REUSEADDR");
    let server = rival("127.0.0.1", held.port, Type::STREAM, true, false).unwrap();
    held.close_gate().unwrap();
    assert_eq!(server.listen(1).unwrap_err().kind(), ErrorKind::AddrInUse, "listen(2) asks for the port once more");
    held.open_gate().unwrap();
    server.listen(1).unwrap();
    held.close_gate().unwrap();
    std::net::TcpStream::connect(("127.0.0.1", held.port.get())).unwrap();
    assert!(rival("::", held.port, Type::STREAM, true, false).is_err());
}

#[test]
fn the_open_gate_of_a_wildcard_lets_a_dual_stack_server_in() {
    let held = hold(HoldKind::Gated, Protocol::Tcp, &[Ipv6Addr::UNSPECIFIED.into()]);
    assert_eq!(held.sockets.len(), 2);
    held.open_gate().unwrap();
    rival("::", held.port, Type::STREAM, true, false).unwrap().listen(1).unwrap();
}

#[test]
fn a_soft_hold_yields_to_reuse_address_alone() {
    if !ipv6_or_skip() {
        return;
    }
    let held = hold(HoldKind::Soft, Protocol::Tcp, &LOOPBACK);
    assert!(rival("127.0.0.1", held.port, Type::STREAM, false, false).is_err());
    assert!(rival("127.0.0.1", held.port, Type::STREAM, false, true).is_err());
    rival("127.0.0.1", held.port, Type::STREAM, true, false).unwrap();
}

#[test]
fn udp_is_held_exclusively_or_not_at_all() {
    if !ipv6_or_skip() {
        return;
    }
    let held = hold(HoldKind::Exclusive, Protocol::Udp, &LOOPBACK);
    assert!(rival("0.0.0.0", held.port, Type::DGRAM, true, true).is_err());
    assert_eq!(held.open_gate().unwrap_err().kind(), ErrorKind::Unsupported);
    let soft = claim(HoldKind::Soft, Protocol::Udp, held.port, &["127.0.0.9".parse().unwrap()], false);
    assert!(matches!(soft, Err(ProbeError::Failed { .. })), "{soft:?}");
}

#[test]
fn what_somebody_has_is_not_held() {
    if !ipv6_or_skip() {
        return;
    }
    let held = hold(HoldKind::Soft, Protocol::Tcp, &LOOPBACK);
    let again = claim(HoldKind::Soft, Protocol::Tcp, held.port, &LOOPBACK, true).unwrap();
    assert!(matches!(again, Claim::NotHeld(PortState::Taken)), "two holders would share it: {again:?}");
}

#[test]
fn beside_remnants_a_hold_is_as_tight() {
    if !ipv6_or_skip() {
        return;
    }
    let mut server = hold(HoldKind::Soft, Protocol::Tcp, &LOOPBACK);
    let port = server.port;
    // A connection that its server closed first lingers on the server's port (RFC 9293, 3.3.2).
    let listener = server.sockets.remove(0).socket;
    listener.listen(1).unwrap();
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port.get())).unwrap();
    drop(listener.accept().unwrap());
    io::Read::read(&mut client, &mut [0]).unwrap();
    drop((client, listener, server));

    let mut claims = std::iter::repeat_with(|| claim(HoldKind::Gated, Protocol::Tcp, port, &LOOPBACK, false).unwrap());
    // A process that another test starts has copies of all our sockets for a moment.
    assert!(claims.any(|claim| matches!(claim, Claim::NotHeld(PortState::Lingering))));
    let Claim::Held(held) = claim(HoldKind::Gated, Protocol::Tcp, port, &LOOPBACK, true).unwrap() else {
        panic!("not held")
    };
    for address in ["127.0.0.1", "::1", "::"] {
        assert!(rival(address, port, Type::STREAM, true, false).is_err(), "{address}");
    }
    let listeners = held.into_listeners().expect("beside remnants one can listen, too");
    assert!(rival("127.0.0.1", port, Type::STREAM, true, false).is_err());
    drop(listeners);
}

#[test]
fn what_is_left_of_our_connections_keeps_no_server_away() {
    if !ipv6_or_skip() {
        return;
    }
    let held = hold(HoldKind::Exclusive, Protocol::Tcp, &LOOPBACK);
    let port = held.port;
    let listeners = held.into_listeners().unwrap();
    for (listener, address) in listeners.iter().zip(LOOPBACK) {
        let mut client = std::net::TcpStream::connect((address, port.get())).unwrap();
        drop(listener.accept().unwrap());
        io::Read::read(&mut client, &mut [0]).unwrap();
    }
    drop(listeners);
    // A process that another test starts has copies of all our sockets for a moment.
    let mut tries = std::iter::repeat_with(|| rival("127.0.0.1", port, Type::STREAM, true, false)).take(1000);
    assert!(tries.any(|server| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        server.is_ok()
    }));
}
