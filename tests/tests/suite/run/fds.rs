//! Sockets that the command is started with, exactly as sd_listen_fds(3) has it.

use std::net::TcpStream;

use portkeeper_tests::{Ports, Server, ask, ipv6_or_skip, program_or_skip};

use super::address;
use crate::sandbox;

/// What a program can see of its sockets.
const LOOK: &str = "
import os, socket
assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']
count = int(os.environ['LISTEN_FDS'])
print(os.environ['LISTEN_FDNAMES'], os.environ['PORT'])
for fd in range(3, 3 + count):
    assert os.get_inheritable(fd), fd
    passed = socket.socket(fileno=fd)
    print(fd, passed.getsockname()[0], passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
for fd in range(3 + count, 64):
    try:
        assert not os.readlink(f'/proc/self/fd/{fd}').startswith('socket:'), fd
    except FileNotFoundError:
        pass
";

#[test]
fn a_program_finds_its_sockets_where_systemd_puts_them() {
    if !ipv6_or_skip() {
        return;
    }
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let run = |options: &str| {
        let options = format!("run --handover fds --range {ports} {options} -- python3 -c");
        sandbox.portkeeper(options).arg(LOOK).ok().stdout
    };
    let port = ports.first();
    assert_eq!(run(""), format!("PORT {port}\n3 127.0.0.1 1\n"), "the address that the command is told");
    assert_eq!(run("--count 2 --env-key API --env-key WEB"), format!("API:WEB {port}\n3 127.0.0.1 1\n4 127.0.0.1 1\n"));
    assert_eq!(run("--host localhost"), format!("PORT:PORT {port}\n3 127.0.0.1 1\n4 ::1 1\n"));
}

#[test]
fn a_rust_server_takes_its_socket() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let command = format!("--handover fds --port {} -- {} fds", ports.first(), sandbox.stand_in_path());
    let server = Server::start(&sandbox, &command);
    let _ = server.report();
    assert_eq!(ask(address("127.0.0.1", &ports)).unwrap().trim(), server.server().to_string());
    assert!(TcpStream::connect(address("::1", &ports)).is_err(), "kept, but not listened on");
}

#[test]
fn clients_that_come_before_the_server_wait_for_it() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!("LISTEN_PID=$$ exec {} fds", sandbox.stand_in_path());
    let server = Server::prepare(&sandbox, &format!("--handover fds --port {}", ports.first()), &script);
    let early = std::thread::spawn({
        let address = address("127.0.0.1", &ports);
        move || ask(address)
    });
    server.go();
    assert_eq!(early.join().unwrap().unwrap().trim(), server.server().to_string());
}

#[test]
fn udp_sockets_are_passed_too() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let look = "import socket; print(socket.socket(fileno=3).getsockname())";
    let run = sandbox.portkeeper(format!("run --protocol udp --handover fds --port {} -- python3 -c", ports.first()));
    assert_eq!(run.arg(look).ok().stdout, format!("('127.0.0.1', {})\n", ports.first()));
}
