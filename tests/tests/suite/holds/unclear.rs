//! A hold file that does not say what is held.

use std::fs;
use std::path::PathBuf;

use portkeeper_tests::{HolderProcess, Ports, Sandbox};
use rustix::process::Signal;

use super::{are_bindable, is_bindable};
use crate::sandbox;

/// The holder of three ports, and its file, emptied without taking its lock away.
fn hold_three(ports: &Ports) -> (Sandbox, HolderProcess, PathBuf) {
    let sandbox = sandbox();
    let answer = sandbox.portkeeper(format!("reserve --hold --count 3 --range {ports}")).ok().json();
    let holder = HolderProcess::of(&answer[0]);
    let files = fs::read_dir(sandbox.holds()).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "json")).unwrap();
    fs::write(&file, "").unwrap();
    (sandbox, holder, file)
}

#[test]
fn an_empty_hold_file_is_no_proof_that_a_holder_has_no_other_ports() {
    let ports = Ports::take(3);
    let (sandbox, holder, file) = hold_three(&ports);
    let _ = sandbox.portkeeper(format!("release {}", ports.at(0))).ok();
    assert!(is_bindable(&sandbox, ports.at(0)));
    assert_eq!(fs::read_to_string(&file).unwrap(), "", "what is unknown is not called nothing");
    holder.signal(Signal::STOP);
    let refused = sandbox.portkeeper(format!("release {}", ports.at(1))).exits(3);
    refused.says(format!("process {}, does not answer", holder.pid()));
    assert!(holder.runs() && !is_bindable(&sandbox, ports.at(2)), "{refused}");
    assert_eq!(sandbox.reserved(), [ports.at(1), ports.at(2)]);
    holder.signal(Signal::CONT);
    let _ = sandbox.portkeeper("release --all").ok();
    holder.ends();
    assert!(are_bindable(&sandbox, &ports.all()));
}

#[test]
fn a_hold_that_neither_registry_nor_file_names_is_called_unknown() {
    let (ports, more) = (Ports::take(1), Ports::take(3));
    let (sandbox, holder, file) = hold_three(&more);
    sandbox.portkeeper("status").ok().is_silent();
    let doctor = sandbox.portkeeper("doctor").run();
    assert!(doctor.stdout.contains("is empty or damaged") && doctor.stdout.contains("rm "), "{doctor}");
    for name in ["registry.json", "registry.json.prev"] {
        let _ = fs::remove_file(sandbox.state().join(name));
    }
    let reserve = format!("reserve --port {}", ports.at(0));
    for words in ["status", "gc", "gc --dry-run", "release --all --if-exists", &reserve] {
        let says = sandbox.portkeeper(words).ok();
        says.says(file.to_str().unwrap()).says("its holder lives: which ports it keeps is unknown");
    }
    assert!(holder.runs());
    fs::remove_file(&file).unwrap();
    holder.ends();
    sandbox.portkeeper("gc").ok().is_silent();
}
