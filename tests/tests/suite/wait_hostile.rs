//! `wait` for servers that are not what they seem, and for names that come and change.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portkeeper_tests::{Namespace, Own, Ports, Run, Sandbox};
use socket2::{Domain, Socket, Type};

use crate::sandbox;

fn wait<'a>(sandbox: &'a Sandbox, words: impl AsRef<str>) -> Run<'a> {
    sandbox.portkeeper("wait").words(words.as_ref())
}

/// A server that does the same with every client, until it is dropped.
struct Peer {
    port: u16,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn start(ports: &Ports, serve: impl Fn(TcpStream, &dyn Fn() -> bool) + Send + Sync + 'static) -> Self {
        let port = ports.first();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let goes_on = || !stopped.load(std::sync::atomic::Ordering::Relaxed);
            let serve = &serve;
            thread::scope(|scope| {
                while let Ok((client, _)) = listener.accept() {
                    if !goes_on() {
                        break;
                    }
                    scope.spawn(move || serve(client, &goes_on));
                }
            });
        });
        Self { port, stop, thread: Some(thread) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// F11: the limit was one for each byte.
#[test]
fn an_answer_byte_by_byte_does_not_outlast_the_time() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _peer = Peer::start(&ports, |mut client, goes_on| {
        let mut bytes = b"HTTP/1.1 ".iter().chain(std::iter::repeat(&b'2'));
        while goes_on() && client.write_all(&[*bytes.next().unwrap()]).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let start = Instant::now();
    let outcome = wait(&sandbox, format!("{} --http / -t 1", ports.first())).exits(1);
    outcome.says(format!("Port {} on localhost does not answer GET /.", ports.first()));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn not_more_is_read_of_an_answer_than_an_answer_has() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (sender, receiver): (_, Receiver<u64>) = channel();
    let sender = std::sync::Mutex::new(sender);
    let _peer = Peer::start(&ports, move |mut client, goes_on| {
        // A line without end, for as long as the client reads it.
        client.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut sent = 0;
        while goes_on() {
            match client.write(&[b'x'; 4096]) {
                Ok(length) => sent += length as u64,
                Err(_) => break,
            }
        }
        let _ = sender.lock().unwrap().send(sent);
    });
    wait(&sandbox, format!("{} --http / -t 1", ports.first())).exits(1).says("does not answer GET /");
    // What the kernel buffers on both sides comes on top, and is no more than a few megabytes for each connection.
    for sent in receiver.try_iter() {
        assert!(sent < 16 << 20, "{sent} bytes were taken");
    }
}

#[test]
fn what_only_announces_an_answer_is_none() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _peer = Peer::start(&ports, |mut client, _| {
        let _ = client.read(&mut [0; 512]);
        let _ = client.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    });
    wait(&sandbox, format!("{} --http / -t 60", ports.first())).ok().is_silent();
}

#[test]
fn that_a_server_speaks_tls_is_said() {
    let answers: [&'static [u8]; 2] = [
        // The alert `unexpected_message`.
        &[21, 3, 1, 0, 2, 2, 10],
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    ];
    for answer in answers {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let _peer = Peer::start(&ports, move |mut client, _| {
            let _ = client.read(&mut [0; 512]);
            let _ = client.write_all(answer);
        });
        let outcome = wait(&sandbox, format!("{} --http / -t 0.5", ports.first())).exits(1);
        outcome.says(format!("Port {} on localhost speaks TLS", ports.first()));
    }
}

#[test]
fn a_server_that_accepts_nobody_is_not_called_absent() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], ports.first()));
    let server = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    server.bind(&address.into()).unwrap();
    server.listen(0).unwrap();
    // Its queue is full when a connection is no longer completed.
    let mut waiting = Vec::new();
    while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(client);
        assert!(waiting.len() < 100, "the queue never fills");
    }
    let outcome = wait(&sandbox, format!("127.0.0.1:{} --occupied -t 1.5", ports.first())).exits(1);
    outcome.says(format!("Port {} on 127.0.0.1 is bound, but takes no connections", ports.first()));
}

/// A machine with a file of hosts of its own, and no other resolver.
struct Hosts {
    namespace: Namespace,
    file: PathBuf,
    sandbox: Sandbox,
}

impl Hosts {
    fn or_skip() -> Option<Self> {
        let (sandbox, namespace) = (sandbox(), Namespace::or_skip(Own::Mounts)?);
        let file = sandbox.write("hosts", "");
        sandbox.write("nsswitch.conf", "hosts: files\n");
        let script = "mount --bind hosts /etc/hosts && mount --bind nsswitch.conf /etc/nsswitch.conf";
        let _ = sandbox.program("sh").words("-c").arg(script).inside(&namespace).ok();
        Some(Self { namespace, file, sandbox })
    }

    fn wait(&self, words: impl AsRef<str>) -> Run<'_> {
        wait(&self.sandbox, words).inside(&self.namespace)
    }

    /// In place: another file would not be the one that is mounted.
    fn are(&self, hosts: &str) {
        fs::write(&self.file, hosts).unwrap();
    }
}

#[test]
fn a_host_may_come_while_there_is_time() {
    let Some(hosts) = Hosts::or_skip() else { return };
    let ports = Ports::take(1);
    let words = format!("db.test:{} --occupied", ports.first());
    hosts.wait(&words).refused(2).says("cannot be resolved");
    let late = hosts.wait(format!("{words} -t 0.2")).exits(1);
    late.says("trying again until the time is up");
    late.says(format!("Port {} not found on db.test: the host cannot be resolved: ", ports.first()));

    let mut waiting = hosts.wait(format!("{words} -t 60")).start();
    let said = waiting.error_line();
    assert!(said.starts_with("the host `db.test` cannot be resolved: "), "{said}");
    let _server = hosts.sandbox.listener("127.0.0.1", ports.first());
    hosts.are("127.0.0.1 db.test\n");
    waiting.finish().expect_code(0);
}

#[test]
fn a_host_that_moves_is_followed() {
    let Some(hosts) = Hosts::or_skip() else { return };
    let ports = Ports::take(1);
    hosts.are("127.0.0.9 db.test\n");
    let _server = hosts.sandbox.listener("127.0.0.1", ports.first());
    for limit in ["-t 60", ""] {
        hosts.are("127.0.0.9 db.test\n");
        let waiting = hosts.wait(format!("db.test:{} --occupied {limit}", ports.first())).start();
        let _ = hosts.wait(format!("db.test:{} --occupied -t 0.3", ports.first())).exits(1);
        hosts.are("127.0.0.1 db.test\n");
        waiting.finish().expect_code(0);
    }
}
