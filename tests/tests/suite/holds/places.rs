//! Holds beside the kernel's own choice of ports, and in other namespaces.

use portkeeper_tests::{HolderProcess, Namespace, Own, Ports};
use serde_json::json;

use super::is_bindable;
use crate::sandbox;

#[test]
fn the_kernel_itself_gives_a_held_port_to_nobody() {
    for kind in ["soft", "gated"] {
        let Some(there) = Namespace::or_skip(Own::Network) else { return };
        let sandbox = sandbox();
        // Five ports for all processes, and the middle one is held.
        let narrow = "echo 20000 20004 > /proc/sys/net/ipv4/ip_local_port_range";
        let _ = sandbox.program("sh").words("-c").arg(narrow).inside(&there).ok();
        let words = format!("reserve --hold={kind} --port 20002");
        let holder = HolderProcess::of(&sandbox.portkeeper(words).inside(&there).ok().json());
        for server in ["127.0.0.1:30000", "[::1]:30000"] {
            let storm = sandbox.stand_in_run(&format!("storm 100000 {server}")).inside(&there).ok();
            assert_eq!(storm.stdout.trim(), "{20000, 20001, 20003, 20004}", "{kind}, {server}");
        }
        assert!(holder.runs());
        let _ = sandbox.portkeeper("release 20002").inside(&there).ok();
        let storm = sandbox.stand_in_run("storm 1000 127.0.0.1:30000").inside(&there).ok();
        assert!(storm.stdout.contains("20002"), "released, it is a port like the others: {storm}");
    }
}

#[test]
fn a_hold_in_another_network_namespace_keeps_nobody_here_away() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first()));
    let there_holder = HolderProcess::of(&reserve.clone().inside(&there).ok().json());
    assert!(is_bindable(&sandbox, ports.first()));
    let here_holder = HolderProcess::of(&reserve.ok().json());
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    here_holder.ends();
    assert!(there_holder.runs(), "its port is not ours to release");
    let _ = sandbox.portkeeper("release --all").inside(&there).ok();
    there_holder.ends();
}

#[test]
fn a_hold_in_another_pid_namespace_is_seen_by_its_lock() {
    let Some(there) = Namespace::or_skip(Own::Processes) else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first()));
    let _ = reserve.inside(&there).ok();
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], json!([]));
    assert_eq!(sandbox.status()[0]["held"], true);
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    assert!(is_bindable(&sandbox, ports.first()));
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).inside(&there).ok();
    drop(there);
    // With its first process a pid namespace ends, and every process in it.
    let gone = || sandbox.portkeeper("gc").ok().json()["released"][0]["port"] == ports.first();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "its lock is still held");
    }
}
