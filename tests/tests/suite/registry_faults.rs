//! What a step that failed has left: nothing, or it is named. And what a read that failed proves: nothing.

use std::fs::remove_file;

use portkeeper_tests::{HolderProcess, Ports, Run, Sandbox, program_or_skip};
use rustix::process::Signal;
use serde_json::json;

use crate::config::one_port;
use crate::sandbox;

/// The command line under strace, which makes system calls of its main thread fail.
fn failing<'a>(sandbox: &'a Sandbox, strace: &str, faults: &str, words: &str) -> Run<'a> {
    let strace = sandbox.program(strace).words("-qq -o /dev/null").words(faults);
    strace.words(sandbox.portkeeper_path()).words(words)
}

/// A registry that is there, with nothing in it.
fn used(sandbox: &Sandbox) {
    let port = sandbox.portkeeper("port --ttl 1h").ok().port();
    let _ = sandbox.portkeeper(format!("release {port}")).ok();
}

/// The registry's directory cannot be synced, so a power cut might undo the change: then it is undone right away.
#[test]
fn what_may_not_last_is_taken_back() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    used(&sandbox);
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let faults = format!("-P {} -e inject=fsync:error=EIO", sandbox.state().display());
    for words in [
        "reserve --ttl 1h",
        "reserve --count 3",
        "port --global web",
        "reserve --hold",
        "port --global web --hold=soft",
        "reserve --write-env PORT --env-path other.env",
        "prepare",
    ] {
        let refused = failing(&sandbox, &strace, &faults, words).refused(3);
        refused.says(sandbox.state().to_string_lossy()).says("input/output error");
        assert_eq!(sandbox.reserved(), [0; 0], "{words}");
        assert!(!sandbox.has(".env") && !sandbox.has("other.env"), "{words}");
        let left = std::fs::read_dir(sandbox.holds()).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{words}: a holder");
    }
    let kept = sandbox.portkeeper("port --global web").ok().port();
    let _ = failing(&sandbox, &strace, &faults, "release --global web").refused(3);
    let _ = failing(&sandbox, &strace, &faults, "port --global web --move").refused(3);
    assert_eq!(sandbox.reserved(), [kept], "a name has what it had");
}

#[test]
fn what_cannot_be_taken_back_is_named() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    used(&sandbox);
    // The first sync is that of the new registry's bytes.
    let faults = "-e inject=fsync:error=EIO:when=2+";
    let reserve = format!("reserve --ttl 1h --port {}", ports.first());
    let refused = failing(&sandbox, &strace, faults, &reserve).refused(3);
    refused.says(format!("port {} is reserved, but", ports.first()));
    refused.says(format!("hint: `portkeeper release {}` gives it back", ports.first()));
    assert_eq!(sandbox.reserved(), [ports.first()]);
}

#[test]
fn ports_that_are_never_reported_are_given_back() {
    let sandbox = sandbox();
    let known = sandbox.portkeeper("port --global known").ok().port();
    for words in [
        "reserve --ttl 1h",
        "reserve --count 3 --json",
        "reserve --format table",
        "port --global web",
        "port --global web known",
        "reserve --hold",
        "port --global web --hold",
        "port --global known --hold=soft",
        "port --global known --move",
        "reserve --hold --foreground",
        "reserve --global web --hold --foreground",
        "reserve-network --prefer own --host 127.0.0.1",
    ] {
        let full = sandbox.shell(&format!("portkeeper {words} > /dev/full")).exits(3);
        full.says("the answer cannot be written: no space left on device");
        assert_eq!(sandbox.reserved(), [known], "{words}");
        let left = std::fs::read_dir(sandbox.holds()).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{words}: a holder");
    }
    let full = sandbox.shell("portkeeper port --global known > /dev/full").exits(3);
    full.says("the answer cannot be written: no space left on device\n");
    assert_eq!(sandbox.reserved(), [known], "it was there before");
}

#[test]
fn an_answer_that_goes_nowhere_is_an_error() {
    let sandbox = sandbox();
    for words in
        ["reserve --ttl 1h", "port --global web", "status --json", "list --json", "completions bash", "gc --json"]
    {
        let closed = sandbox.shell(&format!("portkeeper {words} >&-")).exits(3);
        closed.says("the answer cannot be written: standard output is closed");
        assert!(sandbox.reserved().is_empty(), "{words}");
    }
    for words in ["--help", "--version", "status --help", "plugin -h", "help scan"] {
        let full = sandbox.shell(&format!("portkeeper {words} > /dev/full")).exits(3);
        full.says("the answer cannot be written: no space left on device");
        sandbox.shell(&format!("portkeeper {words} >&-")).exits(3).says("standard output is closed");
        let _ = sandbox.shell(&format!("portkeeper {words} > /dev/null")).ok();
        let _ = sandbox.shell(&format!("(portkeeper {words}; echo $? > code) | true")).ok();
        assert_eq!(sandbox.read("code"), "0\n", "a reader that went away has read enough");
    }
    let _ = sandbox.shell("portkeeper run -- true >&-").ok();
}

#[test]
fn what_is_done_before_an_answer_fails_is_named() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let written = sandbox.shell("portkeeper reserve --write-env WEB > /dev/full").exits(3);
    let port = sandbox.reserved()[0];
    written.says(format!("port {port} is reserved and written into .env, but the answer cannot be written"));
    assert_eq!(sandbox.read(".env"), format!("WEB={port}\n"));
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let prepared = sandbox.shell("portkeeper prepare > /dev/full").exits(3);
    prepared.says(format!("port {} is reserved, and the files are written, but", ports.first()));
    sandbox.write("ports.conf", format!("theirs={}\n", ports.at(1)));
    let imported = sandbox.shell("portkeeper import --port-for ports.conf > /dev/full").run();
    assert!(imported.code() == Some(3) || imported.code() == Some(1), "{imported}");
    sandbox.shell(&format!("portkeeper release {port} > /dev/full")).exits(3).says("1 reservations are released, but");
    assert!(!sandbox.reserved().contains(&port));
    let _ = sandbox.portkeeper("reserve --grace 0s").ok();
    sandbox.shell("portkeeper gc --json > /dev/full").exits(3).says("1 reservations are released, but");
}

/// `run` reserves first, and then something may be in its way.
#[test]
fn a_run_that_does_not_come_to_be_leaves_no_name_and_takes_no_hold() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let listener = sandbox.listener("127.0.0.1", ports.at(0));
    let run = sandbox.portkeeper(format!("run --global web --port {} -- true", ports.at(0)));
    run.exits(125).says("is in use");
    let run = sandbox.portkeeper("run --global web --env-key A --env-key B -- true");
    run.exits(125).says("--env-key was given 2 times for 1 port");
    assert_eq!(sandbox.reserved(), [0; 0], "a name that is new");
    let run = sandbox.portkeeper(format!("run --global web --port {} -- ./{{PORT}}/no-such-program", ports.at(1)));
    run.exits(127).says("was not found");
    assert_eq!(sandbox.reserved(), [0; 0], "a name that is new, of a command that was never run");
    listener.kill();
    let answer = sandbox.portkeeper(format!("reserve --hold --port {}", ports.at(1))).ok().json();
    let holder = HolderProcess::of(&answer);
    let run = sandbox.portkeeper(format!("run --port {} -- no-such-program", ports.at(1)));
    run.exits(127).says("no-such-program");
    assert!(holder.runs() && sandbox.status()[0]["held"] == true);
    let _ = sandbox.portkeeper("release --all --yes").ok();
}

/// What is written into files stays reserved, as the files say, and is named.
#[test]
fn a_run_that_does_not_come_to_be_names_what_its_files_say() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let missing = "-- ./{PORT}/no-such-program";
    let stays = |port: u16| format!("port {port} is reserved, and the files are written");
    let run = sandbox.portkeeper(format!("run --write-env WEB --port {} {missing}", ports.at(0)));
    run.exits(127).says("was not found").says(stays(ports.at(0)));
    assert_eq!(sandbox.read(".env"), format!("WEB={}\n", ports.at(0)));
    assert_eq!(sandbox.reserved(), [ports.at(0)]);
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let port = |outcome: portkeeper_tests::Outcome| {
        let new = sandbox.reserved().into_iter().find(|port| *port != ports.at(0)).unwrap();
        outcome.says(stays(new));
        new
    };
    let new = port(sandbox.portkeeper(format!("run -c pk.config.json {missing}")).exits(127));
    // What was there before is no news.
    let again = sandbox.portkeeper(format!("run -c pk.config.json {missing}")).exits(127);
    assert!(!again.stderr.contains("the files are written"), "{again}");
    let listener = sandbox.listener("127.0.0.1", new);
    let config = json!({ "ports": [{ "key": "SERVICE_PORT" }, { "key": "API" }], "outputs": [{ "type": "env" }] });
    sandbox.write("pk.config.json", config.to_string());
    let run = sandbox.portkeeper("run -c pk.config.json -- true").exits(125);
    run.says(format!("port {new} of SERVICE_PORT is in use")).says("is reserved, and the files are written");
    drop(listener);
}

/// A holder that does not answer is killed only when its file says that it has no other ports; a file that cannot be read says nothing.
#[test]
fn a_holder_whose_file_cannot_be_read_is_not_killed() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let answer = sandbox.portkeeper(format!("reserve --hold --count 2 --range {ports}")).ok().json();
    let holder = HolderProcess::of(&answer[0]);
    let files = std::fs::read_dir(sandbox.holds()).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "json")).unwrap();
    holder.signal(Signal::STOP);
    let faults = format!("-P {} -e inject=openat:error=EMFILE", file.display());
    let refused = failing(&sandbox, &strace, &faults, &format!("release {}", ports.first())).exits(3);
    refused.says("does not answer");
    assert!(holder.runs());
    holder.signal(Signal::CONT);
    assert_eq!(sandbox.reserved(), ports.all());
    let _ = sandbox.portkeeper("release --all --yes").ok();
    holder.ends();
}

/// What living holders hold belongs into a registry that was lost. Not to see their files is no proof that there are none.
#[test]
fn holders_that_cannot_be_listed_are_an_error() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    for file in [sandbox.registry(), sandbox.registry().with_extension("json.prev")] {
        let _ = remove_file(file);
    }
    let faults = format!("-P {} -e inject=openat:error=EMFILE", sandbox.holds().display());
    for words in ["gc", "reserve --ttl 1h", "port --global web", "status --json", "release --all --yes"] {
        failing(&sandbox, &strace, &faults, words).refused(3).says("registry.json.holds: too many open files");
    }
    let doctor = failing(&sandbox, &strace, &faults, "doctor").run();
    assert!(doctor.stdout.contains("registry.json.holds: too many open files"), "{doctor}");
    assert_eq!(sandbox.reserved(), [ports.first()]);
    let _ = sandbox.portkeeper("release --all --yes").ok();
}

/// Without a socket to ask with it is unknown whether the port is answered, for example by a container behind a forwarding rule.
#[test]
fn a_port_that_cannot_be_asked_is_not_free() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    used(&sandbox);
    // The first two look whether the addresses are this machine's.
    for socket in 3..=6 {
        let faults = format!("-e inject=socket:error=EMFILE:when={socket}");
        let reserve = format!("reserve --host 127.0.0.1 --port {}", ports.first());
        failing(&sandbox, &strace, &faults, &reserve).refused(3).says("too many open files");
    }
    assert_eq!(sandbox.reserved(), [0; 0]);
}

/// A config that cannot be looked at is not passed over for one above it.
#[test]
fn a_config_that_cannot_be_seen_is_not_taken_for_none() {
    let Some(strace) = program_or_skip("strace") else { return };
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("pk.config.json", one_port(&ports, json!([])).to_string());
    let inner = sandbox.write("inner/pk.config.json", one_port(&ports, json!([])).to_string());
    let faults = format!("-P {} -e inject=statx,newfstatat:error=EIO", inner.display());
    let run = failing(&sandbox, &strace, &faults, "prepare").within(sandbox.work().join("inner"));
    run.exits(3).says("inner/pk.config.json");
    assert_eq!(sandbox.reserved(), [0; 0]);
}

/// After a power cut what is below a new directory can only be found if the directories above it know of it.
#[test]
fn the_parents_of_a_new_state_directory_are_synced() {
    let Some(strace) = program_or_skip("strace") else { return };
    let sandbox = sandbox();
    let reserve = sandbox.program(&strace).words("-qq -y -e trace=fsync").arg(sandbox.portkeeper_path());
    let state = sandbox.root().join("new/deep/state");
    let trace = reserve.words("reserve").env("XDG_STATE_HOME", &state).ok().stderr;
    for parent in state.ancestors().take(4) {
        assert!(trace.contains(&format!("<{}>)", parent.display())), "{}\n{trace}", parent.display());
    }
}

/// Neither a umask that takes everything nor one that takes nothing changes what is the user's alone.
#[test]
fn the_umask_neither_closes_nor_opens_the_state() {
    use std::os::unix::fs::MetadataExt;

    for umask in ["0777", "0000", "0177", "0277"] {
        let sandbox = sandbox();
        let state = sandbox.root().join("fresh/state");
        let words = |words: &str| {
            let run = sandbox.shell(&format!("umask {umask}; exec portkeeper {words}")).env("XDG_STATE_HOME", &state);
            let _ = run.without_powers().ok();
        };
        words("reserve --ttl 1h");
        words("port --global web --hold");
        words("reserve --ttl 1h");
        let mut found = 0;
        let mut look = vec![state.join("portkeeper")];
        while let Some(path) = look.pop() {
            let metadata = path.symlink_metadata().unwrap();
            let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(metadata.mode() & 0o777, mode, "umask {umask}: {}", path.display());
            if metadata.is_dir() {
                look.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            }
            found += 1;
        }
        assert!(found >= 6, "{found}");
        words("release --all --yes");
    }
}

/// The longest time that can be said, some 20,000 years, at every option that takes one.
#[test]
fn the_longest_times_do_not_overflow() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let longest = "175307616h";
    let listener = sandbox.listener("127.0.0.1", ports.at(3));
    for words in [
        format!("reserve --ttl {longest} --owner me --port {}", ports.at(0)),
        format!("reserve --ttl {longest} --owner me --port {} --lock-timeout {longest}", ports.at(0)),
        format!("reserve --grace {longest} --port {}", ports.at(1)),
        format!("reserve --hold --ttl {longest} --port {}", ports.at(2)),
        format!("wait {} --occupied --timeout {longest}", ports.at(3)),
        format!("run --ready-timeout {longest} -- true"),
        "status".to_owned(),
        "status --format table".to_owned(),
        "gc".to_owned(),
        "doctor".to_owned(),
        format!("explain {}", ports.at(2)),
        format!("scan 127.0.0.1 -p {} --timeout {longest}", ports.at(3)),
    ] {
        let outcome = sandbox.portkeeper(&words).run();
        assert!(matches!(outcome.code(), Some(0..=2)), "{outcome}");
        outcome.expect_code(outcome.code().unwrap());
    }
    listener.kill();
    assert_eq!(sandbox.reserved(), &ports.all()[..3]);
    let _ = sandbox.portkeeper("release --all --yes").ok();
}

#[test]
fn a_config_cannot_take_all_ports() {
    let sandbox = sandbox();
    let config = |count: u32| {
        let ports: Vec<_> = (0..count).map(|number| json!({ "key": format!("PORT{number}") })).collect();
        json!({ "ports": ports, "outputs": [] }).to_string()
    };
    sandbox.write("pk.config.json", config(1_001));
    sandbox.portkeeper("prepare").refused(2).says("ports: 1001 ports are more than the 1000 that one config may take");
    assert!(!sandbox.registry().exists());
    sandbox.write("pk.config.json", config(1_000));
    let _ = sandbox.portkeeper("prepare --dry-run").ok();
}
