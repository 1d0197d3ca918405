//! The tables against real sockets.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

use socket2::{Domain, Socket, Type};

use super::*;
use crate::model::{Port, Protocol};
use crate::probe::eventually;
use crate::skip::{ipv6_or_skip, skipped};

const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

#[test]
fn a_listener_is_seen_on_its_port_and_nowhere_else() {
    if !ipv6_or_skip() {
        return;
    }
    for (address, elsewhere) in [("127.0.0.1:0", LOCALHOST[1]), ("[::1]:0", LOCALHOST[0])] {
        let listener = TcpListener::bind(address).unwrap();
        let port = port(listener.local_addr().unwrap().port());
        let sockets = Sockets::read(Protocol::Tcp).unwrap();
        assert!(sockets.listening(port, &LOCALHOST), "{address}");
        assert!(!sockets.listening(port, &[elsewhere]), "{address}");
        drop(listener);
        eventually(|| !Sockets::read(Protocol::Tcp).unwrap().listening(port, &LOCALHOST));
    }
}

#[test]
fn a_dual_stack_listener_is_seen_from_both_families() {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = port(listener.local_addr().unwrap().port());
    let sockets = Sockets::read(Protocol::Tcp).unwrap();
    assert!(sockets.listening(port, &LOCALHOST[..1]) && sockets.listening(port, &LOCALHOST[1..]));
}

#[test]
fn a_udp_socket_listens_in_the_table_of_udp() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = port(socket.local_addr().unwrap().port());
    assert!(Sockets::read(Protocol::Udp).unwrap().listening(port, &LOCALHOST));
    assert!(!Sockets::read(Protocol::Tcp).unwrap().listening(port, &LOCALHOST));
}

#[test]
fn a_bound_socket_does_not_listen() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let port = port(socket.local_addr().unwrap().as_socket().unwrap().port());
    let sockets = Sockets::read(Protocol::Tcp).unwrap();
    assert!(!sockets.listening(port, &LOCALHOST));
    let states: Vec<_> = sockets.occupants(port, &LOCALHOST).iter().map(|occupant| occupant.state).collect();
    match states[..] {
        [SocketState::Bound] => {}
        [] => skipped("this kernel does not show bound sockets (Linux 6.8 does)"),
        _ => panic!("{states:?}"),
    }
}

#[cfg(target_os = "linux")]
mod tables {
    use std::net::TcpStream;

    use super::super::{netlink, proc_net};
    use super::*;
    use crate::probe::Processes;

    #[test]
    fn both_interfaces_of_the_kernel_agree() {
        if !ipv6_or_skip() {
            return;
        }
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let address = listener.local_addr().unwrap();
            let client = TcpStream::connect((address.ip(), address.port()));
            let port = port(address.port());
            let everywhere = [Ipv6Addr::UNSPECIFIED.into()];
            // Remnants of earlier tests, which the other address may have, come and go.
            let seen = |rows| {
                let mut seen = Sockets::new(Protocol::Tcp, rows).occupants(port, &everywhere);
                seen.retain(|occupant| occupant.state != SocketState::Remnant);
                seen
            };
            let by_netlink = seen(netlink::read(Protocol::Tcp).unwrap());
            assert_eq!(by_netlink, seen(proc_net::read(Protocol::Tcp).unwrap()), "{address}");
            assert_eq!(by_netlink.len(), 1 + usize::from(client.is_ok()));
            assert_eq!((by_netlink[0].state, by_netlink[0].address), (SocketState::Listening, address.ip()));
        }
    }

    #[test]
    fn the_program_behind_a_socket_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port(listener.local_addr().unwrap().port());
        let occupants = Sockets::read(Protocol::Tcp).unwrap().occupants(port, &LOCALHOST);
        assert_eq!(occupants[0].uid, Some(rustix::process::geteuid().as_raw()));
        let inode = occupants[0].inode.unwrap();
        let processes = Processes::read();
        assert_eq!(processes.of(inode, None).unwrap().pid, std::process::id());
        assert!(!processes.of(inode, None).unwrap().command.is_empty());
        assert_eq!(processes.of(0, None), None, "no socket has this inode");
    }
}
