//! The holder: a small process, or the command itself.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use portkeeper_tests::{HolderProcess, Outcome, Ports, skipped};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{are_bindable, hold, is_bindable};
use crate::sandbox;

#[test]
fn the_holder_is_a_small_process_of_its_own() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    assert_eq!(holder.link("cwd"), std::path::Path::new("/"));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", holder.pid())).unwrap();
    let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, holder.pid().to_string(), "its own session");
    let files = holder.open_files();
    assert_eq!(files.iter().filter(|file| *file == "/dev/null").count(), 3, "{files:?}");
    let mine = |file: &String| {
        ["/dev/null", "anon_inode:inotify"].contains(&file.as_str())
            || file.starts_with("socket:")
            || file.starts_with(sandbox.state().to_str().unwrap())
    };
    assert!(files.iter().all(mine), "something was inherited: {files:?}");
}

#[test]
fn what_a_shell_has_open_does_not_stay_open() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    // The substitution waits until every process has closed its pipe, and so does the pipeline; the lock is the shell's.
    let script = format!(
        "exec 9>lock && flock 9 && answer=$(portkeeper reserve --hold --port {}) && echo \"$answer\" | cat && exec 9>&- && flock -n lock true",
        ports.first()
    );
    let answer = sandbox.shell(&script).ok();
    assert!(HolderProcess::of(&answer.json()).runs());
}

#[test]
fn a_hundred_ports_are_one_small_process() {
    let (sandbox, ports) = (sandbox(), Ports::take(100));
    let answer = sandbox.portkeeper(format!("reserve --hold --count 100 --range {ports}")).ok().json();
    let answers = answer.as_array().unwrap();
    let holder = HolderProcess::of(&answers[0]);
    assert!(answers.iter().all(|answer| answer["holder"] == holder.pid()));
    // This is a debug build; a release build has about half of it.
    let memory = holder.own_memory();
    assert!(memory < 4096, "{memory} KiB");
    assert_eq!(sandbox.reserved(), ports.all());
    let _ = sandbox.portkeeper(format!("release {} {}", ports.at(0), ports.at(50))).ok();
    assert!(
        is_bindable(&sandbox, ports.at(0))
            && is_bindable(&sandbox, ports.at(50))
            && !is_bindable(&sandbox, ports.at(1))
    );
    assert!(holder.runs());
    let _ = sandbox.portkeeper("release --all").ok();
    holder.ends();
    assert!(are_bindable(&sandbox, &ports.all()));
}

#[test]
fn the_longer_the_path_the_longer_the_way_to_the_holder() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let directory = sandbox.directory(["long"; 20].map(|word| format!("{word}-{word}")).join("/"));
    let registry = directory.join("registry.json");
    let portkeeper = |words: String| sandbox.portkeeper(words).arg("--registry").arg(&registry);
    let answer = portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    let holder = HolderProcess::of(&answer.json());
    let _ = portkeeper(format!("release {}", ports.first())).ok();
    holder.ends();
}

#[test]
fn what_fails_leaves_neither_a_holder_nor_a_reservation() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("reserve --hold --port {} --owner {}", ports.first(), "x".repeat(8000));
    // So that the lock is there, and only the registry and the hold file don't fit.
    let _ = sandbox.portkeeper("gc").ok();
    let failed: Outcome = sandbox.portkeeper(&words).with_largest_file(4096).run();
    failed.expect_code(3).is_one_clear_error();
    assert!(is_bindable(&sandbox, ports.first()), "{failed}");
    assert!(sandbox.reserved().is_empty());
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
}

/// Where the directory of holds is private, no other user gets as far as this. Here it was opened by mistake.
#[test]
fn another_users_process_is_not_listened_to() {
    if !rustix::process::geteuid().is_root() {
        skipped("root", "only root can become another user");
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    for directory in sandbox.holds().ancestors().take_while(|directory| directory.starts_with(sandbox.root())) {
        fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    }
    let mut files = fs::read_dir(sandbox.holds()).unwrap().map(|entry| entry.unwrap().path());
    let socket = files.find(|path| fs::metadata(path).unwrap().file_type().is_socket()).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();

    let forget = format!(r#"{{"forget":[["tcp",{}]]}}"#, ports.first());
    let say = |who: &str| {
        let stand_in = sandbox.stand_in_run(&format!("{who} say")).arg(&socket).arg(&forget);
        stand_in.ok().stdout.trim().to_owned()
    };
    assert_eq!(say("as 65534"), "", "it hangs up");
    assert!(holder.runs() && !is_bindable(&sandbox, ports.first()));
    assert_eq!(say(""), r#""done""#, "and the same words of its own user count");
    holder.ends();
    assert!(is_bindable(&sandbox, ports.first()));
}

#[test]
fn in_the_foreground_it_holds_until_it_is_interrupted() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("reserve --hold --foreground --port {}", ports.first());
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 0)] {
        let mut holding = sandbox.portkeeper(&words).start();
        let answer: Value = serde_json::from_str(&holding.line()).unwrap();
        assert_eq!((&answer["holder"], &answer["held"]), (&json!(holding.pid()), &json!(true)));
        assert!(!is_bindable(&sandbox, ports.first()));
        HolderProcess::of(&answer).signal(signal);
        holding.finish().expect_code(code);
        assert!(is_bindable(&sandbox, ports.first()));
        assert!(sandbox.reserved().is_empty());
    }
    let mut holding = sandbox.portkeeper(&words).start();
    let _ = holding.line();
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    holding.finish().expect_code(0);
}
