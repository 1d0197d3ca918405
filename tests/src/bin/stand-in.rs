//! Another program, for portkeeper to meet. It says `ready` once it is, and ends with its standard input or when it is killed.
//!
//! `stand-in live`, `stand-in listen ADDRESS:PORT...`, `stand-in bind ADDRESS:PORT...` (bound, not listening),
//! `stand-in udp ADDRESS:PORT...`. IPv6 sockets take no IPv4 connections.

use std::io::{Read, Write, stdin, stdout};
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
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
