//! `doctor`: what may be wrong, and what helps.

use std::os::unix::fs::PermissionsExt;

use portkeeper_tests::{Namespace, Outcome, Own, Ports, Sandbox};
use serde_json::Value;

use crate::sandbox;

/// The finding about something.
#[track_caller]
fn finding(outcome: &Outcome, about: &str) -> Value {
    let answer = outcome.json();
    let findings = answer["findings"].as_array().expect("findings");
    findings.iter().find(|finding| finding["about"] == about).unwrap_or_else(|| panic!("{about}\n{outcome}")).clone()
}

/// That there is a problem with it, and that the remedy holds the text.
#[track_caller]
fn has_problem(sandbox: &Sandbox, about: &str, remedy: &str) {
    let outcome = sandbox.portkeeper("doctor --json").exits(1);
    let finding = finding(&outcome, about);
    assert_eq!(finding["severity"], "problem", "{outcome}");
    assert!(finding["advice"].as_str().is_some_and(|text| text.contains(remedy)), "{outcome}");
}

#[test]
fn a_new_user_and_a_usual_one_have_no_problem() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let before = sandbox.everything();
    let outcome = sandbox.portkeeper("doctor --json").ok();
    assert_eq!(outcome.json()["problems"], 0, "{outcome}");
    before.assert_unchanged("doctor");
    let _ = sandbox.portkeeper(format!("port --write-env=web --range {ports}")).ok();
    let outcome = sandbox.portkeeper("doctor --json").ok();
    for about in [
        "registry",
        "state directory",
        "lock",
        "stale",
        "projects",
        "ephemeral ports",
        "clock",
        "socket tables",
        "trust",
    ] {
        assert_eq!(finding(&outcome, about)["severity"], "ok", "{outcome}");
    }
    let text = sandbox.portkeeper("doctor --format table").ok().stdout;
    assert!(text.starts_with("nothing is wrong\n"), "{text}");
}

#[test]
fn a_damaged_registry_is_found() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    std::fs::write(sandbox.registry(), "{").unwrap();
    has_problem(&sandbox, "registry", "mv ");
}

#[test]
fn a_registry_that_others_can_change_is_found() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    std::fs::set_permissions(sandbox.registry(), std::fs::Permissions::from_mode(0o666)).unwrap();
    has_problem(&sandbox, "registry", "chmod go= ");
    std::fs::set_permissions(sandbox.registry(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = sandbox.portkeeper("doctor --json").ok();
    assert_eq!(finding(&outcome, "registry")["severity"], "note", "{outcome}");
}

#[test]
fn who_has_the_lock_is_named() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let lock = std::fs::File::open(sandbox.lock()).unwrap();
    lock.lock().unwrap();
    has_problem(&sandbox, "lock", &format!("kill {}", std::process::id()));
}

#[test]
fn stale_reservations_are_noted() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first())).ok();
    let outcome = sandbox.portkeeper("doctor --json").ok();
    let finding = finding(&outcome, "stale");
    assert_eq!((&finding["severity"], &finding["advice"]), (&"note".into(), &"portkeeper gc ends them".into()));
}

#[test]
fn a_project_that_cannot_be_seen_is_noted() {
    let sandbox = sandbox();
    let project = sandbox.directory("disk/project/.git").parent().unwrap().to_owned();
    let _ = sandbox.portkeeper("port --write-env").within(&project).ok();
    std::fs::rename(sandbox.work().join("disk"), sandbox.work().join("unmounted")).unwrap();
    let outcome = sandbox.portkeeper("doctor --json").ok();
    let finding = finding(&outcome, "projects");
    assert_eq!(finding["severity"], "note", "{outcome}");
    assert!(finding["summary"].as_str().unwrap().contains("disk/project"), "{outcome}");
}

#[test]
fn a_reservation_in_the_ephemeral_range_is_a_problem_until_the_kernel_keeps_off() {
    let Some(there) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve --port 45678 --ttl 1h").inside(&there).ok();
    let doctor = sandbox.portkeeper("doctor --json").inside(&there);
    let outcome = doctor.exits(1);
    let remedy = finding(&outcome, "ephemeral ports")["advice"].as_str().unwrap().to_owned();
    // The remedy is what the kernel takes.
    let (_, setting) = remedy.split_once("net.ipv4.ip_local_reserved_ports=").unwrap();
    let set = format!("echo {setting} >/proc/sys/net/ipv4/ip_local_reserved_ports");
    let _ = sandbox.program("sh").words("-c").arg(&set).inside(&there).ok();
    let _ = doctor.ok();
    // What was kept from it before stays so.
    let _ = sandbox.portkeeper("reserve --port 45679 --ttl 1h").inside(&there).ok();
    let outcome = doctor.exits(1);
    assert!(finding(&outcome, "ephemeral ports")["advice"].as_str().unwrap().ends_with("=45678,45679"), "{outcome}");
}

#[test]
fn a_reservation_from_the_future_is_found() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {} --ttl 1h", ports.first())).ok();
    let text = std::fs::read_to_string(sandbox.registry()).unwrap();
    let text = portkeeper_tests::without_checksum(&text);
    let (before, rest) = text.split_once("\"created\":\"20").unwrap();
    std::fs::write(sandbox.registry(), format!("{before}\"created\":\"21{}", &rest[0..])).unwrap();
    let outcome = sandbox.portkeeper("doctor --json").exits(1);
    let finding = finding(&outcome, "clock");
    assert!(finding["summary"].as_str().unwrap().contains(&ports.first().to_string()), "{outcome}");
}

#[test]
fn a_hold_that_is_lost_is_found_and_one_that_lives_is_not() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let held = sandbox.portkeeper(format!("reserve --range {port}-{port} --write-env=web --hold")).ok().json();
    let holder = held["holder"].as_i64().expect("a holder");
    let outcome = sandbox.portkeeper("doctor --json").ok();
    assert_eq!(finding(&outcome, "holds")["severity"], "ok", "{outcome}");
    let explained = sandbox.portkeeper(format!("explain {port} --json")).ok().json();
    assert_eq!(
        (&explained["verdict"], &explained["reservations"][0]["holder"]),
        (&"kept".into(), &holder.into()),
        "{explained}"
    );
    sandbox.portkeeper(format!("kill {port} --yes --force")).refused(1).says("portkeeper release");

    let pid = rustix::process::Pid::from_raw(i32::try_from(holder).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let _ = sandbox.portkeeper(format!("wait {port} --free --timeout 60s")).ok();
    has_problem(&sandbox, "holds", "--hold");
    let text = sandbox.portkeeper(format!("explain {port} --format table")).ok().stdout;
    assert!(text.contains("hold lost"), "{text}");
    let _ = sandbox.portkeeper(format!("release {port}")).ok();
}
