//! Where a server cannot be watched as it binds, and what is done then.

use portkeeper_tests::{Ports, Server, ask, program_or_skip, skipped};
use rustix::process::Signal;

use serde_json::json;

use super::address;
use crate::sandbox;

#[test]
fn a_run_within_a_run_says_that_it_is_watched_already() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (outer, inner) = (ports.at(0), ports.at(1));
    let nested = |how: &str| {
        sandbox.shell(&format!("portkeeper run --port {outer} -- portkeeper run --port {inner} {how} -- true"))
    };
    nested("").ok().says("no adopt here: another program, perhaps another `portkeeper run`, is watching already");
    nested("--handover adopt").refused(125).says("--handover adopt is not possible here");
    let _ = nested("--handover fds").ok();
    let _ = nested("--handover release").ok();
}

#[test]
fn an_unwatched_server_binds_through_the_open_gate() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (outer, inner) = (ports.at(0), ports.at(1));
    let script = format!(
        "portkeeper run --port {inner} --report inner.json -- {} serve 127.0.0.1:{inner}",
        sandbox.stand_in_path()
    );
    let running = sandbox.shell(&format!("portkeeper run --port {outer} -- {script}")).command();
    let _running = portkeeper_tests::StandIn::start(running);
    ask(std::net::SocketAddr::new("127.0.0.1".parse().unwrap(), inner)).unwrap();
    let report = loop {
        let report: serde_json::Value = serde_json::from_str(&sandbox.read("inner.json")).unwrap();
        if report["ports"][0]["server"].is_number() {
            break report;
        }
    };
    assert_eq!(
        (&report["method"], &report["guarantee"]),
        (&"gated".into(), &"soft".into()),
        "and says what that is worth"
    );
    let rival = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    rival.set_reuse_address(true).unwrap();
    let wanted = std::net::SocketAddr::new("127.0.0.1".parse().unwrap(), inner);
    assert!(rival.bind(&wanted.into()).is_err(), "closed while it listens");
}

/// A UDP socket has no gate: two that share a port share it for good.
#[test]
fn an_unwatched_udp_port_is_let_go_and_that_is_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let config = json!({
        "ports": [
            { "key": "WEB", "preferred": ports.at(0) },
            { "key": "DNS", "preferred": ports.at(1), "protocol": "udp" },
        ],
        "outputs": [{ "type": "env" }],
    });
    sandbox.write("pk.config.json", config.to_string());
    let nested = format!(
        "portkeeper run --port {} -- portkeeper run -c pk.config.json --report report.json -- \
         sh -c 'portkeeper status --json >status.json'",
        ports.at(2)
    );
    let dns = ports.at(1);
    sandbox.shell(&nested).ok().says(format!("{dns} (udp): a UDP port has no gate"));
    let report: serde_json::Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
    let of = |index: usize| (report["ports"][index]["method"].clone(), report["ports"][index]["guarantee"].clone());
    assert_eq!((of(0), of(1)), (("gated".into(), "soft".into()), ("release".into(), "advisory".into())), "{report}");
    let status: Vec<serde_json::Value> = serde_json::from_str(&sandbox.read("status.json")).unwrap();
    let udp = status.iter().find(|entry| entry["port"] == dns).expect("a reservation");
    assert_eq!(udp["held"], false, "{udp}");

    let (outer, inner) = (ports.at(2), ports.at(3));
    let alone = format!("portkeeper run --port {outer} -- portkeeper run --protocol udp --port {inner} -- true");
    let outcome = sandbox.shell(&alone).ok();
    outcome.says("So the port is let go just before the server starts");
    assert!(!outcome.stderr.contains("SO_REUSEADDR"), "{outcome}");
}

/// What containers do that don't want their processes to install filters.
#[test]
fn where_seccomp_is_forbidden_it_falls_back_and_says_so() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let forbidding = "
import ctypes, os, platform, struct, sys
number, arch = {'x86_64': (317, 0xC000003E), 'aarch64': (277, 0xC00000B7)}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
program = b''.join(struct.pack('HBBI', *step) for step in steps)
buffer = ctypes.create_string_buffer(program)
header = struct.pack('HxxxxxxP', len(steps), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, header) == 0
os.execvp(sys.argv[1], sys.argv[1:])
";
    sandbox.write("forbid.py", forbidding);
    let run =
        |how: &str| sandbox.shell(&format!("python3 forbid.py portkeeper run {how} --port {} -- true", ports.first()));
    run("").ok().says("no adopt here: a container or another filter forbids seccomp notifications");
    run("--handover adopt").refused(125).says("forbids");
    run("--handover gated").ok().says("no gated here");
}

/// A user without any privilege: the usual user.
#[test]
fn an_ordinary_users_server_is_adopted_and_a_set_user_id_one_is_not() {
    if !rustix::process::geteuid().is_root() || program_or_skip("setpriv").is_none() {
        skipped("root", "only root can become an ordinary user");
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let own = sandbox.root().to_owned();
    let _ = sandbox.program("chown").words("-R 65534:65534").arg(&own).ok();
    let run = |options: &str| {
        let port = ports.first();
        let become_ = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all";
        sandbox.shell(&format!("{become_} portkeeper run --port {port} --report report.json {options}"))
    };
    let script = format!("-- {} serve 127.0.0.1:{}", sandbox.stand_in_path(), ports.first());
    let stand_in = portkeeper_tests::StandIn::start(run(&script).command());
    ask(address("127.0.0.1", &ports)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
    assert_eq!((&report["method"], &report["guarantee"]), (&"adopt".into(), &"exclusive".into()));
    drop(stand_in);
    // A process that portkeeper was just forking when it was killed has the port for an instant.
    while std::net::TcpStream::connect(address("127.0.0.1", &ports)).is_ok() {}

    // A copy of a harmless program that gets root's rights when it starts.
    let _ = sandbox.shell("cp /bin/true set-id && chown 0:0 set-id && chmod 4755 set-id").ok();
    run("-- ./set-id").ok().says("set-id gets privileges when it starts, which a watched program does not");
    run("--handover adopt -- ./set-id").refused(125).says("set-id");
}

/// Its system calls have other numbers, and so the filter does not see them.
#[test]
fn a_server_of_32_bits_binds_through_the_open_gate() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("server.c", include_str!("server_i386.c"));
    let options = "-m32 -O1 -ffreestanding -fno-stack-protector -fno-pic -no-pie -nostdlib -static";
    let compiled = sandbox.shell(&format!("cc {options} -DPORT={} -o server server.c", ports.first())).run();
    if compiled.code() != Some(0) {
        skipped("i386", &format!("the C compiler makes no programs of 32 bits: {compiled}"));
        return;
    }
    let why = "server is a 32-bit program, whose calls are not watched";
    let port = ports.first();
    sandbox.portkeeper(format!("run --port {port} --handover adopt -- ./server")).refused(125).says(why);

    let server = Server::start(&sandbox, &format!("--port {port} -- ./server"));
    let report = server.ready();
    assert_eq!((&report["method"], &report["guarantee"]), (&"gated".into(), &"soft".into()));
    assert!(report["notes"].to_string().contains(why), "{report}");
    let _client = std::net::TcpStream::connect(address("127.0.0.1", &ports)).unwrap();
    let _ = server.stop(Signal::TERM);

    // Started by a program that is watched, it finds the port taken: no process binds past a hold.
    let within = sandbox.portkeeper(format!("run --port {port} -- sh -c")).arg("./server; echo it ended with $?");
    let (outcome, in_use) = (within.ok(), rustix::io::Errno::ADDRINUSE.raw_os_error());
    assert!(outcome.stdout.contains(&format!("it ended with {in_use}")), "{outcome}");
}

#[test]
fn released_the_port_is_free_and_that_is_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!("{} serve 127.0.0.1:$PORT", sandbox.stand_in_path());
    let run = sandbox.portkeeper(format!("run --handover release --port {} -- sh -c", ports.first())).arg(script);
    run.ok().says("by release: let go just before it started");
    let server = Server::prepare(&sandbox, &format!("--handover release --port {}", ports.first()), "sleep 600");
    assert_eq!(server.report()["guarantee"], "advisory");
    server.go();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::net::TcpListener::bind(address("127.0.0.1", &ports)).is_err() {
        assert!(std::time::Instant::now() < deadline, "it was not let go");
    }
    let _ = server.stop(Signal::TERM);
}

/// Build tools leave processes behind, which must not find out one day that they cannot bind any more.
#[test]
fn what_a_command_leaves_behind_can_still_bind() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let late = format!(
        "
import os, socket, time
while not os.path.exists('go'):
    time.sleep(0.01)
for port in ({}, {}):
    socket.socket().bind(('127.0.0.1', port))
open('bound', 'w').close()
",
        ports.at(0),
        ports.at(1)
    );
    sandbox.write("late.py", late);
    let script = "python3 late.py <&- >/dev/null 2>&1 &";
    let outcome = sandbox.portkeeper(format!("run --keep-children --port {} -- sh -c", ports.first())).arg(script).ok();
    outcome.is_silent();
    assert_eq!(sandbox.reserved(), [0_u16; 0]);
    sandbox.write("go", "");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !sandbox.has("bound") {
        assert!(std::time::Instant::now() < deadline, "it could not bind");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
