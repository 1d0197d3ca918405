//! Real sockets, each on a port that the kernel has just given away.

use std::net::{TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::probe::bind::bind;
use crate::probe::eventually;
use crate::skip::ipv6_or_skip;
#[cfg(target_os = "linux")]
use crate::skip::skipped;

const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
const EVERYWHERE: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
const EVERYWHERE_6: [IpAddr; 1] = [IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

/// A socket of another program, bound with the options that make the difference.
fn rival(address: &str, kind: Type, prepare: impl Fn(&Socket)) -> (Socket, Port) {
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
    prepare(&socket);
    socket.bind(&address.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, Port::new(port).unwrap())
}

fn tcp(port: Port, addresses: &[IpAddr]) -> PortState {
    probe(Protocol::Tcp, port, addresses).unwrap()
}

/// A port that was free a moment ago on every address, of remnants, too.
fn free_port() -> Port {
    rival("[::]:0", Type::STREAM, |_| {}).1
}

#[test]
fn a_port_that_nobody_has_is_free() {
    if !ipv6_or_skip() {
        return;
    }
    let port = free_port();
    for addresses in [&LOCALHOST[..], &EVERYWHERE, &EVERYWHERE_6, &[LOCALHOST[0], EVERYWHERE[0], EVERYWHERE_6[0]]] {
        eventually(|| tcp(port, addresses) == PortState::Free);
        eventually(|| probe(Protocol::Udp, port, addresses).unwrap() == PortState::Free);
    }
}

#[test]
fn a_listener_takes_the_port_on_its_address_and_on_the_wildcards() {
    if !ipv6_or_skip() {
        return;
    }
    let port = free_port();
    let _listener = TcpListener::bind((Ipv6Addr::LOCALHOST, port.get())).unwrap();
    for addresses in [&LOCALHOST[..], &EVERYWHERE, &EVERYWHERE_6] {
        assert_eq!(tcp(port, addresses), PortState::Taken, "{addresses:?}");
    }
    eventually(|| tcp(port, &LOCALHOST[..1]) == PortState::Free);
}

#[test]
fn a_listener_on_a_wildcard_takes_the_port_everywhere() {
    for wildcard in ["0.0.0.0:0", "[::]:0"] {
        let (listener, port) = rival(wildcard, Type::STREAM, |_| {});
        listener.listen(1).unwrap();
        for addresses in [&LOCALHOST[..], &LOCALHOST[..1], &EVERYWHERE, &EVERYWHERE_6] {
            assert_eq!(tcp(port, addresses), PortState::Taken, "{wildcard}, {addresses:?}");
        }
    }
}

#[test]
fn a_socket_that_shares_its_port_takes_it_all_the_same() {
    let reuse_address = |socket: &Socket| socket.set_reuse_address(true).unwrap();
    let (listener, port) = rival("127.0.0.1:0", Type::STREAM, reuse_address);
    listener.listen(1).unwrap();
    assert_eq!(tcp(port, &LOCALHOST), PortState::Taken);

    #[cfg(unix)]
    {
        let reuse_port = |socket: &Socket| socket.set_reuse_port(true).unwrap();
        let (listener, port) = rival("0.0.0.0:0", Type::STREAM, reuse_port);
        listener.listen(1).unwrap();
        assert_eq!(tcp(port, &LOCALHOST), PortState::Taken);
    }
}

#[test]
fn a_port_that_is_bound_but_not_listened_on_is_taken() {
    if !ipv6_or_skip() {
        return;
    }
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let (_rival, port) = rival(address, Type::STREAM, |_| {});
        assert_eq!(tcp(port, &LOCALHOST), PortState::Taken, "{address}");
        let (_rival, port) = rival(address, Type::STREAM, |socket| socket.set_reuse_address(true).unwrap());
        assert_eq!(tcp(port, &LOCALHOST), PortState::Taken, "{address} with SO_REUSEADDR");
    }
}

#[test]
fn a_udp_socket_takes_the_udp_port_only() {
    if !ipv6_or_skip() {
        return;
    }
    let port = free_port();
    let _socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port.get())).unwrap();
    assert_eq!(probe(Protocol::Udp, port, &LOCALHOST).unwrap(), PortState::Taken);
    assert_eq!(probe(Protocol::Udp, port, &EVERYWHERE_6).unwrap(), PortState::Taken);
    eventually(|| tcp(port, &LOCALHOST) == PortState::Free);
}

/// A connection whose server's end closed first, and whose listener is gone.
#[cfg(target_os = "linux")]
fn connection_after_the_server() -> (TcpStream, Port) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port.get())).unwrap();
    drop(listener.accept().unwrap());
    (client, port)
}

#[test]
#[cfg(target_os = "linux")]
fn remnants_of_connections_linger() {
    if !ipv6_or_skip() {
        return;
    }
    use std::io::Read;

    let (mut client, port) = connection_after_the_server();
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the server's end has closed");
    eventually(|| tcp(port, &LOCALHOST) == PortState::Lingering);
    drop(client);
    eventually(|| tcp(port, &LOCALHOST) == PortState::Lingering);
    eventually(|| tcp(port, &EVERYWHERE) == PortState::Lingering);

    let (_rival, _) =
        rival(&format!("127.0.0.1:{port}"), Type::STREAM, |socket| socket.set_reuse_address(true).unwrap());
    assert_eq!(tcp(port, &LOCALHOST), PortState::Taken, "bound beside the remnant");
}

#[test]
fn a_connection_that_a_process_still_has_takes_the_port() {
    if !ipv6_or_skip() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port.get())).unwrap();
    let _server = listener.accept().unwrap();
    drop(listener);
    assert_eq!(tcp(port, &LOCALHOST), PortState::Taken);
}

#[test]
fn a_connection_from_the_port_takes_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = Port::new(client.local_addr().unwrap().port()).unwrap();
    assert_eq!(tcp(port, &LOCALHOST), PortState::Taken);
}

#[test]
fn whoever_accepts_connections_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
    assert!(is_answered(port, &LOCALHOST).unwrap() && is_answered(port, &EVERYWHERE).unwrap());
    assert!(!is_answered(port, &LOCALHOST[1..]).unwrap());
}

#[test]
fn what_is_bound_for_the_test_does_not_answer_itself() {
    if !ipv6_or_skip() {
        return;
    }
    let port = free_port();
    let ours: Vec<_> = LOCALHOST
        .iter()
        .map(|&address| bind(Protocol::Tcp, SocketAddr::new(address, port.get()), Sharing::Nothing).unwrap())
        .collect();
    assert!(!is_answered(port, &LOCALHOST).unwrap());
    drop(ours);
}

#[test]
fn an_address_of_another_machine_cannot_be_probed() {
    // No machine has TEST-NET-2 (RFC 5737).
    let error = probe(Protocol::Tcp, free_port(), &["198.51.100.7".parse().unwrap()]).unwrap_err();
    assert!(error.to_string().starts_with("198.51.100.7 is not an address of this machine"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_privileged_port_is_denied_to_a_user() {
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if start.trim() == "0" {
        skipped("here every user may bind every port");
    } else if !rustix::process::geteuid().is_root() {
        port_1_is_denied();
    } else {
        port_1_is_denied_in_the_shoes_of_a_user();
    }
}

#[cfg(target_os = "linux")]
fn port_1_is_denied_in_the_shoes_of_a_user() {
    let run = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "probe::port::tests::port_1_is_denied", "--ignored", "--quiet"])
        .output();
    match run.as_ref().map(|output| output.status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(101)) => panic!("{run:?}"),
        _ => skipped(format_args!("cannot become an ordinary user: {run:?}")),
    }
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "run by `a_privileged_port_is_denied_to_a_user`"]
fn port_1_is_denied() {
    let error = probe(Protocol::Tcp, Port::new(1).unwrap(), &LOCALHOST).unwrap_err();
    assert!(matches!(error, ProbeError::Denied { .. }), "{error}");
    assert!(error.to_string().starts_with("this user may not bind tcp port 1 "), "{error}");
}
