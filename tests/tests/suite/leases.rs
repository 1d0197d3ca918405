//! Why a reservation is alive, and when it ends.

use portkeeper_tests::{Ports, Sandbox, ipv6_or_skip};
use serde_json::json;

use crate::sandbox;

/// The ports that `gc` releases, ascending.
#[track_caller]
fn collected(sandbox: &Sandbox) -> Vec<u16> {
    let answer = sandbox.portkeeper("gc").ok().json();
    let released = answer["released"].as_array().expect("released").iter();
    let mut ports: Vec<u16> = released.map(|each| u16::try_from(each["port"].as_u64().unwrap()).unwrap()).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn a_port_is_freed_after_its_process_is_killed() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let process = sandbox.process();
    let reserve = format!("reserve --port {} --for-pid {}", ports.first(), process.pid());
    let lease = sandbox.portkeeper(reserve).ok().json()["lease"].clone();
    assert_eq!((&lease["kind"], &lease["pid"]), (&json!("process"), &json!(process.pid())));
    assert_eq!(collected(&sandbox), [0; 0]);
    sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);

    process.kill();
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
}

#[test]
fn a_zombie_is_no_living_process() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let mut process = sandbox.process();
    let _ = sandbox.portkeeper(format!("reserve --port {} --for-pid {}", ports.first(), process.pid())).ok();
    process.kill_without_reaping();
    assert_eq!(collected(&sandbox), [ports.first()]);
}

#[test]
fn a_process_that_is_not_there_is_refused() {
    let sandbox = sandbox();
    let process = sandbox.process();
    let reserve = sandbox.portkeeper(format!("reserve --for-pid {}", process.pid()));
    process.kill();
    reserve.refused(1).says("--for-pid");
    assert!(!sandbox.registry().exists());
}

#[test]
fn grace_is_over_when_its_time_is_and_nothing_listens() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let answer = sandbox.portkeeper(format!("reserve --count 2 --range {ports} --grace 0s")).ok();
    assert_eq!(answer.json()[0]["lease"], json!({ "kind": "grace", "seconds": 0 }));
    let _listener = sandbox.listener("127.0.0.1", ports.at(1));
    assert_eq!(collected(&sandbox), [ports.at(0)]);
    assert_eq!(sandbox.reserved(), [ports.at(1)], "a server holds the port, so the reservation stays");
}

#[test]
fn grace_lasts_as_long_as_somebody_listens_on_any_of_its_addresses() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first())).ok();
    let listener = sandbox.listener("::1", ports.first());
    assert_eq!(collected(&sandbox), [0; 0]);
    listener.kill();
    assert_eq!(collected(&sandbox), [ports.first()]);
}

#[test]
fn grace_of_a_minute_outlives_its_caller() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = sandbox.shell(&format!("port=$(portkeeper port --range {ports}); echo $port")).ok().port();
    assert_eq!(collected(&sandbox), [0; 0]);
    assert_eq!(sandbox.reserved(), [port]);
}

#[test]
fn a_timed_lease_ends_with_its_time_whoever_listens() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let lease = sandbox.portkeeper(format!("reserve --port {} --ttl 2h", ports.first())).ok().json()["lease"].clone();
    assert_eq!(lease["kind"], "timed");
    assert!(lease["until"].is_string(), "{lease}");
    assert_eq!(collected(&sandbox), [0; 0]);
}

#[test]
fn a_timed_lease_that_is_over_is_collected() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --ttl 1ms", ports.first())).ok();
    assert_eq!(collected(&sandbox), [ports.first()]);
}

#[test]
fn asking_again_renews_a_timed_lease() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = |ttl| format!("reserve --port {} --owner me --ttl {ttl}", ports.first());
    let first = sandbox.portkeeper(reserve("1h")).ok().json();
    let second = sandbox.portkeeper(reserve("3h")).ok().json();
    assert!(second["lease"]["until"].as_str() > first["lease"]["until"].as_str());
    assert_eq!(sandbox.reserved(), [ports.first()], "one reservation, not two");
}

#[test]
fn a_name_keeps_its_port_until_its_project_is_provably_gone() {
    let sandbox = sandbox();
    let project = sandbox.directory("project/.git").parent().unwrap().to_owned();
    let answer = sandbox.portkeeper("reserve --write-env").within(&project).ok();
    let (port, reserved) = (answer.port(), answer.json());
    assert_eq!((&reserved["lease"]["kind"], &reserved["name"]), (&json!("named"), &json!("PORT")));
    assert_eq!(collected(&sandbox), [0; 0]);
    std::fs::remove_dir_all(project).unwrap();
    assert_eq!(collected(&sandbox), [port]);
}

#[test]
fn a_name_whose_project_may_only_be_unmounted_stays() {
    let sandbox = sandbox();
    let project = sandbox.directory("disk/project/.git").parent().unwrap().to_owned();
    let port = sandbox.portkeeper("port --write-env").within(&project).ok().port();
    // The parent is another directory now, as when a disk is gone from its mount point.
    std::fs::rename(sandbox.work().join("disk"), sandbox.work().join("elsewhere")).unwrap();
    assert_eq!(collected(&sandbox), [0; 0]);
    sandbox.directory("disk");
    assert_eq!(collected(&sandbox), [0; 0]);
    assert_eq!(sandbox.reserved(), [port]);
}
