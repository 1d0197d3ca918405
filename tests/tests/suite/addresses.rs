//! A port that some process has on another address of the machine: servers listen on all of them, unless they are configured otherwise.

use portkeeper_tests::{Namespace, Own, Run, Sandbox, StandIn};
use serde_json::json;

use crate::sandbox;

/// An address of the machine that is not loopback's (RFC 5737).
const OTHER: &str = "198.51.100.7";

/// In a network of its own, any port will do.
const TAKEN: u16 = 24_000;
const FREE: u16 = 24_001;

/// A network with a second address, and a listener there; two more ports are free. What runs ends before its sandbox does.
struct Machine {
    listener: StandIn,
    network: Namespace,
    sandbox: Sandbox,
}

impl Machine {
    fn or_skip() -> Option<Self> {
        let (sandbox, network) = (sandbox(), Namespace::or_skip(Own::Network)?);
        let _ = sandbox.program("ip").words(&format!("address add {OTHER}/32 dev lo")).inside(&network).ok();
        let listen = sandbox.stand_in_run(&format!("listen {OTHER}:{TAKEN}")).inside(&network);
        let listener = StandIn::start(listen.command());
        Some(Self { listener, network, sandbox })
    }

    fn run(&self, words: impl AsRef<str>) -> Run<'_> {
        self.sandbox.portkeeper(words).inside(&self.network)
    }

    /// `stand-in (pid 4711) is listening on 198.51.100.7:24000`
    fn listener(&self) -> String {
        format!("(pid {}) is listening on {OTHER}:{TAKEN}", self.listener.pid())
    }
}

#[test]
fn it_is_not_chosen() {
    let Some(machine) = Machine::or_skip() else { return };
    let range = format!("{TAKEN}-{FREE}");
    for words in ["--range {}", "--preferred 24000 --range {}", "--range {} --hold", "web --global --range {}"] {
        let words = words.replace("{}", &range);
        assert_eq!(machine.run(format!("reserve {words}")).ok().port(), FREE, "{words}");
        let _ = machine.run("release --all").ok();
    }
    assert_eq!(machine.run(format!("port --range {range} --write-env")).ok().port(), FREE);
    let _ = machine.run("release --all").ok();
    let output = machine.run(format!("run --range {range} -- echo {{PORT}}")).ok();
    assert_eq!(output.stdout, format!("{FREE}\n"));
    assert_eq!(machine.run(format!("pick {range}")).ok().stdout, format!("{FREE}\n"));
    let _ = machine.run(format!("pick {range} -n 2")).exits(1);
    machine.run(format!("reserve --range {range} --count 2")).refused(1).says("1 in use");

    let config = json!({ "ports": [{ "key": "WEB", "preferred": TAKEN }], "outputs": [{ "type": "env" }] });
    machine.sandbox.write("shop/pk.config.json", config.to_string());
    let prepared = machine.run("prepare").within(machine.sandbox.work().join("shop")).ok().json();
    assert_ne!(prepared["reserved"]["WEB"], TAKEN);
}

#[test]
fn every_command_says_the_same_of_it() {
    let Some(machine) = Machine::or_skip() else { return };
    machine.run(format!("pick {TAKEN}")).refused(1).says(machine.listener());
    let why = machine.run(format!("pick --why {TAKEN}")).exits(1);
    assert!(why.stdout.contains("not free") && why.stdout.contains(&machine.listener()), "{why}");
    let explained = machine.run(format!("explain {TAKEN} --json")).ok().json();
    assert_eq!(explained["verdict"], "taken", "{explained}");
}

#[test]
fn the_one_port_that_was_asked_for_is_reserved_and_who_is_there_is_said() {
    let Some(machine) = Machine::or_skip() else { return };
    for words in ["reserve --port 24000", "reserve --port 24000 --hold", "reserve web --global --port 24000"] {
        let answer = machine.run(words).ok();
        answer.says(machine.listener());
        let occupied = &answer.json()["occupied_by"];
        assert_eq!(occupied.as_array().map(Vec::len), Some(1), "{answer}");
        assert_eq!(occupied[0]["pid"], machine.listener.pid(), "{answer}");
        let _ = machine.run("release --all").ok();
    }
    let run = machine.run(format!("run --port {TAKEN} -- echo {{PORT}}")).ok();
    assert_eq!(run.says(machine.listener()).stdout, format!("{TAKEN}\n"));

    machine.run(format!("port web --global --port {TAKEN} --require-free")).refused(1).says(machine.listener());
    let _ = machine.run(format!("port web --global --port {TAKEN}")).ok();
    machine.run("port web --global --require-free").refused(1).says(machine.listener());
}

#[test]
fn with_a_host_only_what_overlaps_it_counts() {
    let Some(machine) = Machine::or_skip() else { return };
    for (host, port) in [("127.0.0.1", TAKEN), ("localhost", TAKEN), ("0.0.0.0", FREE), (OTHER, FREE)] {
        let answer = machine.run(format!("reserve --range {TAKEN}-{FREE} --host {host}")).ok();
        assert_eq!(answer.is_silent().port(), port, "{host}");
        let _ = machine.run("release --all").ok();
        let picked = machine.run(format!("pick {TAKEN} --host {host}")).run();
        assert_eq!(picked.code(), Some(i32::from(port != TAKEN)), "{picked}");
    }
}

/// A server on all addresses has gone, and connections of its clients on the network fade away: last choice, but had.
#[test]
fn remnants_on_another_address_are_the_last_choice() {
    let Some(machine) = Machine::or_skip() else { return };
    let script = "import socket
s = socket.create_server(('198.51.100.7', 24001)); c = socket.create_connection(('198.51.100.7', 24001)); s.accept()[0].close(); c.close(); s.close()";
    if portkeeper_tests::program_or_skip("python3").is_none() {
        return;
    }
    let _ = machine.sandbox.program("python3").arg("-c").arg(script).inside(&machine.network).ok();
    assert_eq!(machine.run("port --range 24001-24002").ok().port(), 24_002);
    assert_eq!(machine.run("port --range 24001-24002").ok().port(), FREE);
}
