//! Another program, for portkeeper to meet. It says `ready` once it is, and ends with its standard input or when it is killed.
//!
//! `stand-in live`, `stand-in listen ADDRESS:PORT...`, `stand-in bind ADDRESS:PORT...` (bound, not listening),
//! `stand-in udp ADDRESS:PORT...`. IPv6 sockets take no IPv4 connections.
//!
//! `stand-in storm COUNT ADDRESS:PORT` asks the kernel for any port, COUNT times by bind(0) and COUNT times by connecting to the address,
//! where it listens itself, and says which ports it was given.

use std::collections::BTreeSet;
use std::io::{Read, Write, stdin, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    if mode == "storm" {
        let count = arguments.next().and_then(|count| count.parse().ok()).expect("COUNT");
        let ports = storm(count, arguments.next().and_then(|address| address.parse().ok()).expect("ADDRESS:PORT"))?;
        return writeln!(stdout(), "{ports:?}");
    }
    let sockets = arguments.map(|address| open(&mode, address.parse().expect("ADDRESS:PORT")));
    let sockets = sockets.collect::<std::io::Result<Vec<_>>>()?;
    writeln!(stdout(), "ready")?;
    stdin().read_to_end(&mut Vec::new())?;
    drop(sockets);
    Ok(())
}

fn open(mode: &str, address: SocketAddr) -> std::io::Result<Socket> {
    let kind = if mode == "udp" { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    if mode == "listen" {
        socket.listen(16)?;
    }
    Ok(socket)
}

/// The ports that the kernel chose, each once.
fn storm(count: u32, server: SocketAddr) -> std::io::Result<BTreeSet<u16>> {
    let any = SocketAddr::new(server.ip(), 0);
    let listener = open("listen", server)?;
    let mut ports = BTreeSet::new();
    for round in 0..count {
        let bound = Socket::new(Domain::for_address(any), Type::STREAM, None)?;
        bound.set_reuse_address(round % 2 == 0)?;
        bound.bind(&any.into())?;
        ports.insert(port_of(&bound)?);
        drop(bound);
        let client = Socket::new(Domain::for_address(any), Type::STREAM, None)?;
        // Reset instead of closed, so that nothing lingers on the few ports that there are.
        client.set_linger(Some(Duration::ZERO))?;
        client.connect(&server.into())?;
        ports.insert(port_of(&client)?);
        drop(client);
        drop(listener.accept()?);
    }
    Ok(ports)
}

fn port_of(socket: &Socket) -> std::io::Result<u16> {
    Ok(socket.local_addr()?.as_socket().map_or(0, |address| address.port()))
}
