//! What run started ends with run, and what does not is named.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use portkeeper_tests::{HolderProcess, Ports, Sandbox, Server, ask, program_or_skip, skipped};
use rustix::process::Signal;

use super::address;
use crate::sandbox;

/// A server in the background, and a look whether it is there.
fn background(sandbox: &Sandbox) -> String {
    sandbox.write("server.py", "import os, socket, time\nserver = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\nopen('pid', 'w').write(str(os.getpid()))\nwhile True:\n    server.accept()[0].close()\n");
    "python3 server.py & until [ -s pid ]; do sleep 0.01; done".to_owned()
}

/// The process that has written down its pid.
#[track_caller]
fn written(sandbox: &Sandbox) -> HolderProcess {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let pid = if sandbox.has("pid") { sandbox.read("pid").trim().parse().ok() } else { None };
        match pid {
            Some(pid) => return HolderProcess::with_pid(pid).expect("a process"),
            None => assert!(Instant::now() < deadline, "no pid"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn is_free(ports: &Ports) {
    let bound = TcpListener::bind(address("127.0.0.1", ports));
    assert!(bound.is_ok(), "{bound:?}");
}

/// The guide's recipe: `portkeeper run -- sh -c './server & npm test'`.
#[test]
fn the_server_of_a_test_ends_with_the_test() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!("{}; exit 7", background(&sandbox));
    let outcome = sandbox.portkeeper(format!("run -q --port {} -- sh -c", ports.first())).arg(script).exits(7);
    outcome.is_silent();
    is_free(&ports);
    assert_eq!(sandbox.reserved(), [0_u16; 0]);
}

#[test]
fn what_a_signal_leaves_of_a_stack_ends_too() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!("{}; wait", background(&sandbox));
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), &script);
    server.go();
    let _ = server.ready();
    let background = written(&sandbox);
    assert_eq!(server.stop(Signal::TERM).code(), Some(128 + 15));
    assert!(!background.runs());
    is_free(&ports);
}

#[test]
fn what_does_not_end_is_killed_and_that_is_said() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let deaf = "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen('pid', 'w').write(str(os.getpid()))\nwhile True:\n    time.sleep(60)\n";
    sandbox.write("deaf.py", deaf);
    let script = "python3 deaf.py & until [ -s pid ]; do sleep 0.01; done";
    let run = sandbox.portkeeper(format!("run --stop-timeout 300ms --port {} -- sh -c", ports.first()));
    run.arg(script).ok().says("did not end within ").says(" s, so it was killed");
    let pid = sandbox.read("pid").parse().unwrap();
    assert!(HolderProcess::with_pid(pid).is_none_or(|process| !process.runs()));
}

#[test]
fn a_daemon_is_left_and_named() {
    if program_or_skip("python3").is_none() || program_or_skip("setsid").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script =
        background(&sandbox).replace("python3 server.py &", "setsid python3 server.py </dev/null >/dev/null 2>&1 &");
    let outcome = sandbox.portkeeper(format!("run --port {} -- sh -c", ports.first())).arg(script).ok();
    let daemon = written(&sandbox);
    outcome.says(format!("(pid {}) still listens on {}; nothing keeps it now", daemon.pid(), ports.first()));
    assert!(daemon.runs());
    ask(address("127.0.0.1", &ports)).expect("it serves still");
    daemon.kill();

    let idle = "rm pid; setsid sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 600' </dev/null >/dev/null 2>&1 & \
                until [ -s pid ]; do sleep 0.01; done";
    let outcome = sandbox.portkeeper(format!("run --port {} -- sh -c", ports.first())).arg(idle).ok();
    outcome.says("has a session of its own and goes on");
    written(&sandbox).kill();
}

#[test]
fn children_are_kept_if_that_is_asked_for() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = background(&sandbox).replace('&', "</dev/null >/dev/null 2>&1 &");
    let run = sandbox.portkeeper(format!("run --keep-children --port {} -- sh -c", ports.first()));
    let outcome = run.arg(script).ok();
    let kept = written(&sandbox);
    outcome.says(format!("(pid {}) still listens on {}; nothing keeps it now", kept.pid(), ports.first()));
    assert!(kept.runs());
    kept.kill();
}

/// portkeeper was killed, and its server was not. The next command reports it, and what `explain` advises ends it.
#[test]
fn what_a_killed_run_leaves_is_reported_and_explained() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let _ = background(&sandbox);
    for how in [format!("--port {port}"), format!("--global web --port {port}")] {
        let _ = std::fs::remove_file(sandbox.work().join("pid"));
        let server = Server::start(&sandbox, &format!("{how} -- python3 server.py"));
        let (left, keeper) = (written(&sandbox), server.pid());
        let _ = server.ready();
        server.signal(Signal::KILL);
        while sandbox.portkeeper("status").ok().stderr.is_empty() {}

        let says =
            format!("(pid {}) is listening on 127.0.0.1:{port}, and nothing keeps its port any more", left.pid());
        let killed = format!("(pid {keeper}) was killed; portkeeper explain {port} says how to end it");
        sandbox.portkeeper("status").ok().says(&says).says(&killed);
        let explained = sandbox.portkeeper(format!("explain {port} --format table")).ok().stdout;
        assert_eq!(explained.matches(&keeper.to_string()).count(), 1, "said once:\n{explained}");
        let advice = sandbox.portkeeper(format!("explain {port} --json")).ok().json()["advice"].to_string();
        sandbox.portkeeper("reserve").ok().says(&says);
        assert!(!sandbox.portkeeper("reserve").ok().stderr.contains(&says), "said once");
        let way_out = format!("portkeeper kill {port}");
        assert!(advice.contains(&way_out), "{advice}");
        let _ = sandbox.shell(&format!("{way_out} --yes")).ok();
        left.ends();
        drop(server);
    }
}

/// Binds any port whenever it is asked to, and says how long that took.
const BIND_WHEN_ASKED: &str = "
import os, socket, time
server = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
open('pid', 'w').write(str(os.getpid()))
while not os.path.exists('go'):
    time.sleep(0.01)
socket.create_server(('127.0.0.1', 0)).close()
open('bound', 'w').close()
while True:
    time.sleep(60)
";

/// How many children a process with one thread has.
fn children(pid: u32) -> usize {
    let line = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    line.split_whitespace().count()
}

/// A server under a portkeeper that is not there any more, or does not run, is not in its hands.
#[test]
fn a_server_goes_on_when_portkeeper_is_killed_or_stopped() {
    if program_or_skip("python3").is_none() {
        return;
    }
    for signal in [Signal::KILL, Signal::STOP] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        sandbox.write("server.py", BIND_WHEN_ASKED);
        let server = Server::start(&sandbox, &format!("--port {} -- python3 server.py", ports.first()));
        let process = written(&sandbox);
        let _ = server.ready();
        // The server, and the process that answers in portkeeper's place.
        let deadline = Instant::now() + Duration::from_secs(60);
        while children(server.pid()) < 2 {
            assert!(Instant::now() < deadline, "nothing stands by");
            std::thread::sleep(Duration::from_millis(10));
        }
        server.signal(signal);
        sandbox.write("go", "");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !sandbox.has("bound") {
            assert!(Instant::now() < deadline, "{signal:?}: it could not bind");
            std::thread::sleep(Duration::from_millis(10));
        }
        process.kill();
        if signal == Signal::STOP {
            server.signal(Signal::CONT);
            let _ = server.ends();
        }
    }
}

/// The first line of a file, as soon as it has one.
#[track_caller]
fn first_line(sandbox: &Sandbox, file: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match if sandbox.has(file) { sandbox.read(file).lines().next().map(str::to_owned) } else { None } {
            Some(line) => return line,
            None => assert!(Instant::now() < deadline, "no {file}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process whose pid is in the file.
#[track_caller]
fn process_in(sandbox: &Sandbox, file: &str) -> HolderProcess {
    HolderProcess::with_pid(first_line(sandbox, file).trim().parse().expect("a pid")).expect("a process")
}

/// A shell that has children in the background, one of which will leave a child of its own behind, and becomes portkeeper.
fn with_earlier_children(run: &str) -> String {
    format!(
        "sleep 600 </dev/null >/dev/null 2>&1 & echo $! >child
         sh -c 'until [ -e go ]; do sleep 0.01; done; sleep 600 & echo $! >grandchild' </dev/null >/dev/null 2>&1 &
         exec portkeeper {run}"
    )
}

#[test]
fn what_the_shell_had_before_it_became_portkeeper_goes_on() {
    if program_or_skip("python3").is_none() {
        return;
    }
    for handover in ["auto", "release"] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let unmarked = "env -i sh -c 'echo $$ >unmarked; exec sleep 600' </dev/null >/dev/null 2>&1 &";
        let wait = |file| format!("until [ -s {file} ]; do sleep 0.01; done");
        let (grandchild, server) = (wait("grandchild"), background(&sandbox));
        let script = format!("touch go; {grandchild}; {server}; {unmarked} {}; exit 7", wait("unmarked"));
        sandbox.write("command.sh", script);
        let run = format!("run --handover {handover} --port {} -- sh command.sh", ports.first());
        let outcome = sandbox.shell(&with_earlier_children(&run)).exits(7);
        let (child, grandchild) = (process_in(&sandbox, "child"), process_in(&sandbox, "grandchild"));
        assert!(child.runs() && grandchild.runs(), "{handover}: {outcome}");
        let named = format!("(pid {})", child.pid());
        assert!(!outcome.stderr.contains(&named), "{handover}: it is not the command's: {outcome}");
        let left = HolderProcess::with_pid(sandbox.read("pid").trim().parse().unwrap());
        assert!(left.is_none_or(|process| !process.runs()), "{handover}: the command's own server ends: {outcome}");
        // What says nothing of where it comes from is left, and that is said.
        let unmarked = process_in(&sandbox, "unmarked");
        outcome.says(format!("(pid {}) goes on: it may come from sh", unmarked.pid()));
        unmarked.kill();
        child.kill();
        grandchild.kill();
    }
}

#[test]
fn kill_ends_the_command_and_not_what_the_shell_had_before() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let run = format!("run --port {} -- sh -c 'echo $$ >command; exec sleep 600'", ports.first());
    let shell = sandbox.shell(&with_earlier_children(&run)).start();
    let command = process_in(&sandbox, "command");
    let ended = sandbox.portkeeper(format!("kill {} --yes --force --json", ports.first())).ok().json();
    assert_eq!(ended["ended"][0]["pid"], command.pid(), "{ended}");
    assert_eq!(ended["ended"][0]["processes"], 1, "{ended}");
    let child = process_in(&sandbox, "child");
    assert!(child.runs() && !command.runs());
    child.kill();
    sandbox.write("go", "");
    process_in(&sandbox, "grandchild").kill();
    let _ = shell.finish();
}

/// A second signal cuts the time short, and what is said is how long it really was.
#[test]
fn the_time_that_is_said_is_the_time_that_it_was() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let deaf = "import os, signal, time\nsignal.signal(signal.SIGTERM, lambda *_: open('asked', 'w').write('yes'))\nopen('pid.new', 'w').write(str(os.getpid()))\nos.rename('pid.new', 'pid')\nwhile True:\n    time.sleep(60)\n";
    sandbox.write("deaf.py", deaf);
    let script = "python3 deaf.py & until [ -s pid ]; do sleep 0.01; done";
    let run = sandbox.portkeeper(format!("run --stop-timeout 1h --port {} -- sh -c", ports.first())).arg(script);
    let running = run.start();
    assert_eq!(first_line(&sandbox, "asked"), "yes");
    HolderProcess::with_pid(running.pid()).expect("portkeeper").signal(Signal::TERM);
    let outcome = running.finish();
    outcome.says("did not end within ");
    assert!(!outcome.stderr.contains("3600"), "{outcome}");
}

/// Where processes cannot be seen, that nothing is seen does not mean that nothing is there.
#[test]
fn what_cannot_be_looked_for_is_said() {
    let unshare = "unshare --pid --fork --kill-child";
    if program_or_skip("unshare").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    if sandbox.shell(&format!("{unshare} true")).run().code() != Some(0) {
        skipped("NETNS", "this user may not make a pid namespace");
        return;
    }
    let run = |port, script: &str| {
        let run = format!("portkeeper run --handover release --port {port} -- sh -c '{script}'");
        // The first process of the namespace is the shell, or all would end with portkeeper.
        sandbox.shell(&format!("{unshare} sh -c \"{run}; exit\"")).run()
    };
    let outcome = run(ports.at(0), "sleep 600 </dev/null >/dev/null 2>&1 &");
    outcome.says("what sh may have left running cannot be looked for: /proc shows another pid namespace here");
    let outcome = run(ports.at(1), "true");
    assert!(!outcome.stderr.contains("cannot be looked for"), "nothing is left: {outcome}");
}

/// From the answer to a command's first bind on another process stands by: portkeeper is killed as early as the second one proves that.
#[test]
fn a_server_that_has_just_begun_goes_on_when_portkeeper_is_killed() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let second = "socket.create_server(('127.0.0.1', 0)).close()\n";
    let begun = "open('pid', 'w')";
    sandbox.write("server.py", BIND_WHEN_ASKED.replacen(begun, &format!("{second}{begun}"), 1));
    let server = Server::start(&sandbox, &format!("--port {} -- python3 server.py", ports.first()));
    let process = written(&sandbox);
    server.signal(Signal::KILL);
    sandbox.write("go", "");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sandbox.has("bound") {
        assert!(process.runs() && Instant::now() < deadline, "it could not bind");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill();
}
