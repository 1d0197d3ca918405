//! Another program, for portkeeper to meet. It says `ready` once it is, and ends with its standard input or when it is killed.
//!
//! `stand-in live`, `stand-in listen ADDRESS:PORT...`, `stand-in bind ADDRESS:PORT...` (bound, not listening),
//! `stand-in udp ADDRESS:PORT...`. IPv6 sockets take no IPv4 connections, but in the mode `dual`. In the mode `reuseport` others
//! may listen beside it. In the mode `fork` two processes more have its sockets, and say nothing; they outlive it by a minute.
//! In the mode `accept` it takes every client, and lets it go immediately.
//! `stand-in http STATUS ADDRESS:PORT` answers every request with that status.
//!
//! `stand-in say SOCKET MESSAGE` says one message to a Unix socket (SEQPACKET) and prints the answer; nothing where the other side hangs up.
//!
//! `as UID` before the mode makes it another user's once its sockets are open, or before it says something.
//!
//! Servers, which send each client their pid: `stand-in serve ADDRESS:PORT...` binds as any Rust server does, `stand-in fds` takes the
//! sockets that it was started with. `stand-in cost ADDRESS:PORT` prints what binding the address takes, binding any other port, and a
//! call that has nothing to do with it, in nanoseconds each.
//!
//! `stand-in storm COUNT ADDRESS:PORT` asks the kernel for any port, COUNT times by bind(0) and COUNT times by connecting to the address,
//! where it listens itself, and says which ports it was given.

use std::collections::BTreeSet;
use std::io::{Read, Write, stdin, stdout};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::FdFlags;
use socket2::{Domain, Socket, Type};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let user = arguments.next_if(|word| word == "as").and_then(|_| arguments.next()).and_then(|uid| uid.parse().ok());
    // What `conmon` is given about its container.
    let _ = arguments.next_if(|word| word == "-c").and_then(|_| arguments.next());
    let mode = arguments.next().unwrap_or_default();
    if mode == "storm" {
        let count = arguments.next().and_then(|count| count.parse().ok()).expect("COUNT");
        let ports = storm(count, arguments.next().and_then(|address| address.parse().ok()).expect("ADDRESS:PORT"))?;
        return writeln!(stdout(), "{ports:?}");
    }
    if mode == "say" {
        become_user(user)?;
        let (path, message) = (arguments.next().expect("SOCKET"), arguments.next().expect("MESSAGE"));
        return writeln!(stdout(), "{}", said(&path, &message)?);
    }
    match mode.as_str() {
        "serve" => return serve(arguments.map(TcpListener::bind).collect::<std::io::Result<_>>()?),
        "fds" => return serve(passed()?),
        "cost" => return cost(arguments.next().unwrap_or_default().parse().expect("ADDRESS:PORT")),
        _ => {}
    }
    let status = arguments.next_if(|_| mode == "http").unwrap_or_default();
    let sockets = arguments.map(|address| open(&mode, address.parse().expect("ADDRESS:PORT")));
    let sockets = sockets.collect::<std::io::Result<Vec<_>>>()?;
    become_user(user)?;
    if mode == "fork" {
        share(&sockets)?;
    }
    writeln!(stdout(), "ready")?;
    if mode == "accept" {
        return accept(sockets);
    }
    if mode == "http" {
        return sockets.into_iter().try_for_each(|socket| answer(&socket.into(), &status));
    }
    stdin().read_to_end(&mut Vec::new())?;
    drop(sockets);
    Ok(())
}

fn become_user(uid: Option<u32>) -> std::io::Result<()> {
    Ok(uid.map_or(Ok(()), |uid| rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(uid)))?)
}

/// The answer to a message, empty where there is none.
fn said(path: &str, message: &str) -> std::io::Result<String> {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    socket.connect(&socket2::SockAddr::unix(path)?)?;
    // A peer that does not want to hear it may have hung up by now: that is an answer, too.
    let _ = socket.send(message.as_bytes());
    let mut answer = [0; 4096];
    let length = (&socket).read(&mut answer).unwrap_or_default();
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn open(mode: &str, address: SocketAddr) -> std::io::Result<Socket> {
    let kind = if mode == "udp" { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(mode != "dual")?;
    }
    socket.set_reuse_port(mode == "reuseport")?;
    socket.bind(&address.into())?;
    if ["listen", "dual", "reuseport", "fork", "http"].contains(&mode) {
        socket.listen(16)?;
    }
    if mode == "accept" {
        socket.listen(1024)?;
        socket.set_nonblocking(true)?;
    }
    Ok(socket)
}

/// Takes clients until the standard input ends, so that no queue of a listener is ever full.
fn accept(sockets: Vec<Socket>) -> std::io::Result<()> {
    let listeners: Vec<TcpListener> = sockets.into_iter().map(Into::into).collect();
    loop {
        let input = stdin();
        let mut waiting = vec![PollFd::new(&input, PollFlags::IN)];
        waiting.extend(listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)));
        poll(&mut waiting, None)?;
        if !waiting[0].revents().is_empty() {
            return Ok(());
        }
        for (listener, _) in listeners.iter().zip(&waiting[1..]).filter(|(_, waiting)| !waiting.revents().is_empty()) {
            while listener.accept().is_ok() {}
        }
    }
}

/// As a server that forks: its workers have the same sockets.
fn share(sockets: &[Socket]) -> std::io::Result<()> {
    sockets.iter().try_for_each(|socket| rustix::io::fcntl_setfd(socket, FdFlags::empty()))?;
    (0..2).try_for_each(|_| Command::new("sleep").arg("60").stdout(std::process::Stdio::null()).spawn().map(drop))
}

fn answer(listener: &TcpListener, status: &str) -> std::io::Result<()> {
    for stream in listener.incoming() {
        let mut stream = stream?;
        // A client that only looks whether a server is there has gone already.
        if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
            let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    }
    Ok(())
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

fn cost(address: SocketAddr) -> std::io::Result<()> {
    let other = SocketAddr::new(address.ip(), 0);
    let bind = |address: SocketAddr| -> std::io::Result<u128> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        let start = Instant::now();
        socket.bind(&address.into())?;
        Ok(start.elapsed().as_nanos())
    };
    for address in [address, other] {
        let times = (0..200).map(|_| bind(address)).collect::<std::io::Result<Vec<_>>>()?;
        writeln!(stdout(), "{}", times.iter().sum::<u128>() / times.len() as u128)?;
    }
    let calls = 200_000;
    let start = Instant::now();
    for _ in 0..calls {
        let _ = rustix::process::getppid();
    }
    writeln!(stdout(), "{}", start.elapsed().as_nanos() / calls)
}
