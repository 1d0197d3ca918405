//! Real processes and real namespaces.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::skip::skipped;

/// A process that ends on request, and at the latest when the test does.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn id(&self) -> ProcessId {
        process_id(self.0.id()).unwrap().unwrap()
    }

    fn state(&self) -> String {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1[..1].to_owned()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_is_alive_until_it_ends() {
    let mut process = Sleeper::start();
    let id = process.id();
    assert_eq!(liveness(&id), Liveness::Alive);
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    assert_eq!((liveness(&id), process_id(id.pid).unwrap()), (Liveness::Ended, None));
}

#[test]
fn a_zombie_has_ended() {
    let mut process = Sleeper::start();
    let id = process.id();
    process.0.kill().unwrap();
    while process.state() != "Z" {
        std::thread::yield_now();
    }
    assert_eq!((liveness(&id), process_id(id.pid).unwrap()), (Liveness::Ended, None));
}

#[test]
fn a_later_process_with_the_same_pid_is_another_one() {
    let process = Sleeper::start();
    let ProcessId { pid, started } = process.id();
    assert_eq!(liveness(&ProcessId { pid, started: started - 1 }), Liveness::Ended);
}

#[test]
fn a_pid_that_cannot_be_is_no_process() {
    for pid in [0, i32::MAX.unsigned_abs(), u32::MAX] {
        assert_eq!(process_id(pid).unwrap(), None);
        assert_eq!(liveness(&ProcessId { pid, started: 1 }), Liveness::Ended, "{pid}");
    }
}

#[test]
fn the_name_of_a_process_may_look_like_fields() {
    let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
    assert_eq!(running_since(format!("7 (a) Z (b c) S {rest}").as_bytes()), Some(4242));
    assert_eq!(running_since(format!("7 (cat) Z {rest}").as_bytes()), None);
    assert_eq!(running_since(b"7 (cat) S 1"), None);
    assert_eq!(running_since(b""), None);
}

#[test]
fn the_parent_is_named() {
    let parent = parent().unwrap();
    assert!(process_id(parent.pid).unwrap().is_some() && !parent.command.is_empty() && !parent.command.ends_with('\n'));
}

#[test]
fn the_clocks_run() {
    let (first, second) = (now(), now());
    assert!(second.since_boot >= first.since_boot && first.since_boot > Duration::ZERO);
    assert!(first.wall.as_second() > 1_700_000_000);
}

#[test]
fn the_ephemeral_range_is_the_kernels() {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let range = ephemeral_ports().unwrap();
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), [range.first().to_string(), range.last().to_string()]);
}

#[test]
fn the_kernels_settings_are_read() {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    assert_eq!(first_unprivileged_port().map_or(0, Port::get).to_string(), text.trim());
    let listed = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap();
    assert_eq!(set_aside_ports().is_empty(), listed.trim().is_empty());
}

#[test]
fn a_place_is_the_same_twice() {
    let place = place().unwrap();
    assert_eq!(place, super::place().unwrap());
    assert!(!place.boot.is_empty() && place.processes != 0);
    assert!(place.shares_ports_with(&place) && place.shares_processes_with(&place));
}

/// The test calls itself inside of new namespaces; this is what runs there.
#[test]
#[ignore = "run by `other_namespaces_are_other_places`"]
fn report_place() {
    let text = serde_json::to_string(&place().unwrap()).unwrap();
    fs::write(std::env::var_os("PORTKEEPER_TEST_PLACE").unwrap(), text).unwrap();
}

#[test]
fn other_namespaces_are_other_places() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("place.json");
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "os::platform::tests::report_place", "--ignored", "--quiet"])
        .env("PORTKEEPER_TEST_PLACE", &report)
        .stdout(Stdio::null())
        .status();
    let Ok(text) = fs::read_to_string(&report) else {
        skipped(format_args!("this machine does not let us make namespaces (unshare: {status:?})"));
        return;
    };
    let (here, there) = (place().unwrap(), serde_json::from_str::<Place>(&text).unwrap());
    assert!(matches!(there.network, NetworkNamespace::Inode(inode) if inode != 0));
    assert_eq!(here.boots(&there), crate::model::Boots::Same);
    assert!(!here.shares_ports_with(&there) && !here.shares_processes_with(&there));
}

#[test]
fn a_list_of_reserved_ports_is_read_as_the_kernel_writes_it() {
    let ranges = |text| port_list(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ranges("8080,9148,10000-10010"), ["8080-8080", "9148-9148", "10000-10010"]);
    assert_eq!(ranges(""), [""; 0]);
    assert_eq!(ranges("0-7,x,9-8"), ["1-7"], "port 0 is none, and nonsense is nobody's port");
}

#[test]
fn a_thread_that_left_its_processor_may_come_back() {
    let before = sched_getaffinity(None).unwrap();
    for _ in 0..20 {
        leave_processor(sched_getcpu());
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}

#[test]
fn a_thread_with_one_processor_stays_there() {
    let all = sched_getaffinity(None).unwrap();
    let here = (0..).find(|&processor| all.is_set(processor)).unwrap();
    let mut only = rustix::thread::CpuSet::new();
    only.set(here);
    // The test's own thread: no other is restricted.
    sched_setaffinity(None, &only).unwrap();
    leave_processor(here);
    assert_eq!((sched_getaffinity(None).unwrap(), sched_getcpu()), (only, here));
}

#[test]
fn a_quota_makes_no_fewer_processors() {
    assert!(processors() >= std::thread::available_parallelism().unwrap().get());
}
