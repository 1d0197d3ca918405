//! One registry, seen from several network and process namespaces.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use portkeeper_tests::{HolderProcess, Namespace, Own, Ports, StandIn, all_at_once, program_or_skip, skipped};

use crate::sandbox;

#[test]
fn two_network_namespaces_have_separate_ports() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --port {}", ports.first()));
    assert_eq!(reserve.ok().port(), reserve.clone().inside(&there).ok().port());
    assert_eq!(sandbox.reserved(), [ports.first(), ports.first()]);
    reserve.refused(1);
    reserve.inside(&there).refused(1);
}

#[test]
fn a_listener_in_another_network_namespace_is_no_conflict() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let listen = sandbox.stand_in_run(&format!("listen 127.0.0.1:{}", ports.first()));
    let _listener = StandIn::start(listen.inside(&there).command());
    let reserve = sandbox.portkeeper(format!("reserve --port {}", ports.first()));
    assert_eq!(reserve.ok().port(), ports.first());
    reserve.inside(&there).refused(1);
}

#[test]
fn what_is_reserved_in_another_network_namespace_is_never_collected_from_here() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first()));
    let _ = reserve.inside(&there).ok();
    let gc = sandbox.portkeeper("gc");
    assert_eq!(gc.ok().json()["released"], serde_json::json!([]));
    assert_eq!(sandbox.reserved(), [ports.first()]);
    assert_eq!(sandbox.portkeeper("status --here --json").ok().json(), serde_json::json!([]));
    assert_eq!(gc.inside(&there).ok().json()["released"][0]["port"], ports.first());
    assert!(sandbox.reserved().is_empty());
}

/// Copies of a machine have its identity, and a home directory on a file server in common.
#[test]
fn what_was_reserved_since_this_boot_began_is_not_of_an_earlier_one() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --port {} --hold", ports.first()));
    let holder = HolderProcess::of(&reserve.inside(&there).ok().json());
    let text = std::fs::read_to_string(sandbox.registry()).expect("a registry");
    let mut registry: serde_json::Value = serde_json::from_str(&text).expect("json");
    registry.as_object_mut().expect("an object").remove("crc32");
    for place in registry["places"].as_array_mut().expect("places") {
        place["boot"] = "00000000-0000-4000-8000-000000000000".into();
    }
    std::fs::write(sandbox.registry(), registry.to_string()).expect("a registry");
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], serde_json::json!([]));
    assert!(holder.runs());
    holder.kill();
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], serde_json::json!([]), "its holder may have ended");
}

/// Whether all network namespaces of the machine can be seen here: by root, and not from within a container.
fn all_or_skip() -> bool {
    // The pid namespace that the machine starts with (`PROC_PID_INIT_INO`, linux/proc_ns.h).
    let outside = std::fs::metadata("/proc/self/ns/pid").is_ok_and(|pids| pids.ino() == 0xEFFF_FFFC);
    let all = outside && rustix::process::geteuid().is_root() && std::fs::read_link("/proc/1/ns/net").is_ok();
    if !all {
        skipped("ROOT", "only root, outside of containers, can see that a network namespace is gone");
    }
    all
}

/// Keeps a network namespace alive that no process is in: by a descriptor of it, and by a socket.
const KEEP: &str = "
import ctypes, os, socket, sys
how, ours = sys.argv[1], os.open(sys.argv[2], os.O_RDONLY)
kept = os.open('/proc/self/ns/net', os.O_RDONLY) if how == 'descriptor' else socket.create_server(('127.0.0.1', 0))
assert ctypes.CDLL(None).setns(ours, 0) == 0
os.close(ours)
print('ready', flush=True)
sys.stdin.read()
";

#[test]
fn what_was_reserved_in_a_network_namespace_that_is_gone_is_collected() {
    if !all_or_skip() || program_or_skip("python3").is_none() {
        return;
    }
    for how in ["descriptor", "socket"] {
        let Some(there) = Namespace::or_skip(Own::Network) else { return };
        let (sandbox, ports) = (sandbox(), Ports::take(2));
        let reserve = |port| sandbox.portkeeper(format!("reserve --global name-{port} --port {port}"));
        for port in [ports.at(0), ports.at(1)] {
            let _ = reserve(port).inside(&there).ok();
        }
        let gc = || sandbox.portkeeper("gc").ok().json()["released"].clone();
        assert_eq!(gc(), serde_json::json!([]), "it lives");
        let ours = format!("/proc/{}/ns/net", std::process::id());
        let keep = sandbox.program("python3").words("-c").arg(KEEP).arg(how).arg(ours);
        let keeper = StandIn::start(keep.inside(&there).command());
        drop(there);
        assert_eq!(gc(), serde_json::json!([]), "{how}: it lives, though no process is in it");
        sandbox.portkeeper(format!("release {}", ports.at(0))).refused(1);
        keeper.kill();
        // While other processes start and end it may be that not all could be seen.
        let deadline = Instant::now() + Duration::from_secs(60);
        while sandbox.portkeeper(format!("release {}", ports.at(0))).run().code() != Some(0) {
            assert!(Instant::now() < deadline, "{how}: it is gone");
        }
        loop {
            let released = gc();
            if released != serde_json::json!([]) {
                assert_eq!(released[0]["port"], ports.at(1), "{released}");
                assert_eq!(released[0]["why"], "its network namespace is gone", "{released}");
                break;
            }
            assert!(Instant::now() < deadline, "{how}: it is gone");
        }
        assert!(sandbox.reserved().is_empty());
    }
}

#[test]
fn a_process_in_another_pid_namespace_is_never_collected_from_here() {
    let Some(there) = Namespace::or_skip(Own::Processes) else { return };
    let Some(elsewhere) = Namespace::or_skip(Own::Processes) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    // Its pid in there is a small number, which is another process's here and no process's elsewhere.
    let process = sandbox.program("sh").words("-c").arg("echo $$ && exec cat >/dev/null").inside(&there).command();
    let process = StandIn::start(process);
    let reserve = format!("reserve --port {} --for-pid {}", ports.first(), process.said());
    let _ = sandbox.portkeeper(reserve).inside(&there).ok();

    let gc = sandbox.portkeeper("gc");
    for run in [gc.clone(), gc.clone().inside(&elsewhere), gc.clone().inside(&there)] {
        assert_eq!(run.ok().json()["released"], serde_json::json!([]));
    }
    sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
    process.kill();
    assert_eq!(
        gc.ok().json()["released"],
        serde_json::json!([]),
        "from here the process is unknown, and unknown is alive"
    );
    assert_eq!(gc.inside(&there).ok().json()["released"][0]["port"], ports.first());
}

#[test]
fn pid_namespaces_of_one_network_share_its_ports() {
    let Some(there) = Namespace::or_skip(Own::Processes) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(20));
    let reserve = sandbox.portkeeper(format!("port --range {ports}"));
    let runs = (0..20).map(|number| if number % 2 == 0 { reserve.clone() } else { reserve.clone().inside(&there) });
    let mut given: Vec<u16> = all_at_once(runs).iter().map(|outcome| outcome.expect_code(0).port()).collect();
    given.sort_unstable();
    assert_eq!(given, ports.all());
}

#[test]
fn four_places_at_once_share_one_registry() {
    let networks = [Namespace::or_skip(Own::Network), Namespace::or_skip(Own::Network)];
    let processes = [Namespace::or_skip(Own::Processes), Namespace::or_skip(Own::Processes)];
    let ([Some(a), Some(b)], [Some(c), Some(d)]) = (&networks, &processes) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(10));
    let reserve = sandbox.portkeeper(format!("port --range {ports}"));
    let of = |place, count| std::iter::repeat_n(reserve.clone().inside(place), count);
    // Two networks with ten ports each, and the ten of this one for the two pid namespaces in it.
    let outcomes = all_at_once(of(a, 1).chain(of(b, 1)).chain(of(c, 5)).chain(of(d, 5)));
    let given: Vec<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    assert_eq!(given[..2], [ports.first(), ports.first()], "another network has the same port once more");
    let mut of_this_network = given[2..].to_vec();
    of_this_network.sort_unstable();
    assert_eq!(of_this_network, ports.all());
    let _ = sandbox.portkeeper("gc").inside(c).ok();
    assert_eq!(sandbox.reserved().len(), 12, "what the other networks have is not ours to collect");
}
