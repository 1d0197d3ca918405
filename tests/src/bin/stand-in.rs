//! Another program, for portkeeper to meet. It says `ready` once it is, and ends with its standard input or when it is killed.
//!
//! `stand-in live`, `stand-in listen ADDRESS:PORT...`, `stand-in bind ADDRESS:PORT...` (bound, not listening),
//! `stand-in udp ADDRESS:PORT...`. IPv6 sockets take no IPv4 connections.
//!
//! Servers, which tell each client their pid: `stand-in serve ADDRESS:PORT...` binds as any Rust server does, `stand-in fds` takes
//! the sockets that it was started with.

use std::io::{Read, Write, stdin, stdout};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use socket2::{Domain, Socket, Type};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    match mode.as_str() {
        "serve" => return serve(arguments.map(TcpListener::bind).collect::<std::io::Result<_>>()?),
        "fds" => return serve(passed()?),
        _ => {}
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

/// All TCP sockets that this process was started with.
fn passed() -> std::io::Result<Vec<TcpListener>> {
    let mut passed = listenfd::ListenFd::from_env();
    (0..passed.len()).filter_map(|index| passed.take_tcp_listener(index).transpose()).collect()
}

fn serve(listeners: Vec<TcpListener>) -> std::io::Result<()> {
    writeln!(stdout(), "ready {}", listeners.len())?;
    for listener in listeners {
        thread::spawn(move || {
            for client in listener.incoming() {
                let _ = client.and_then(|mut client| writeln!(client, "{}", std::process::id()));
            }
        });
    }
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
