//! A holder with a caller that keeps talking still does what it is there for.

use std::time::{Duration, Instant};

use portkeeper_tests::{Ports, Running, Sandbox};
use rustix::process::Signal;

use super::{hold, is_bindable};
use crate::sandbox;

/// Callers that never stop: some ask one thing after the other, some say nothing, one asks for everything and reads no answer.
const TALKERS: &str = "
import glob, socket, sys, threading, time
path, ports = sys.argv[1], [['tcp', int(port)] for port in sys.argv[2:]]

def call():
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    caller.connect(path)
    return caller

def talk():
    while True:
        try:
            caller = call()
            while True:
                caller.send(b'{\"share\":[]}')
                if not caller.recv(65536):
                    break
                asked.set()
        except OSError:
            time.sleep(0.001)

def be_silent():
    while True:
        try:
            call().recv(1)
        except OSError:
            time.sleep(0.001)

def read_nothing():
    while True:
        try:
            caller = call()
            caller.send(str({'share': ports * 500}).replace(\"'\", '\"').encode())
            time.sleep(60)
        except OSError:
            time.sleep(0.001)

asked = threading.Event()
for kind in [talk, talk, be_silent, be_silent, read_nothing]:
    threading.Thread(target=kind, daemon=True).start()
asked.wait()
print('talking', flush=True)
time.sleep(600)
";

/// Talkers, ended when this is dropped.
struct Talkers(Option<Running>);

impl Talkers {
    #[track_caller]
    fn start(sandbox: &Sandbox, port: u16) -> Self {
        let socket = std::fs::read_dir(sandbox.holds()).unwrap().map(|entry| entry.unwrap().path());
        let socket = socket.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "sock")).unwrap();
        let talkers = sandbox.program("python3").words("-c").arg(TALKERS).arg(socket).arg(port.to_string());
        let mut running = talkers.start();
        assert_eq!(running.line(), "talking\n");
        Self(Some(running))
    }
}

impl Drop for Talkers {
    fn drop(&mut self) {
        if let Some(mut running) = self.0.take() {
            running.kill();
            let _ = running.finish();
        }
    }
}

#[test]
fn it_ends_with_its_time() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --ttl 3s --port {}", ports.first()));
    let talkers = Talkers::start(&sandbox, ports.first());
    holder.ends();
    // One of them has copies of the sockets, which it was sent.
    drop(talkers);
    assert!(is_bindable(&sandbox, ports.first()));
}

#[test]
fn it_ends_on_a_signal() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let _talkers = Talkers::start(&sandbox, ports.first());
    holder.signal(Signal::TERM);
    holder.ends();
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
}

/// It lets go when it is asked to: it is not killed, which takes five seconds and works for its last ports only.
#[test]
fn it_is_released_and_shares_its_ports() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (answer, holder) = {
        let answer = sandbox.portkeeper(format!("reserve --hold --count 2 --range {ports}")).ok().json();
        let holder = portkeeper_tests::HolderProcess::of(&answer[0]);
        (answer, holder)
    };
    let _talkers = Talkers::start(&sandbox, ports.first());
    let start = Instant::now();
    let _ = sandbox.portkeeper(format!("release {}", answer[0]["port"])).ok();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(holder.runs());
    let _ = sandbox.portkeeper(format!("run --port {} -- true", answer[1]["port"])).ok();
    holder.ends();
}
